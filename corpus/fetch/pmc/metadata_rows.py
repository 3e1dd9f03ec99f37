"""Metadata of a candidate, as the bucket's JSON says it: fetched, checked, and kept, so that filters cost no article.

The row of one article version is a `Detail`; a Parquet part holds those of a range of PMC ids, with the JSON as it
came. A row with a `problem` stands for an article that the source lists and does not give.
"""

import hashlib
import re
from dataclasses import dataclass

from corpus.fetch.config import FetchPmcConfig, span_of
from corpus.fetch.http.client import Answer, Fault
from corpus.fetch.pmc.inventory_rows import etag_bytes, is_md5
from corpus.licenses import allows, license_name
from corpus.ncbi.archives.article_metadata import ArticleMetadata, read_metadata
from corpus.ncbi.archives.article_store import article_name
from corpus.reasons import FetchDrop

JSON_CAP = 10_000_000
_AFTER_JOURNAL = re.compile(r"[.;]\s+((?:1[5-9]|20)\d\d)(?!\d)")
_YEAR = re.compile(r"(?<!\d)((?:1[5-9]|20)\d\d)(?!\d)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Detail:
    """One article version: what it is, and the JSON that says so."""

    pmcid: int  # without the letters PMC
    version: int  # of the article, from 1
    etag: str  # of the JSON as fetched
    pmid: int | None = None  # as the bucket says
    doi: str | None = None  # as the bucket says
    license: str = ""  # SPDX name; "" when not stated
    year: int | None = None  # of publication
    is_open_access: bool = False  # in PMC's open-access subset
    is_manuscript: bool = False  # an author manuscript
    is_ocr: bool = False  # text from page scans
    is_retracted: bool = False  # as the bucket says
    xml_md5: str = ""  # as the JSON states it, hexadecimal
    problem: str = ""  # why it cannot be fetched (gone, bad_metadata, unverified, no_xml); "" when it can
    json: bytes = b""  # the JSON as it came

    @property
    def name(self) -> str:
        """The article's name in the bucket, `PMC13901.1`."""
        return article_name(self.pmcid, self.version)


def json_key(pmcid: int, version: int) -> str:
    """Return the key of an article version's metadata."""
    return f"metadata/{article_name(pmcid, version)}.json"


def xml_key(pmcid: int, version: int) -> str:
    """Return the key of an article version's XML."""
    name = article_name(pmcid, version)
    return f"{name}/{name}.xml"


def verified_etag(answer: Answer, listed: bytes | None) -> str:
    """Return the ETag of a JSON whose bytes are proven by it; `listed` is the inventory's, None when unknown.

    An object that changed since the inventory is proven by the server's own ETag. Raises Fault when neither fits.
    """
    digest = hashlib.md5(answer.body, usedforsecurity=False).hexdigest()
    if digest == answer.etag or (listed is not None and bytes.fromhex(digest) == listed):
        return digest
    # Under KMS encryption, and for uploads in parts, an ETag is no MD5; then it must be the one listed.
    opaque = not is_md5(answer.etag) or answer.headers.get("x-amz-server-side-encryption") == "aws:kms"
    if opaque and answer.etag and listed == etag_bytes(answer.etag) and "content-length" in answer.headers:
        return answer.etag
    raise Fault("unverified", f"its MD5 {digest} is neither the ETag listed nor the one sent ({answer.etag or 'none'})")


def read_detail(pmcid: int, version: int, etag: str, raw: bytes) -> Detail:
    """Return the row of a verified JSON; what it says of another article, or not at all, is a problem of the row."""
    try:
        facts = read_metadata(raw)
        (facts.doi or "").encode()
    except (ValueError, RecursionError):
        return Detail(pmcid=pmcid, version=version, etag=etag, problem=FetchDrop.BAD_METADATA, json=raw)
    return _row(pmcid, version, etag, raw, facts)


def _row(pmcid: int, version: int, etag: str, raw: bytes, facts: ArticleMetadata) -> Detail:
    problem: str = ""
    if (facts.pmcid, facts.version) != (pmcid, version):
        problem = FetchDrop.BAD_METADATA
    elif not facts.has_xml:
        problem = FetchDrop.NO_XML
    return Detail(
        pmcid=pmcid,
        version=version,
        etag=etag,
        pmid=facts.pmid if facts.pmid is not None and facts.pmid < 10**15 else None,
        doi=facts.doi,
        license=license_name(code=facts.license_code),
        year=year_of(facts.citation),
        is_open_access=facts.is_open_access,
        is_manuscript=facts.is_manuscript,
        is_ocr=facts.is_ocr,
        is_retracted=facts.is_retracted,
        xml_md5=facts.xml_md5,
        problem=problem,
        json=raw,
    )


def year_of(citation: str) -> int | None:
    """Return the year of a citation (`PLoS One. 2018 Feb; 13(2):e1`): the one after the journal, else the first."""
    found = _AFTER_JOURNAL.search(citation) or _YEAR.search(citation)
    return int(found[1]) if found else None


def kind_of(detail: Detail) -> str:
    """Return what sort of article the bucket says it is: manuscript, ocr (page scans) or published."""
    return "ocr" if detail.is_ocr else "manuscript" if detail.is_manuscript else "published"


def verdict(detail: Detail, config: FetchPmcConfig) -> str:
    """Return why an article is not fetched, "" when it is."""
    if detail.problem:
        return detail.problem
    if not allows(detail.license, config.license):
        return FetchDrop.LICENSE
    if config.article_types and kind_of(detail) not in config.article_types:
        return FetchDrop.ARTICLE_TYPE
    if config.years is not None:
        first, last = span_of(config.years)
        if detail.year is None or not first <= detail.year <= last:
            return FetchDrop.YEAR
    return ""
