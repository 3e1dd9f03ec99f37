"""Article metadata: the JSON that PMC's bucket keeps beside every version of an article, read and checked.

Bytes of `PMC13901.1.json` come in, an `ArticleMetadata` goes out. The field names are NCBI's (README of
s3://pmc-oa-opendata). The file's URLs carry the MD5 of what they point at, which is how an article that was
cut off on its way is found.
"""

import re
from dataclasses import dataclass
from typing import Any

from corpus.storage.json_files import parse_json

_PMCID = re.compile(r"(?:PMC)?(\d+)")
_MD5 = re.compile(r"[?&]md5=([0-9a-fA-F]{32})")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArticleMetadata:
    """What the bucket says about one article version; None or "" where it says nothing."""

    pmcid: int
    version: int = 1
    pmid: int | None = None
    doi: str | None = None
    title: str = ""
    citation: str = ""
    is_open_access: bool = False
    is_manuscript: bool = False
    is_ocr: bool = False
    is_retracted: bool = False
    license_code: str = ""  # "CC BY", "CC0", …, or "TDM" for author manuscripts
    has_xml: bool = False
    xml_md5: str = ""  # of the XML file's bytes as they lie in the bucket


def read_metadata(raw: bytes) -> ArticleMetadata:
    """Return the metadata of one article version.

    Raises ValueError for what is no JSON object or names no PMC id.
    """
    content = parse_json(raw)
    if not isinstance(content, dict):
        raise ValueError("metadata: expected a JSON object")
    pmcid = _PMCID.fullmatch(str(content.get("pmcid") or "").strip())
    if pmcid is None:
        raise ValueError(f"metadata: pmcid is {content.get('pmcid')!r}, expected PMC<digits>")
    md5 = _MD5.search(str(content.get("xml_url") or ""))
    return ArticleMetadata(
        pmcid=int(pmcid[1]),
        version=_number(content, "version") or 1,
        pmid=_number(content, "pmid"),
        doi=str(content["doi"]) if content.get("doi") else None,
        title=str(content.get("title") or ""),
        citation=str(content.get("citation") or ""),
        is_open_access=_flag(content, "is_pmc_openaccess"),
        is_manuscript=_flag(content, "is_manuscript"),
        is_ocr=_flag(content, "is_historical_ocr"),
        is_retracted=_flag(content, "is_retracted"),
        license_code=str(content.get("license_code") or ""),
        has_xml=bool(content.get("xml_url")),
        xml_md5=md5[1].lower() if md5 else "",
    )


def _number(content: dict[str, Any], name: str) -> int | None:
    value = str(content.get(name) or "").strip()
    if value and not (value.isascii() and value.isdecimal()):
        raise ValueError(f"metadata: {name} is {value[:40]!r}, expected digits")
    return int(value) if value else None


def _flag(content: dict[str, Any], name: str) -> bool:
    """Return a flag written as true, "true" or "yes"."""
    return str(content.get(name) or "").lower() in ("true", "yes", "1")
