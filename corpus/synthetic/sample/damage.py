"""Damaged input: pieces of PubMed and PMC files that must become rejects, one reason each or one of a few."""

from dataclasses import dataclass
from random import Random

from corpus.reasons import RejectReason
from corpus.synthetic.sample import compose
from corpus.synthetic.sample.jats import jats_xml
from corpus.synthetic.sample.pubmed import pubmed_xml

NUM_SOUND = 6  # citations of the damaged PubMed file that are whole
_FIRST_PMID, _FIRST_PMCID = 95_000_001, 95_000_001


@dataclass(frozen=True, kw_only=True, slots=True)
class Damaged:
    """A damaged piece: the PMID it states, or the name of the article's folder, and the reasons that are right."""

    name: str
    raw: bytes
    reasons: tuple[str, ...]


def _record(pmid: str, title: str) -> bytes:
    return (
        f'<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM">{pmid}<Article PubModel="Print">'
        f"<Journal><Title>Damaged</Title></Journal><ArticleTitle>{title}</ArticleTitle><Language>eng</Language>"
        "</Article></MedlineCitation></PubmedArticle>\n"
    ).encode()


def _pmid(number: int) -> str:
    return f'<PMID Version="1">{number}</PMID>'


PUBMED = (
    Damaged(name="95000101", raw=_record(_pmid(95_000_101), "An <i>open mark."), reasons=(RejectReason.BAD_XML,)),
    Damaged(
        name="95000102",
        raw=_record(_pmid(95_000_102), "A name &nbsp; that is not XML's."),
        reasons=(RejectReason.BAD_XML,),
    ),
    Damaged(
        name="95000103", raw=_record(_pmid(95_000_103), "A control \x0b character."), reasons=(RejectReason.BAD_XML,)
    ),
    Damaged(
        name="", raw=_record("", "A record without its number."), reasons=(RejectReason.NO_ID, RejectReason.BAD_RECORD)
    ),
)


def _article(number: int) -> bytes:
    return jats_xml(compose.article(Random(f"damaged/{number}"), _FIRST_PMCID + number))


def _entities(raw: bytes) -> bytes:
    """Return an article whose document type declares an entity of its own."""
    at = raw.index(b">", raw.index(b"<!DOCTYPE"))
    return raw[:at] + b' [<!ENTITY drug "aspirin">]' + raw[at:]


PMC = (
    Damaged(name="PMC95000001.1", raw=_article(0)[:20_000], reasons=(RejectReason.BAD_XML,)),
    Damaged(
        name="PMC95000002.1",
        raw=b"<!DOCTYPE html><html><head><title>503</title></head><body>Service unavailable</body></html>",
        reasons=(RejectReason.BAD_ROOT,),
    ),
    Damaged(name="PMC95000003.1", raw=_entities(_article(2)), reasons=(RejectReason.ENTITY_DECLARATION,)),
    Damaged(name="PMC95000004.1", raw=b"", reasons=(RejectReason.BAD_XML, RejectReason.BAD_FILE)),
)


def pubmed_file() -> bytes:
    """Return a PubMed file of sound citations with damaged ones behind them."""
    sound = [compose.citation(Random(f"sound/{number}"), _FIRST_PMID + number) for number in range(NUM_SOUND)]
    return pubmed_xml(sound, raw=[one.raw.decode() for one in PUBMED])
