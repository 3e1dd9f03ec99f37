"""Check digits of national numbers: whether the digits of one agree with each other, by each register's rule."""

from collections.abc import Callable, Sequence
from typing import Final

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIHEDRAL: Final = tuple(
    tuple((a + b) % 5 + (a // 5 + b // 5) % 2 * 5 if a < 5 else (a - b) % 5 + (5 - b // 5 * 5) for b in range(10))
    for a in range(10)
)
_FIRST_TURN: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_ITALIAN_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_MEXICAN: Final = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"


def _sum(text: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(text, weights, strict=False))


def luhn(text: str) -> bool:
    """Say whether every second digit doubled, from the right, gives a sum of full tens."""
    return sum(sum(divmod(int(d) * (1 + place % 2), 10)) for place, d in enumerate(reversed(text))) % 10 == 0


def verhoeff(text: str) -> bool:
    """Say whether the digits agree by Verhoeff's dihedral code, as in India's Aadhaar."""
    total, turn = 0, tuple(range(10))
    for digit in reversed(text):
        total = _DIHEDRAL[total][turn[int(digit)]]
        turn = tuple(_FIRST_TURN[one] for one in turn)
    return total == 0


def us_ssn(text: str) -> bool:
    """Say whether a Social Security number can have been given out; it has no check digit."""
    area, group, serial = text[:3], text[3:5], text[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def uk_nhs(text: str) -> bool:
    """Say whether a number of Britain's health service agrees, modulo 11."""
    return _sum(text, range(10, 0, -1)) % 11 == 0


def german_tax(text: str) -> bool:
    """Say whether a Steuer-ID agrees: ISO 7064 modulo 11, 10, and one digit of ten twice or thrice."""
    product = 10
    for digit in text[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return text[0] != "0" and (11 - product) % 10 == int(text[-1]) and 8 <= len(set(text[:-1])) <= 9


def french_nir(text: str) -> bool:
    """Say whether a French insurance number agrees, modulo 97; Corsica's departments have a letter."""
    number = text[:-2].replace("2A", "19").replace("2B", "18")
    return 97 - int(number) % 97 == int(text[-2:])


def spanish_dni(text: str) -> bool:
    """Say whether a DNI or NIE ends with its letter, modulo 23."""
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1]


def italian_code(text: str) -> bool:
    """Say whether a codice fiscale ends with its letter."""
    values = [int(one) if one.isdigit() else _LETTERS.index(one) for one in text[:-1]]
    total = sum(_ITALIAN_ODD[value] if place % 2 == 0 else value for place, value in enumerate(values))
    return _LETTERS[total % 26] == text[-1]


def dutch_bsn(text: str) -> bool:
    """Say whether a burgerservicenummer passes the test by eleven."""
    return _sum(text, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def belgian_number(text: str) -> bool:
    """Say whether a Belgian register number agrees, modulo 97, for births before and since 2000."""
    return int(text[-2:]) in (97 - int(text[:9]) % 97, 97 - int("2" + text[:9]) % 97)


def polish_pesel(text: str) -> bool:
    """Say whether a PESEL agrees."""
    return _sum(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def swedish_number(text: str) -> bool:
    """Say whether a personnummer agrees, with or without the century."""
    return luhn(text[-10:])


def finnish_number(text: str) -> bool:
    """Say whether a henkilötunnus ends with its letter, modulo 31."""
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(text[:9]) % 31] == text[-1]


def norwegian_number(text: str) -> bool:
    """Say whether both check digits of a fødselsnummer agree."""
    first = _sum(text, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1))
    return first % 11 == 0 and _sum(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def brazilian_cpf(text: str) -> bool:
    """Say whether both check digits of a CPF agree."""
    first, second = (_sum(text[: 9 + more], range(10 + more, 1, -1)) * 10 % 11 % 10 for more in range(2))
    return text[9:] == f"{first}{second}" and len(set(text)) > 1


def chinese_number(text: str) -> bool:
    """Say whether an identity card number agrees: ISO 7064 modulo 11, 2."""
    return "10X98765432"[sum(int(one) * pow(2, 17 - place, 11) for place, one in enumerate(text[:17])) % 11] == text[17]


def korean_number(text: str) -> bool:
    """Say whether a resident registration number agrees."""
    return (11 - _sum(text, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == int(text[-1])


def singaporean_nric(text: str) -> bool:
    """Say whether an NRIC or FIN ends with its letter."""
    total = _sum(text[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if text[0] in "TG" else 0)
    return ("JZIHGFEDCBA" if text[0] in "ST" else "XWUTRQPNMLK")[total % 11] == text[-1]


def mexican_curp(text: str) -> bool:
    """Say whether a CURP agrees."""
    return -sum(_MEXICAN.index(one) * (18 - place) for place, one in enumerate(text[:17])) % 10 == int(text[17])


def australian_medicare(text: str) -> bool:
    """Say whether a Medicare number agrees; the last digit numbers the cards."""
    return text[0] in "23456" and _sum(text, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(text[8])


def turkish_number(text: str) -> bool:
    """Say whether both check digits of a T.C. kimlik number agree."""
    digits = [int(one) for one in text]
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return digits[9] == tenth and digits[10] == sum(digits[:10]) % 10


def swiss_ahv(text: str) -> bool:
    """Say whether an AHV number agrees, as an EAN-13 does."""
    return sum(int(one) * (1 + 2 * (place % 2)) for place, one in enumerate(text)) % 10 == 0


def iban(text: str) -> bool:
    """Say whether an account number agrees, modulo 97."""
    turned = text[4:] + text[:4]
    return int("".join(str(int(one, 36)) for one in turned)) % 97 == 1


Check = Callable[[str], bool]
