"""Documents and early decisions: what one record becomes, by the fold, the drop rules and its rendered text.

`corpus.assemble.decide_batch` says it of whole batches, and asks here where columns do not tell.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from corpus.assemble.config import AssembleConfig
from corpus.assemble.rules import abstract_length, reason_to_drop, rule_columns, tagged
from corpus.assemble.updates import DROP_REASONS, OUTDATED, RevisionStatus
from corpus.dedup.notices import are_notices
from corpus.pile.pile_text import PileText
from corpus.reasons import DropReason
from corpus.records import Kind, Record, Source, doc_key, pmc_doc_id
from corpus.text.render import RENDERED, render_sections
from corpus.text.section_kinds import Section


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One document on its way to a corpus shard."""

    doc_id: str
    source: str  # pubmed or pmc
    kind: str
    text: str  # what a model reads, by the profile
    license: str
    year: int | None
    journal: str
    mesh: tuple[str, ...] = ()
    publication_types: tuple[str, ...] = ()
    jats_type: str = ""  # JATS's article-type, of an article: research-article, correction, …
    language: str = ""  # ISO 639-1, of the text; "" when it says too little to decide
    sections: tuple[Section, ...] = ()  # of a text with a body: what lies where, but for the title
    pmid: int | None
    pmcid: int | None
    doi: str | None
    retracted: bool
    doc_key: int
    row: int  # of the record in its part
    version: int
    manuscript: bool
    pmc_id_anywhere: bool
    id_conflict: str
    full_text: bool  # an article with a body
    abstract_length: int  # of its main abstract in a language asked for, in UTF-8 [bytes]
    notice: bool  # its text begins like one about another paper (`corpus.dedup.notices`)
    length: int  # of the text, in UTF-8 [bytes]


# What a corpus shard keeps of a document.
SHARD_COLUMNS = (
    *("doc_id", "source", "kind", "text", "license", "year", "journal", "mesh", "publication_types", "jats_type"),
    *("language", "sections", "pmid", "pmcid", "doi", "retracted"),
)


_RECORD: Final = Record.__struct_fields__
# What goes from a record into its document as it is: the document's column, and the record's.
_NAMED_ELSE: Final = {"jats_type": "article_type", "language": "text_language"}
CARRIED: Final = {
    field.name: name for field in fields(Document) if (name := _NAMED_ELSE.get(field.name, field.name)) in _RECORD
}


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlyDecision:
    """A record that never became a document."""

    row: int
    doc_id: str
    source: str
    kind: str
    reason: str
    survivor: str  # of an outdated record: the document id of the record that is alive; else ""


def unread_columns(config: AssembleConfig) -> tuple[str, ...]:
    """Return the columns of records that no rule, no renderer and no document reads: a fifth of reading citations.

    `decide` does without them: a record made from a batch has these fields unset.
    """
    read = {*CARRIED.values(), "body"}  # the body says whether a document is a full text
    if config.profile != "pile":  # its text and its reasons stand beside the records
        read |= {*RENDERED[config.profile], *rule_columns()}
    return tuple(name for name in _RECORD if name not in read)


def decide(
    record: Record, row: int, verdict: np.void, config: AssembleConfig, pile: PileText | None = None
) -> Document | EarlyDecision:
    """Return what one record becomes; row: its place in its part, verdict: of the fold, pile: of profile pile."""
    code = RevisionStatus(verdict["code"])
    reason: Any = DROP_REASONS.get(code)
    if reason is None:
        text, sections, reason = _text_of(record, config) if pile is None else (pile.text, (), pile.reason)
    if reason:
        return EarlyDecision(
            row=row,
            doc_id=record.doc_id,
            source=str(record.source),
            kind=str(record.kind),
            reason=str(reason),
            survivor=_live_id(record, int(verdict["live_version"])) if code in OUTDATED else "",
        )
    carried: dict[str, Any] = {name: getattr(record, column) for name, column in CARRIED.items()}
    carried |= {"source": str(record.source), "kind": str(record.kind)}
    return Document(
        **carried,
        text=text,
        sections=sections,
        doc_key=doc_key(record.doc_id),
        row=row,
        full_text=record.kind == Kind.ARTICLE and any(block.text for block in record.body),
        abstract_length=abstract_length(record, config) if pile is None else 0,
        notice=bool(are_notices(pa.array([text]))[0]),
        length=len(text.encode()),
    )


def _text_of(record: Record, config: AssembleConfig) -> tuple[str, tuple[Section, ...], DropReason | None]:
    """Return the text of a live record, its sections, and why it is dropped, None when it is kept."""
    text, sections = render_sections(
        record, config.profile, floats=config.floats, kept=config.kept_sections, without=config.without_sections
    )
    reason = reason_to_drop(record, text, config)
    if reason or not (more := len(tagged(record, text, config)) - len(text)):
        return text, sections, reason
    moved = tuple(replace(one, start=one.start + more, end=one.end + more) for one in sections)
    return tagged(record, text, config), moved, None


def _live_id(record: Record, live_version: int) -> str:
    """Return the id of the record that is alive for an outdated one: the versions of a citation share theirs."""
    if record.source != Source.PMC:
        return record.doc_id
    assert record.pmcid is not None, "an article has a PMC id"
    return pmc_doc_id(record.pmcid, live_version)
