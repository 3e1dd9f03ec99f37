"""Personal data in a text: e-mail addresses, telephone numbers, addresses of hosts, national ids with check digits.

What a rule finds has its form, agrees with its check digits where it has some, and, where the form alone is that of
half of all numbers, has a word before it that says what it is ("NHS number", "Tel."). Names, dates and places are not
looked for. So what is found is nearly always such a thing, and what is not found may still be there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from corpus.text import check_digits as check

MASKS: Final = {"email": "[e-mail]", "phone": "[phone]", "ip": "[ip address]", "id": "[id number]"}
_MASKED: Final = re.compile("|".join(map(re.escape, MASKS.values())))
_BEFORE: Final = 60  # characters before a number in which the word that names it stands


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalSpan:
    """A piece of personal data: text[start:end]."""

    kind: str  # email, phone, ip or id
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _IdRule:
    """A form of national number: how it is written, whether its digits agree, and the words that must name it."""

    form: re.Pattern[str]
    agrees: check.Check
    named: re.Pattern[str] | None = None


def _id(form: str, agrees: check.Check, named: str = "") -> _IdRule:
    words = re.compile(rf"\b(?:{named})\b(?=[^.;]*$)", re.IGNORECASE) if named else None
    return _IdRule(form=re.compile(rf"(?<![\w.,/+-])(?:{form})(?![\w/-]|[.,]\d)"), agrees=agrees, named=words)


_NUMBER: Final = r"(?:id(?:entity|entification)?|national|personal|insurance|register|registration|resident)"
_IDS: Final = (
    _id(r"\d{3}-\d\d-\d{4}", check.us_ssn, r"social security|ssn"),
    _id(r"\d{3}[ -]\d{3}[ -]\d{4}|\d{10}", check.uk_nhs, r"nhs (?:no|number|num)"),
    _id(r"\d\d ?\d{3} ?\d{3} ?\d{3}", check.german_tax, r"steuer(?:liche)?\W?(?:id\w*|nummer)|idnr|tax (?:id|number)"),
    _id(r"[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", check.french_nir),
    _id(r"(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z]", check.spanish_dni, r"dni|nie|nif"),
    _id(r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", check.italian_code),
    _id(r"\d{9}|\d{4}[. ]\d\d[. ]\d{3}", check.dutch_bsn, r"bsn|burgerservicenummer|citizen service number"),
    _id(r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", check.belgian_number),
    _id(r"\d{11}", check.polish_pesel, r"pesel"),
    _id(r"(?:19|20)?\d\d(?:0[1-9]|1[0-2])(?:[0-3]\d)[-+]\d{4}", check.swedish_number, rf"personnummer|{_NUMBER}"),
    _id(r"(?:[0-3]\d)(?:0\d|1[0-2])\d\d[-+A]\d{3}[0-9A-FHJ-NPR-Y]", check.finnish_number),
    _id(r"(?:[0-7]\d)(?:[0-9]\d)\d\d ?\d{5}", check.norwegian_number, rf"f.dselsnummer|{_NUMBER}"),
    _id(r"\d{3}\.\d{3}\.\d{3}-\d\d", check.brazilian_cpf),
    _id(r"\d{11}", check.brazilian_cpf, r"cpf"),
    _id(r"[2-9]\d{3} ?\d{4} ?\d{4}", check.verhoeff, r"aadhaar|aadhar|uidai"),
    _id(r"[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])[0-3]\d{4}[0-9X]", check.chinese_number),
    _id(r"\d\d(?:0[1-9]|1[0-2])[0-3]\d-[1-8]\d{6}", check.korean_number),
    _id(r"[STFG]\d{7}[A-Z]", check.singaporean_nric, rf"nric|fin|{_NUMBER}"),
    _id(r"[A-Z]{4}\d{6}[HM][A-Z]{5}[0-9A-Z]\d", check.mexican_curp),
    _id(r"\d\d(?:0[1-9]|1[0-2])[0-3]\d ?\d{4} ?[01]\d\d", check.luhn, rf"{_NUMBER}"),
    _id(r"[1-79]\d\d[ -]\d{3}[ -]\d{3}|\d{9}", check.luhn, r"social insurance|sin"),
    _id(r"[2-6]\d{3} \d{5} \d|[2-6]\d{9}", check.australian_medicare, r"medicare"),
    _id(r"[1-9]\d{10}", check.turkish_number, rf"kimlik|{_NUMBER}"),
    _id(r"756\.?\d{4}\.?\d{4}\.?\d\d", check.swiss_ahv),
    _id(r"(?:[A-Z]{2}\d\d(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?)", check.iban),
)
_NO_DOMAIN: Final = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "gif",
        "tif",
        "tiff",
        "pdf",
        "svg",
        "eps",
        "html",
        "xml",
        "txt",
        "csv",
        "docx",
        "xlsx",
        "zip",
    ]
)
_EMAIL: Final = re.compile(
    r"(?<![\w.%+'’/-])[A-Za-z0-9][\w.%+'’-]{0,63}(?:@| ?[\[(] ?at ?[\])] ?)"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.| ?[\[(] ?dot ?[\])] ?))+([A-Za-z]{2,24})(?![\w@-])"
)
_ABROAD: Final = re.compile(
    r"(?<![\w+./-])\+[1-9]\d{0,2}(?:[ .\-/]?(?:\(\d{1,5}\)|\d{1,5})){2,7}(?![\w]|[.,]\d|\s?[%°])"
)
_AT_HOME: Final = re.compile(
    r"(?<![\w.,/+–-])(?:\(\d{1,5}\)|\d{1,5})(?:[ .\-/]?(?:\(\d{2,5}\)|\d{2,5})){2,5}(?![\w/-]|[.,]\d|\s?[%°])"
)
_CALLED: Final = re.compile(
    r"\b(?:tel|telephone|phone|fax|mobile|cell ?phone|call|hotline|toll-free|t[ée]l|t[ée]l[ée]phone|telefon\w*"
    r"|tel[ée]fono|mobil)"
    r"\b[^.;\w]*(?:(?:no|number|nr|num)\b[^.;\w]*|toll-free[^\w]*)*"
    r"(?:\s?\([^()\d]{1,30}\))?\.?[\s:(+]*$",
    re.IGNORECASE,
)
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4: Final = re.compile(rf"(?<![\w.,/-])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w-]|\.\d)")
_IPV6: Final = re.compile(
    r"(?<![\w:.*])(?=[0-9a-fA-F]*:(?:[0-9a-fA-F]*:)*?(?::|(?:[0-9a-fA-F]*:){5}))"
    r"(?:[0-9a-fA-F]{1,4}:){1,7}(?::?[0-9a-fA-F]{1,4}){1,7}(?![\w:])"
)
_HOSTED: Final = re.compile(r"\b(?:ip(?:v[46])?|address|host|server|proxy|router)\b[^.;]{0,40}$", re.IGNORECASE)
# Where one of the forms above may stand; they are tried there alone.
_MAY_BE_NUMBER: Final = re.compile(
    r"\d(?:[ .\-/()+]{0,2}\d){6,}|[A-Z]{4,6}\d\d|[A-Z]{2}\d\d ?[0-9A-Z]{4}|\d{6}[-+A]\d{3}"
)
_MAY_BE_EMAIL: Final = re.compile(r"@|[\[(] ?at ?[\])]")
_MAY_BE_HOST: Final = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d|[0-9a-fA-F]:[0-9a-fA-F:]{3}")
_AROUND: Final = {_MAY_BE_NUMBER: (12, 40), _MAY_BE_EMAIL: (66, 200), _MAY_BE_HOST: (6, 50)}  # characters


def find_personal_data(text: str) -> list[PersonalSpan]:
    """Return the pieces of personal data in a text, in order; they do not overlap."""
    found: list[PersonalSpan] = []
    end = 0
    for span in sorted(_spans(text), key=lambda span: (span.start, -span.end)):
        if span.start >= end:
            found.append(span)
            end = span.end
    return found


def masked(text: str, spans: list[PersonalSpan]) -> str:
    """Return a text with each piece replaced by a word for its kind (`MASKS`)."""
    pieces, end = [], 0
    for span in spans:
        pieces += [text[end : span.start], MASKS[span.kind]]
        end = span.end
    return "".join([*pieces, text[end:]])


def moved(place: int, spans: list[PersonalSpan]) -> int:
    """Return where a place of a text is once its pieces are masked; one inside a piece goes to the piece's end."""
    shift = 0
    for span in spans:
        if span.start >= place:
            break
        shift += len(MASKS[span.kind]) - (min(place, span.end) - span.start)
    return place + shift


