"""Identifiers as NCBI's files write them, made comparable: the id join rests on these functions.

A DOI, PMID or PMC id in any of the usual spellings comes in; one spelling, or None, goes out.
"""

import re

_RESOLVER = re.compile(r"(?:https?://)?(?:dx\.|www\.)?doi\.org/|doi\s*:\s*|info:doi/", re.IGNORECASE)
_DOI = re.compile(r"10\.\d{3,9}(?:\.\d+)*/\S+")
_MAX_DIGITS = 15  # far above any id of NCBI, and safely below the 60 bits of a document key
_PMCID = re.compile(r"(?:PMC)?\s*(\d{1,10})(?:\.\d+)?", re.IGNORECASE)


def normalize_doi(text: str | None) -> str | None:
    """Return a DOI in lower case without resolver prefix or closing punctuation, None for what is no DOI.

    DOIs are case-insensitive; `https://doi.org/10.1000/ABC.` and `doi:10.1000/abc` are the same one.
    """
    if not text:
        return None
    core = text.strip()
    while prefix := _RESOLVER.match(core):
        core = core[prefix.end() :]
    core = core.rstrip(".,;").lower()
    return core if _DOI.fullmatch(core) else None


def parse_pmcid(text: str | None) -> int | None:
    """Return the number of a PMC id (`PMC123`, `123`, `PMC123.1`), None for what is none."""
    found = _PMCID.fullmatch(text.strip()) if text else None
    return int(found[1]) if found else None


def parse_number(text: str | None) -> int | None:
    """Return a PMID or version as a number, None for what is none."""
    digits = text.strip() if text else ""
    valid = digits.isdecimal() and digits.isascii() and len(digits) <= _MAX_DIGITS
    return int(digits) or None if valid else None  # nothing is numbered 0
