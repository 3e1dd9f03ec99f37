"""Licences by their SPDX name, from the article's own statement, else from the bucket's code; and what they allow.

The links and the text of an article's `<permissions>` and the JSON's `license_code` come in; one name goes out:
`CC-BY-4.0`, `CC0-1.0`, `CC-BY-NC-ND-3.0-IGO`, … A link decides first (the link is what readers follow), then the text,
then PMC's code; but where a statement contradicts itself, the words that forbid commercial use decide: of 2,399 real
articles 33 link to CC BY under such words, and only the stricter reading wrongs nobody. Where no version is stated
the name has none (`CC-BY`): PMC's codes never state one. A ported licence (`by/2.0/uk`) gets the name of its
unported version; only the ports for intergovernmental organisations (`igo`) keep theirs. Public domain without a
Creative Commons mark is `LicenseRef-public-domain`. `TDM` (text mining of author manuscripts) is PMC's own word and
stays. "Open access" alone names no terms and so no licence. Names: spdx.org/licenses.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

PUBLIC_DOMAIN = "LicenseRef-public-domain"
Use = Literal["commercial", "open", "any"]

# A first letter with its case written out is looked for several times faster than one that ignores case.
_LINK = re.compile(
    r"(?-i:[Cc])reativecommons\.org/(?:licen[cs]es/(?P<terms>by(?:-nc)?(?:-nd|-sa)?|by-(?:nd|sa)-nc)(?:/(?P<version>\d(?:\.\d)?))?"
    r"(?P<igo>/igo)?|publicdomain/(?P<domain>zero|mark)|licen[cs]es/(?P<declared>publicdomain))(?![\w-])",
    re.IGNORECASE,
)
_DASH = r"[\s\-‐‑–—]*"
_WORDS = re.compile(
    rf"(?-i:[Cc])(?:reative\s+commons,?\s+(?:deed,\s+)?|(?<=\b[Cc])C{_DASH})(?:attribution|BY)\b"
    rf"(?P<nc>{_DASH}(?:non{_DASH}commercial|NC\b))?"
    rf"(?:(?P<nd>{_DASH}(?:no{_DASH}deriv\w*(?:\s+works)?|ND\b))|(?P<sa>{_DASH}(?:share{_DASH}alike|SA\b)))?"
    r"(?=(?P<after>.{0,60}))",
    re.IGNORECASE | re.DOTALL,
)
_VERSION = re.compile(r"\b([1-4]\.[05])\b(?!\.?\d)")
_FORBIDS = re.compile(r"not permit commercial", re.IGNORECASE)  # Wiley's "Deed, Attribution 2.5, which does not …"
_ZERO = re.compile(r"\bCC\s?-?0\b|creative commons (?:cc)?\s?zero|public domain dedication", re.IGNORECASE)
_DECLARED = re.compile(r"creative commons public domain declaration", re.IGNORECASE)
_PUBLIC_DOMAIN = re.compile(r"(?<!\bnot )\bin the public domain\b|\bpublic domain work\b", re.IGNORECASE)
_NAME = re.compile(r"CC-(?P<terms>BY(?:-NC)?(?:-ND|-SA)?)-(?P<version>\d\.\d)(?P<igo>-IGO)?")
_MARKS = {
    "CC0-1.0": "publicdomain/zero/1.0",
    "CC-PDM-1.0": "publicdomain/mark/1.0",
    "CC-PDDC": "licenses/publicdomain",
}
_CODE = re.compile(r"CC[ -](BY(?:[ -]NC)?(?:[ -](?:ND|SA))?)(?:[ -](\d\.\d))?", re.IGNORECASE)


def license_name(*, links: Iterable[str] = (), text: str = "", code: str = "") -> str:
    """Return the SPDX name of a licence, "" when nothing is stated.

    `links` are the addresses in the article's permissions, first in reading order; `text` is their prose, `code` is
    the bucket's `license_code`.
    """
    names = list(_stated(links, text))
    return next((name for name in names if "-NC" in name), names[0] if names else _from_code(code))


def license_address(name: str) -> str:
    """Return where the terms of a licence stand, by its SPDX name; "" where the name alone does not say it."""
    if name in _MARKS:
        return f"https://creativecommons.org/{_MARKS[name]}/"
    found = _NAME.fullmatch(name)
    if found is None:
        return ""
    port = "igo/" if found["igo"] else ""
    return f"https://creativecommons.org/licenses/{found['terms'].lower()}/{found['version']}/{port}"


def allows(name: str, use: Use) -> bool:
    """Say whether a licence of this name allows a use; no name and `TDM` allow only `any`.

    `commercial`: CC0, public domain, CC BY, BY-SA and BY-ND, as PMC groups them. (ND forbids sharing adaptations,
    and whether a training corpus is one is a question for lawyers.) `open`: these and the CC BY-NC licences.
    """
    if use == "any":
        return True
    if name.startswith(("CC0", "CC-PD", PUBLIC_DOMAIN)):
        return True
    return name.startswith("CC-BY") and (use == "open" or "-NC" not in name)


def _stated(links: Iterable[str], text: str) -> Iterator[str]:
    """Yield the names that a statement gives: of its links, of addresses in its prose, of the prose itself."""
    for link in links:
        yield from _from_address(link)
    yield from map(_from_link, _LINK.finditer(text))
    if name := _from_text(text):
        yield name


@lru_cache(maxsize=1 << 12)
def _from_address(link: str) -> tuple[str, ...]:
    """Return the names that one address gives; a few addresses stand in most articles."""
    return tuple(map(_from_link, _LINK.finditer(link)))


def _from_link(found: re.Match[str]) -> str:
    if found["declared"]:
        return "CC-PDDC"
    if found["domain"]:
        return "CC0-1.0" if found["domain"].lower() == "zero" else "CC-PDM-1.0"
    terms = found["terms"].upper()
    terms = {"BY-ND-NC": "BY-NC-ND", "BY-SA-NC": "BY-NC-SA"}.get(terms, terms)
    version = found["version"] or ""
    if version and "." not in version:
        version += ".0"
    return "-".join(filter(None, ["CC", terms, version, "IGO" if found["igo"] else ""]))


def _from_text(text: str) -> str:
    found = [_from_words(match) for match in _WORDS.finditer(text)]
    if found:
        return next((name for name in found if "-NC" in name), found[0])
    for pattern, name in ((_ZERO, "CC0-1.0"), (_DECLARED, "CC-PDDC"), (_PUBLIC_DOMAIN, PUBLIC_DOMAIN)):
        if pattern.search(text):
            return name
    return ""


def _from_words(found: re.Match[str]) -> str:
    version = _VERSION.search(found["after"])
    stated = {name for name in ("NC", "ND", "SA") if found[name.lower()]}
    if _FORBIDS.search(found["after"]):
        stated.add("NC")
    terms = ["CC-BY", *(name for name in ("NC", "ND", "SA") if name in stated)]
    return "-".join([*terms, *([version[1]] if version else [])])


def _from_code(code: str) -> str:
    code = " ".join(code.split())
    if code.upper() in ("CC0", "CC-0", "CC 0"):
        return "CC0-1.0"
    found = _CODE.fullmatch(code)
    if found is None:
        return code
    return "-".join(filter(None, ["CC", found[1].upper().replace(" ", "-"), found[2]]))
