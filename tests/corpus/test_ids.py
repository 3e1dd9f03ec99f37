"""Identifiers in every spelling that NCBI's files use."""

import pytest

from corpus.ids import normalize_doi, parse_pmcid


@pytest.mark.parametrize(
    "text",
    [
        "10.1000/ABC",
        " 10.1000/abc. ",
        "doi:10.1000/abc",
        "DOI: 10.1000/abc",
        "https://doi.org/10.1000/abc",
        "http://dx.doi.org/10.1000/Abc",
        "doi.org/10.1000/abc;",
        "https://doi.org/doi:10.1000/abc",
    ],
)
def test_one_doi_in_many_spellings(text: str) -> None:
    assert normalize_doi(text) == "10.1000/abc"


def test_dois_keep_their_odd_characters() -> None:
    sici = "10.1002/(SICI)1097-0134(19980101)30:1<1::AID-PROT1>3.0.CO;2-A"
    assert normalize_doi(sici) == sici.lower()


@pytest.mark.parametrize(
    "text", [None, "", "none", "10.1000", "10.1000/", "11.1000/abc", "10.1000/a b", "S0140-6736(05)"]
)
def test_what_is_no_doi(text: str | None) -> None:
    assert normalize_doi(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("PMC123", 123),
        ("pmc123", 123),
        ("123", 123),
        ("PMC123.2", 123),
        (" PMC123\n", 123),
        ("NIHMS123", None),
        ("PMC", None),
        ("", None),
        (None, None),
    ],
)
def test_pmcids(text: str | None, number: int | None) -> None:
    assert parse_pmcid(text) == number