def _spans(text: str) -> Iterator[PersonalSpan]:
    for start, end in _stretches(_MAY_BE_EMAIL, text):
        for found in _EMAIL.finditer(text, start, end):
            if found[1].lower() not in _NO_DOMAIN:
                yield PersonalSpan(kind="email", start=found.start(), end=found.end())
    for start, end in _stretches(_MAY_BE_NUMBER, text):
        yield from _ids(text, start, end)
        yield from _phones(text, start, end)
    for start, end in _stretches(_MAY_BE_HOST, text):
        yield from _hosts(text, start, end)


def _stretches(sign: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a text around what looks like the beginning of a form; they do not overlap."""
    before, behind = _AROUND[sign]
    start = end = 0
    for found in sign.finditer(text):
        if found.start() - before > end:
            if end:
                yield start, end
            start = found.start() - before
        end = found.end() + behind
    if end:
        yield max(start, 0), end


def _ids(text: str, start: int, end: int) -> Iterator[PersonalSpan]:
    for rule in _IDS:
        for found in rule.form.finditer(text, start, end):
            if rule.named is not None and rule.named.search(_words_before(text, found.start())) is None:
                continue
            if rule.agrees(re.sub(r"[^0-9A-ZÑ]", "", found[0])):
                yield PersonalSpan(kind="id", start=found.start(), end=found.end())


def _hosts(text: str, start: int, end: int) -> Iterator[PersonalSpan]:
    for form in (_IPV4, _IPV6):
        for found in form.finditer(text, start, end):
            if _HOSTED.search(_words_before(text, found.start())):
                yield PersonalSpan(kind="ip", start=found.start(), end=found.end())


def _phones(text: str, start: int, end: int) -> Iterator[PersonalSpan]:
    for form, least, most in ((_ABROAD, 8, 15), (_AT_HOME, 7, 13)):
        for found in form.finditer(text, start, end):
            if least <= sum(one.isdigit() for one in found[0]) <= most and (
                form is _ABROAD or _CALLED.search(_words_before(text, found.start()))
            ):
                yield PersonalSpan(kind="phone", start=found.start(), end=found.end())


def _words_before(text: str, place: int) -> str:
    """Return what stands before a number; a piece that was masked before names none behind it."""
    longest = max(map(len, MASKS.values()))  # one that the window would cut
    return _MASKED.sub(";0;", text[max(0, place - _BEFORE - longest) : place])[-_BEFORE:]
