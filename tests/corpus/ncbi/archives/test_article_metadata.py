"""The bucket's JSON: every field by NCBI's name, and nothing believed that is not there."""

import json

import pytest

from corpus.ncbi.archives.article_metadata import ArticleMetadata, read_metadata

FULL = {
    "pmcid": "PMC13901",
    "version": 2,
    "pmid": 11250746,
    "doi": "10.1186/BCR272",
    "title": "T",
    "citation": "J. 2001",
    "is_pmc_openaccess": True,
    "is_manuscript": False,
    "is_historical_ocr": True,
    "is_retracted": True,
    "license_code": "CC BY",
    "xml_url": "s3://pmc-oa-opendata/PMC13901.2/PMC13901.2.xml?md5=49A7a2c73f4b0f57768bd563552f6ab3",
}


def test_every_field() -> None:
    assert read_metadata(json.dumps(FULL).encode()) == ArticleMetadata(
        pmcid=13901,
        version=2,
        pmid=11250746,
        doi="10.1186/BCR272",
        title="T",
        citation="J. 2001",
        is_open_access=True,
        is_ocr=True,
        is_retracted=True,
        license_code="CC BY",
        has_xml=True,
        xml_md5="49a7a2c73f4b0f57768bd563552f6ab3",
    )


def test_what_is_not_stated_stays_open() -> None:
    assert read_metadata(b'{"pmcid": "PMC1", "pmid": null, "title": null}') == ArticleMetadata(pmcid=1)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b'{"pmcid": "X1"}', b'{"pmcid": "PMC1", "version": "new"}', b"\xff"]
)
def test_what_is_no_metadata_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_metadata(raw)
