"""The Pile's side table: a row of text for every record that `extract --pile` reads, for `assemble --profile pile`.

The scripts' own drop rules alone decide: no quality rule, no join by id, no removal of duplicates. One difference is
left: the scripts read a yearly baseline, in which a PMID stands once; here updates are applied, and the newest
record of a document stands for it.
"""

from dataclasses import dataclass

from corpus.ncbi.markup.parse import BadXmlError
from corpus.pile.articles import pile_article
from corpus.pile.citations import pile_citation
from corpus.pile.pile_text import PileText
from corpus.reasons import PileDrop
from corpus.records import Kind, Record


@dataclass(frozen=True, kw_only=True, slots=True)
class PileRow:
    """One row of `pile/<stem>.parquet`: the text of the same row of `records/<stem>.parquet`."""

    doc_id: str  # of the record
    text: str  # what The Pile's scripts make of the XML
    reason: str  # why they leave the record out, a word of `PileDrop`; "" when they keep it


def pile_row(record: Record, xml: bytes) -> PileRow:
    """Return the row of a record that was read from some XML: that of its citation, or of its whole article."""
    made = _text_of(record.kind, xml)
    return PileRow(doc_id=record.doc_id, text=made.text, reason=str(made.reason))


def _text_of(kind: Kind, xml: bytes) -> PileText:
    if kind is Kind.ARTICLE:
        return pile_article(xml)
    if kind is Kind.CITATION:
        try:
            return pile_citation(xml)
        except BadXmlError:  # such as a prefix that is declared at the top of the set
            return PileText(reason=PileDrop.UNREADABLE)
    return PileText(reason=_NO_DOCUMENT[kind])


_NO_DOCUMENT = {Kind.BOOK: PileDrop.BOOK, Kind.SUB_ARTICLE: PileDrop.SUB_ARTICLE, Kind.DELETION: PileDrop.DELETION}
