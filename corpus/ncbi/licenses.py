"""Licences by their SPDX name, from the article's own statement, else from the bucket's code.

The links and the text of an article's `<permissions>` and the JSON's `license_code` come in; one name goes out:
`CC-BY-4.0`, `CC0-1.0`, `CC-BY-NC-ND-3.0-IGO`, … A link decides first (publishers copy the prose of one licence
under the link of another, the link is what readers follow), then the text, then PMC's code. Where no version is
stated the name has none (`CC-BY`): PMC's codes never state one. A ported licence (`by/2.0/uk`) gets the name of its
unported version; only the ports for intergovernmental organisations (`igo`) keep theirs. `TDM` (text mining
of author manuscripts) is PMC's own word and stays. Names: spdx.org/licenses.
"""

import re
from collections.abc import Iterable

_LINK = re.compile(
    r"creativecommons\.org/(?:licen[cs]es/(?P<terms>by(?:-nc)?(?:-nd|-sa)?|by-(?:nd|sa)-nc)(?:/(?P<version>\d(?:\.\d)?))?"
    r"(?P<igo>/igo)?|publicdomain/(?P<domain>zero|mark))(?![\w-])",
    re.IGNORECASE,
)
_DASH = r"[\s\-‐‑–—]*"
_WORDS = re.compile(
    rf"(?:creative\s+commons,?\s+|\bCC{_DASH})(?:attribution|BY)\b"
    rf"(?P<nc>{_DASH}(?:non{_DASH}commercial|NC\b))?"
    rf"(?:(?P<nd>{_DASH}(?:no{_DASH}deriv\w*(?:\s+works)?|ND\b))|(?P<sa>{_DASH}(?:share{_DASH}alike|SA\b)))?"
    r"(?P<after>.{0,60})",
    re.IGNORECASE | re.DOTALL,
)
_VERSION = re.compile(r"\b([1-4]\.[05])\b(?!\.?\d)")
_ZERO = re.compile(r"\bCC\s?-?0\b|creative commons (?:cc)?\s?zero|public domain dedication", re.IGNORECASE)
_CODE = re.compile(r"CC[ -](BY(?:[ -]NC)?(?:[ -](?:ND|SA))?)(?:[ -](\d\.\d))?", re.IGNORECASE)


def license_name(*, links: Iterable[str] = (), text: str = "", code: str = "") -> str:
    """Return the SPDX name of a licence, "" when nothing is stated.

    `links` are the addresses in the article's permissions, first in reading order; `text` is their prose, `code` is
    the bucket's `license_code`.
    """
    for link in [*links, text]:
        if found := _LINK.search(link):
            return _from_link(found)
    return _from_text(text) or _from_code(code)


def _from_link(found: re.Match[str]) -> str:
    if found["domain"]:
        return "CC0-1.0" if found["domain"].lower() == "zero" else "CC-PDM-1.0"
    terms = found["terms"].upper()
    terms = {"BY-ND-NC": "BY-NC-ND", "BY-SA-NC": "BY-NC-SA"}.get(terms, terms)
    version = found["version"] or ""
    if version and "." not in version:
        version += ".0"
    return "-".join(filter(None, ["CC", terms, version, "IGO" if found["igo"] else ""]))


def _from_text(text: str) -> str:
    found = _WORDS.search(text)
    if found is None:
        return "CC0-1.0" if _ZERO.search(text) else ""
    version = _VERSION.search(found["after"])
    terms = ["CC-BY", *(name for name in ("NC", "ND", "SA") if found[name.lower()])]
    return "-".join([*terms, *([version[1]] if version else [])])


def _from_code(code: str) -> str:
    code = " ".join(code.split())
    if code.upper() in ("CC0", "CC-0", "CC 0"):
        return "CC0-1.0"
    found = _CODE.fullmatch(code)
    if found is None:
        return code
    return "-".join(filter(None, ["CC", found[1].upper().replace(" ", "-"), found[2]]))
