"""Five hundred pieces of personal data of twenty countries in sentences, and five hundred that only look like some.

Written before the rules that find them. All are made up: numbers are drawn and their check digits computed here, by the
definitions of the registers; domains are those reserved for examples or of the form of a university's.
"""

import random
from collections.abc import Callable

Planted = tuple[str, str, str]  # kind, the piece, the sentence around it
DIGITS, LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def digits(rng: random.Random, count: int, first: str = "123456789") -> str:
    return rng.choice(first) + "".join(rng.choice(DIGITS) for _ in range(count - 1))


def date(rng: random.Random) -> tuple[int, int, int]:
    return rng.randint(1940, 1999), rng.randint(1, 12), rng.randint(1, 28)


def luhn_digit(number: str) -> str:
    doubled = [2 * int(d) if place % 2 == 0 else int(d) for place, d in enumerate(reversed(number))]
    return str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)


def weighed(number: str, weights: list[int]) -> int:
    return sum(int(d) * w for d, w in zip(number, weights, strict=True))


def us_ssn(rng: random.Random) -> str:
    return f"{rng.choice([*range(1, 666), *range(667, 900)]):03}-{rng.randint(1, 99):02}-{rng.randint(1, 9999):04}"


def uk_nhs(rng: random.Random) -> str:
    while True:
        number = digits(rng, 9)
        check = -weighed(number, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11
        if check < 10:
            return f"{number[:3]} {number[3:6]} {number[6:]}{check}"


def german_tax(rng: random.Random) -> str:
    spare = rng.sample(DIGITS, 9)
    number = [*spare, rng.choice(spare)]
    rng.shuffle(number)
    if number[0] == "0":
        number[0], number[-1] = number[-1], number[0]
    if number[0] == "0":
        return german_tax(rng)
    product = 10
    for digit in number:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    text = "".join(number) + str((11 - product) % 10)
    return f"{text[:2]} {text[2:5]} {text[5:8]} {text[8:]}"


def french_nir(rng: random.Random) -> str:
    year, month, _ = date(rng)
    parts = [rng.choice("12"), f"{year % 100:02}", f"{month:02}", f"{rng.randint(1, 95):02}", digits(rng, 3, DIGITS)]
    parts.append(digits(rng, 3, DIGITS))
    return " ".join([*parts, f"{97 - int(''.join(parts)) % 97:02}"])


def spanish_dni(rng: random.Random) -> str:
    number = rng.randint(10_000_000, 99_999_999)
    return f"{number}{rng.choice(['', '-'])}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


ODD_VALUES = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21]
ODD_LETTERS = [*ODD_VALUES, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
ODD = dict(zip(DIGITS + LETTERS, ODD_VALUES + ODD_LETTERS, strict=True))


def italian_code(rng: random.Random) -> str:
    year, _, day = date(rng)
    name = "".join(rng.choice("BCDFGLMNPRSTVZ") for _ in range(6))
    place = rng.choice("ABCDFGHL") + digits(rng, 3, DIGITS)
    text = f"{name}{year % 100:02}{rng.choice('ABCDEHLMPRST')}{day + rng.choice([0, 40]):02}{place}"
    even = {letter: value for value, letter in enumerate(LETTERS)} | {digit: int(digit) for digit in DIGITS}
    total = sum(ODD[one] if place % 2 == 0 else even[one] for place, one in enumerate(text))
    return text + LETTERS[total % 26]


def dutch_bsn(rng: random.Random) -> str:
    while True:
        number = digits(rng, 8)
        check = weighed(number, [9, 8, 7, 6, 5, 4, 3, 2]) % 11
        if check < 10:
            return f"{number}{check}"


def belgian_number(rng: random.Random) -> str:
    year, month, day = date(rng)
    serial = f"{rng.randint(1, 997):03}"
    check = 97 - int(f"{year % 100:02}{month:02}{day:02}{serial}") % 97
    return f"{year % 100:02}.{month:02}.{day:02}-{serial}.{check:02}"


def polish_pesel(rng: random.Random) -> str:
    year, month, day = date(rng)
    number = f"{year % 100:02}{month:02}{day:02}{digits(rng, 4, DIGITS)}"
    return number + str(-weighed(number, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)


def swedish_number(rng: random.Random) -> str:
    year, month, day = date(rng)
    number = f"{year % 100:02}{month:02}{day:02}{digits(rng, 3, DIGITS)}"
    century = rng.choice(["", "19"])
    return f"{century}{number[:6]}-{number[6:]}{luhn_digit(number)}"


def finnish_number(rng: random.Random) -> str:
    year, month, day = date(rng)
    born, serial = f"{day:02}{month:02}{year % 100:02}", f"{rng.randint(2, 899):03}"
    return f"{born}-{serial}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(born + serial) % 31]}"


def norwegian_number(rng: random.Random) -> str:
    while True:
        year, month, day = date(rng)
        number = f"{day:02}{month:02}{year % 100:02}{digits(rng, 3, DIGITS)}"
        first = -weighed(number, [3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11
        second = -weighed(f"{number}{first % 10}", [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11
        if first < 10 and second < 10:
            return f"{number[:6]} {number[6:]}{first}{second}"


def brazilian_cpf(rng: random.Random) -> str:
    number = digits(rng, 9)
    for start in (10, 11):
        check = -weighed(number, list(range(start, 1, -1))) % 11
        number += str(check if check < 10 else 0)
    return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"


VERHOEFF = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
while len(VERHOEFF) < 8:
    VERHOEFF.append([VERHOEFF[-1][VERHOEFF[1][digit]] for digit in range(10)])


def dihedral(a: int, b: int) -> int:
    """Return the product of two elements of the symmetries of a pentagon; 5 to 9 are reflections."""
    if a < 5:
        return (a + b) % 5 + (5 if b >= 5 else 0)
    return (a - b) % 5 + (0 if b >= 5 else 5)


def indian_aadhaar(rng: random.Random) -> str:
    number = digits(rng, 11, "23456789")
    total = 0
    for place, digit in enumerate(reversed(number), start=1):
        total = dihedral(total, VERHOEFF[place % 8][int(digit)])
    check = next(str(digit) for digit in range(10) if dihedral(total, digit) == 0)
    text = number + check
    return f"{text[:4]} {text[4:8]} {text[8:]}"


def chinese_number(rng: random.Random) -> str:
    year, month, day = date(rng)
    number = f"{rng.choice([11, 31, 44, 51])}{digits(rng, 4, DIGITS)}{year}{month:02}{day:02}{digits(rng, 3, DIGITS)}"
    total = weighed(number, [pow(2, 17 - place, 11) for place in range(17)])
    return number + "10X98765432"[total % 11]


def korean_number(rng: random.Random) -> str:
    year, month, day = date(rng)
    number = f"{year % 100:02}{month:02}{day:02}{rng.choice('12')}{digits(rng, 5, DIGITS)}"
    check = -weighed(number, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11 % 10
    return f"{number[:6]}-{number[6:]}{check}"


def singaporean_nric(rng: random.Random) -> str:
    number, first = digits(rng, 7), rng.choice("ST")
    total = weighed(number, [2, 7, 6, 5, 4, 3, 2]) + (4 if first == "T" else 0)
    return f"{first}{number}{'JZIHGFEDCBA'[total % 11]}"


def mexican_curp(rng: random.Random) -> str:
    year, month, day = date(rng)
    name = rng.choice("BCDFG") + rng.choice("AEIOU") + rng.choice("LMNPR") + rng.choice("JKSTV")
    inner = "".join(rng.choice("BCDFGLMNPRSTVZ") for _ in range(3))
    text = f"{name}{year % 100:02}{month:02}{day:02}{rng.choice('HM')}{rng.choice(['DF', 'JC', 'NL'])}{inner}0"
    order = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(order.index(one) * (18 - place) for place, one in enumerate(text))
    return f"{text}{-total % 10}"


def south_african_number(rng: random.Random) -> str:
    year, month, day = date(rng)
    number = f"{year % 100:02}{month:02}{day:02}{digits(rng, 4, DIGITS)}08"
    return f"{number[:6]} {number[6:10]} {number[10:]}{luhn_digit(number)}"


def canadian_sin(rng: random.Random) -> str:
    number = digits(rng, 8, "1234567")
    text = number + luhn_digit(number)
    return f"{text[:3]} {text[3:6]} {text[6:]}"


def australian_medicare(rng: random.Random) -> str:
    number = digits(rng, 8, "23456")
    text = number + str(weighed(number, [1, 3, 7, 9, 1, 3, 7, 9]) % 10) + rng.choice("123")
    return f"{text[:4]} {text[4:9]} {text[9]}"


def turkish_number(rng: random.Random) -> str:
    number = [int(one) for one in digits(rng, 9)]
    number.append((7 * sum(number[0:9:2]) - sum(number[1:8:2])) % 10)
    number.append(sum(number) % 10)
    return "".join(map(str, number))


def swiss_ahv(rng: random.Random) -> str:
    number = "756" + digits(rng, 9, DIGITS)
    check = -sum(int(d) * (3 if place % 2 else 1) for place, d in enumerate(number)) % 10
    return f"{number[:3]}.{number[3:7]}.{number[7:11]}.{number[11]}{check}"


def iban(rng: random.Random) -> str:
    country, count = rng.choice([("DE", 18), ("AT", 16), ("CH", 17), ("ES", 20), ("DK", 14)])
    number = digits(rng, count, DIGITS)
    spelled = "".join(str(LETTERS.index(one) + 10) if one in LETTERS else one for one in number + country + "00")
    text = f"{country}{98 - int(spelled) % 97:02}{number}"
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


IDS: tuple[tuple[Callable[[random.Random], str], str], ...] = (
    (us_ssn, "His Social Security number ({}) was removed from the chart."),
    (uk_nhs, "The patient (NHS number {}) was referred in 2011."),
    (german_tax, "Die Steuer-ID {} stand auf dem Befund."),
    (french_nir, "Her numéro de sécurité sociale, {}, appears on the form."),
    (spanish_dni, "El paciente con DNI {} firmó el consentimiento."),
    (italian_code, "The consent was signed by a man (codice fiscale {})."),
    (dutch_bsn, "The record was found under BSN {} in Utrecht."),
    (belgian_number, "A woman (national register number {}) was admitted."),
    (polish_pesel, "Pacjent o numerze PESEL {} został przyjęty."),
    (swedish_number, "The registry links by personal identity number, for example {}."),
    (finnish_number, "The form names a man, {}, as the index patient."),
    (norwegian_number, "The fødselsnummer {} had been printed on the slide."),
    (brazilian_cpf, "O paciente, CPF {}, recebeu alta."),
    (indian_aadhaar, "Her Aadhaar number {} was noted by the clinic."),
    (chinese_number, "The resident identity card {} was visible in the figure."),
    (korean_number, "A man with resident registration number {} was enrolled."),
    (singaporean_nric, "The label shows the NRIC {} of the donor."),
    (mexican_curp, "La paciente (CURP {}) acudió a consulta."),
    (south_african_number, "The mother, ID number {}, gave consent."),
    (canadian_sin, "His social insurance number {} is on the claim."),
    (australian_medicare, "The Medicare number {} was typed in full."),
    (turkish_number, "The file is kept under T.C. identity number {} in Ankara."),
    (swiss_ahv, "The insured person {} was lost to follow-up."),
    (iban, "Donations may be sent to {} of the foundation."),
)
PHONES = (
    ("+1 (###) 2##-####", "+1 ### 2## ####", "+1-###-2##-####", "+1.###.2##.####"),  # United States and Canada
    ("+44 20 7### ####", "+44 (0)1865 2#####", "+44 7### ######"),  # United Kingdom
    ("+49 30 4505 #####", "+49-89-4400-#####", "+49 (0)761 270-#####"),  # Germany
    ("+33 1 42 ## ## ##", "+33 (0)4 76 ## ## ##"),  # France
    ("+34 93 227 ## ##", "+34 91#######"),  # Spain
    ("+39 02 2#######", "+39-06-49######"),  # Italy
    ("+31 20 566 ####", "+31-(0)10-70#####"),  # Netherlands
    ("+32 16 34 ## ##", "+48 22 #######", "+46 8 517 7## ##", "+47 22 8# ## ##", "+45 35 45 ## ##"),
    ("+358 9 4711 ####", "+41 44 255 ## ##", "+43 1 40400-#####", "+90 312 305 ## ##"),
    ("+55 11 3069-####", "+55 (21) 2562-####", "+52 55 5487 ####"),  # Brazil, Mexico
    ("+91 11 2659 ####", "+91-80-2699-####", "+86 10 6915 ####", "+86-21-6404-####", "+86 138#### ####"),
    ("+81 3 5803 ####", "+81-6-6879-####", "+82 2 2072 ####", "+82-2-3410-####", "+65 6772 ####"),
    ("+61 2 9845 ####", "+61 3 8344 ####", "+27 21 406 ####", "+972 3 530 ####", "+20 2 2364 ####"),
)
CALLED = ("Tel.: {}", "Phone: {}.", "Please call {} for samples.", "Correspondence by telephone ({}) or fax.", "Fax {}")
AT_HOME = (
    ("(###) 2##-####", "Call toll-free: {}"), ("1-800-###-####", "Phone {} to report an event."),
    ("020 7### ####", "Tel: {} (office hours)"), ("030 4505 #####", "Telefon {}"), ("01 42 ## ## ##", "Tél. {}"),
    ("02-2072-####", "Tel. {}"), ("0411 ### ###", "mobile {}"), ("011-2659-####", "Phone no. {}"),
)  # fmt: skip
NAMES = ("j.smith", "maria_garcia", "li.wei86", "o'neil", "anna-lena.b", "k+lab", "x1", "Mueller.H", "sato.k", "r%d")
DOMAINS = ("example.org", "med.example.edu", "uni-example.de", "mail.example.co.uk", "example.ac.jp", "example.com.br",
           "hospital.example.in", "example.fr", "example.museum", "cs.example.edu.cn")  # fmt: skip
MAILED = (
    "Correspondence: {}.", "Data are available from the author ({}).", "E-mail: {}", "Write to {}; she will reply.",
    "<{}>", "mailto:{}", "Contact {}, or the registry.", "Requests to “{}” only.",
)  # fmt: skip


def drawn(rng: random.Random, pattern: str) -> str:
    return "".join(rng.choice("23456789") if one == "#" else one for one in pattern)


def planted(seed: int = 0) -> list[Planted]:
    """Return 500 pieces: 130 e-mail addresses, 150 telephone numbers, 40 addresses of hosts, 180 ids."""
    rng, made = random.Random(seed), list[Planted]()
    for number in range(130):
        name, domain = rng.choice(NAMES) + rng.choice(["", str(rng.randint(1, 99))]), rng.choice(DOMAINS)
        at, dot = rng.choice([("@", ".")] * 8 + [(" [at] ", "."), ("(at)", "."), (" [at] ", " [dot] ")])
        made.append(("email", name + at + domain.replace(".", dot), MAILED[number % len(MAILED)]))
    patterns = [one for country in PHONES for one in country]
    for number in range(150):
        home, said = AT_HOME[number % len(AT_HOME)]
        abroad = number % 5 < 4
        pattern, said = (patterns[number % len(patterns)], rng.choice(CALLED)) if abroad else (home, said)
        made.append(("phone", drawn(rng, pattern), said))
    for number in range(40):
        octets = [rng.randint(11, 223), *(rng.randint(0, 255) for _ in range(2)), rng.randint(1, 254)]
        four = ".".join(map(str, octets))
        six = rng.choice(["2001:db8::{:x}:{:x}", "2001:db8:{:x}:{:x}:8a2e:370:7334:1a2f", "fe80::{:x}:{:x}"])
        text = four if number % 4 else six.format(rng.randint(4096, 65535), rng.randint(4096, 65535))
        said = rng.choice(["Votes from IP address {} were removed.", "The server at {} logged each login.", "IP: {}"])
        made.append(("ip", text, said))
    for number in range(180):
        make, said = IDS[number % len(IDS)]
        made.append(("id", make(rng), said))
    return [(kind, text, said.format(text)) for kind, text, said in made]


ALIKE = (
    """
ClinicalTrials.gov NCT0####### | ISRCTN######## | EudraCT 20##-00####-## | DRKS000##### | ChiCTR-TRC-1300####
ChiCTR1800###### | ACTRN126#0000##(p)3 | UMIN00000#### | CTRI/2018/0#/01#### | NTR#### | PACTR20########
IRCT20########N# | PROSPERO CRD420###### | doi:10.1016/j.cell.20##.0#.0##
https://doi.org/10.1371/journal.pone.00##### | 10.1038/s41586-0##-####-# | PMID: ######## | PMC#######
GenBank AB######.1 | NM_00#####.3 | NP_0#####.2 | GSE###### | SRR######## | PRJNA###### | rs##########
ENSG00000###### | P##### | UniProt Q9#### | PDB 6##X | CAS ####-##-# | EC 3.4.21.# | EC 2.7.11.## | ICD-10 C##.#
ISSN ####-#### | ISBN 978-3-##-######-# | on ##/##/20## | 20##-0#-1# | p = 0.000##
95% CI 1.##–2.## (n = #,###) | OR 2.##; 1.##-3.## | ±0.## and +1.96 SD | +4 °C for ## h | +12.# mV to −## mV
chr#:1########-1######## | chr7:5########-5######## | 7q11.#3–q21.# | HLA-A*02:01:01:## | HLA-DRB1*15:01:01:0#
12:##:## to 14:##:## | SPSS version 2#.0.0.# | v1.#.2.# | R 3.#.1 | grant R01-CA###### | NSFC (8127####)
No. 81###### | 20##CB###### | protocol 2013/3##-31/# | 2-####-####-#, 0.# mg | catalog no. 12-####-##
cat. # 555### | Sigma A-#### | lot 20######## | ATCC CCL-### | MGI:####### | HGNC:##### | GO:000####
MESH:D00#### | OMIM ####### | MIM 1##### | CHEBI:##### | KEGG hsa0#### | CHEMBL###### | DB0#### | p53@1:###
2θ @ 25.# | 10 mM @ pH 7.# | figure#@2x.png | @article{smith20## | CD4@CD8 #.# | Pt@C (#.# wt%)
Fe3O4@SiO2 ## nm | 5′-ACGT####-3′ | m/z 1###.#### [M+H]+ | λ = ###.## nm | 40.####° N, 73.####° W | 1:##,000
(2,###; 3,###; 4,###) | 0.0#, 0.#1, 0.##1 | 3.14159###### | ## ### ### reads | 1 2## 3## 4## people
#### #### #### | ###-##-##### days | sections 3.#.2.1 and 4.1.#.2 | Table 10.2.#.4 | pubmed20n00## | S########C
T12#### | ###.###.### | 123 456 ####, 789 01# #### | GA-####-## | EU/1/##/###/001 | ORCID 0000-0002-####-####
NHS trusts (### of 2##) | BSN meeting 20## | CPF and ### others | SSN (single strand nick) ###
IBAN code list #### | DNI ## patients
""".strip()
    .replace("\n", " | ")
    .split(" | ")
)


def look_alikes(seed: int = 0) -> list[str]:
    """Return 500 sentences with what looks like personal data and is none."""
    rng = random.Random(seed)
    around = ("We used {} here.", "({})", "Trial registration: {}.", "See {} for details.", "It was {}, as before.")
    return [rng.choice(around).format(drawn(rng, ALIKE[number % len(ALIKE)])) for number in range(500)]
