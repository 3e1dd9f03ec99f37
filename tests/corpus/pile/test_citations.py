"""The Pile's reading of citations: its faults one by one, and equality with its own engine, BeautifulSoup."""

import gzip
import random
import re
import warnings
from collections import Counter
from pathlib import Path

import pytest

from corpus.pile.citations import pile_citation
from corpus.pile.pile_text import PileText
from corpus.reasons import PileDrop

RECORD = re.compile(rb"<PubmedArticle[ >].*?</PubmedArticle>", re.DOTALL)
SAMPLED = 1500  # of the 30,000 citations of the baseline file; all of the other files


def citation(inside: str, *, title: str = "<ArticleTitle>T</ArticleTitle>", data: str = "") -> bytes:
    return (
        f"<PubmedArticle><MedlineCitation><PMID>7</PMID><Article>{title}{inside}</Article></MedlineCitation>"
        f"<PubmedData>{data}</PubmedData></PubmedArticle>"
    ).encode()


@pytest.mark.parametrize(
    ("raw", "text", "drop"),
    [
        (citation("<Abstract><AbstractText>A <i>b</i> 10<sup>5</sup></AbstractText></Abstract>"), "T\nA b 105", ""),
        # Labels are lost, and parts without white space between them are glued.
        (
            citation('<Abstract><AbstractText Label="X">a</AbstractText><AbstractText>b</AbstractText></Abstract>'),
            "T\nab",
            "",
        ),
        (
            citation(
                "<Abstract><AbstractText>a</AbstractText><CopyrightInformation>c</CopyrightInformation></Abstract>"
            ),
            "T\na",
            "",
        ),
        (citation(""), "", PileDrop.NO_ABSTRACT),
        (citation("<Abstract>a</Abstract>", title=""), "", PileDrop.NO_TITLE),
        (citation("<Abstract>a</Abstract>").replace(b"PMID", b"X"), "", PileDrop.NO_PMID),
        # The PMC id of a paper that is only cited drops the record too.
        (
            citation(
                "<Abstract>a</Abstract>",
                data='<ReferenceList><Reference><ArticleIdList><ArticleId IdType="pmc">PMC1</ArticleId></ArticleIdList>'
                "</Reference></ReferenceList>",
            ),
            "T\na",
            PileDrop.PMC_OVERLAP,
        ),
        (b"<PubmedBookArticle/>", "", PileDrop.BOOK),
    ],
)
def test_rules_and_faults(raw: bytes, text: str, drop: str) -> None:
    assert pile_citation(raw) == PileText(text=text, reason=drop)


def engine(raw: bytes) -> PileText:
    """Return what the script's own engine makes of a record: XML read as HTML by BeautifulSoup."""
    bs4 = pytest.importorskip("bs4")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs4.XMLParsedAsHTMLWarning)
        soup = bs4.BeautifulSoup(raw.decode(), "lxml")
    found = [soup.find(name) for name in ("abstract", "articletitle", "pmid")]
    for tag, reason in zip(found, (PileDrop.NO_ABSTRACT, PileDrop.NO_TITLE, PileDrop.NO_PMID), strict=True):
        if tag is None:
            return PileText(reason=reason)
    for tag in soup.find_all("copyrightinformation"):
        tag.extract()
    abstract, title = (" ".join(tag.get_text().split()) for tag in found[:2])
    overlap = soup.find("articleid", attrs={"idtype": "pmc"}) is not None
    return PileText(text=f"{title}\n{abstract}", reason=PileDrop.PMC_OVERLAP if overlap else "")


@pytest.mark.real_data
@pytest.mark.slow
def test_real_citations_equal_those_of_the_scripts_engine(real_data: Path) -> None:
    counts: Counter[str] = Counter()
    for path in sorted((real_data / "pubmed").rglob("*.xml.gz")):
        records = RECORD.findall(gzip.decompress(path.read_bytes()))
        for raw in random.Random(0).sample(records, SAMPLED) if len(records) > SAMPLED else records:
            made = pile_citation(raw)
            assert made == engine(raw)
            counts[made.reason or "kept"] += 1
    print(dict(counts))
    assert counts["kept"] > 500
    assert counts[PileDrop.NO_ABSTRACT] > 500
    assert counts[PileDrop.PMC_OVERLAP] > 100
