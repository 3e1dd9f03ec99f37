"""What The Pile keeps, for `assemble --profile pile`, and how a record gets its text for it.

The scripts' own drop rules alone decide: no quality rule, no join by id, no removal of duplicates. One difference is
left: the scripts read a yearly baseline, in which a PMID stands once; here updates are applied, and the newest
record of a document stands for it.
"""

import dataclasses

from corpus.ncbi.markup.parse import BadXmlError
from corpus.pile.articles import pile_article
from corpus.pile.citations import pile_citation
from corpus.pile.pile_text import PileText
from corpus.reasons import PileDrop
from corpus.records import Kind, Record, Reject


def with_pile(records: list[Record | Reject], raw: bytes) -> list[Record | Reject]:
    """Return what one piece of XML became with the text for The Pile filled in; its bytes are `raw`."""
    return [_filled(item, raw) if isinstance(item, Record) else item for item in records]


def _filled(record: Record, raw: bytes) -> Record:
    made = _text_of(record.kind, raw)
    return dataclasses.replace(record, pile=made.text, pile_drop=str(made.drop))


def _text_of(kind: Kind, raw: bytes) -> PileText:
    if kind is Kind.ARTICLE:
        return pile_article(raw)
    if kind is Kind.CITATION:
        try:
            return pile_citation(raw)
        except BadXmlError:  # such as a prefix that is declared at the top of the set
            return PileText(drop=PileDrop.UNREADABLE)
    return PileText(drop=_NO_DOCUMENT[kind])


_NO_DOCUMENT = {Kind.BOOK: PileDrop.BOOK, Kind.SUB_ARTICLE: PileDrop.SUB_ARTICLE, Kind.DELETION: PileDrop.DELETION}


def reason_to_drop(record: Record) -> PileDrop | None:
    """Return why The Pile leaves a record out, None when it keeps it."""
    return PileDrop(record.pile_drop) if record.pile_drop else None
