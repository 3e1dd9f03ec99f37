"""Drop rules: why one record, seen alone, is no document of the corpus; a table, applied in its order.

A rule is one `DropRule` of `RULES`: its reason, the columns it reads, the exact test on a record, and, where most
records should be spared it, a generous one on a batch. The first rule that holds is the reason: what the record is
comes before what the user wants of it, so that a choice of policy does not change the counts of the rules above it.
Revisions, the join by id and the search for duplicates look at many records and live with them.

The licence of a PubMed citation: NLM puts PubMed out free of charge and claims nothing, but warns that publishers may.
A citation (or book) without a copyright line is kept under NLM's terms whatever licence is asked for; one with a line
is held to it, so "© 2019 Elsevier" is neither `open` nor `commercial`, and "… licensed under CC BY 4.0" is both.
A PMC article that states no licence allows nothing but `any`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import among, bools, equals, filled, list_fields, list_rows, numbers, rows_with
from corpus.arrays.types import Mask, Rows
from corpus.assemble.config import AssembleConfig
from corpus.licenses import allows, license_name
from corpus.reasons import DropReason
from corpus.records import MAIN, Kind, Record, Source
from corpus.text.abstracts import are_printed, printed_parts
from corpus.text.words import has_words

# PubMed's publication types and JATS's article types of pieces about another paper. A comment, letter or
# "Corrected and Republished Article" has a text of its own and is not among them.
NOTICE_PUBLICATION_TYPES = frozenset(
    {"Published Erratum", "Retraction of Publication", "Retraction Notice", "Expression of Concern"}
)
NOTICE_ARTICLE_TYPES = frozenset(
    {
        "addendum",
        "correction",
        "corrigendum",
        "erratum",
        "expression-of-concern",
        "partial-retraction",
        "removal",
        "retraction",
        "withdrawal",
    }
)
# NLM's own publication type, in the brackets that mark what is not the author's: a line of its own before the title,
# so that a model can be asked with or without it, and one search finds or removes it.
RETRACTED_TAG = "[Retracted Publication]"


def every_row(batch: pa.RecordBatch, config: AssembleConfig) -> Mask:
    """Say of every row that it may be dropped: slow, since each becomes a `Record`, and always right."""
    return np.ones(batch.num_rows, np.bool_)


@dataclass(frozen=True, kw_only=True)
class DropRule:
    """Drops records for one reason: `drops` decides, and the other fields only say which records it need not see."""

    reason: DropReason
    columns: tuple[str, ...]  # of `Record`: all that the tests read; a record on the way has no others
    drops: Callable[[Record, str, AssembleConfig], bool]  # of a record and its rendered text
    may_drop: Callable[[pa.RecordBatch, AssembleConfig], Mask] = every_row  # true wherever `drops` is, and elsewhere
    exact: bool = False  # `may_drop` is true nowhere else: its rows are dropped unseen
    safe_words: Callable[[AssembleConfig], int] | None = None  # a text of as many words is never dropped


def is_notice(record: Record) -> bool:
    """Say whether a record is by its type a notice about another paper."""
    return record.article_type in NOTICE_ARTICLE_TYPES or not NOTICE_PUBLICATION_TYPES.isdisjoint(
        record.publication_types
    )


def _are_notices(batch: pa.RecordBatch, config: AssembleConfig) -> Mask:
    types = batch.column("publication_types")
    noticed = rows_with(types, among(types.flatten(), sorted(NOTICE_PUBLICATION_TYPES)))
    return noticed | among(batch.column("article_type"), sorted(NOTICE_ARTICLE_TYPES))


def has_text(record: Record) -> bool:
    """Say whether a record has an abstract that is printed or a body; a title alone is no text."""
    return any(part.text for part in printed_parts(record.abstracts)) or any(block.text for block in record.body)


def have_body(batch: pa.RecordBatch) -> Mask:
    """Say of each record whether some block of its body has a text, bool[num_records]."""
    body = batch.column("body")
    return rows_with(body, filled(list_fields(body)["text"]))


def _have_no_text(batch: pa.RecordBatch, config: AssembleConfig) -> Mask:
    abstracts = batch.column("abstracts")
    parts = list_fields(abstracts)
    return ~(rows_with(abstracts, are_printed(abstracts) & filled(parts["text"])) | have_body(batch))


def abstract_length(record: Record, config: AssembleConfig) -> int:
    """Return how much main abstract a record has in a language asked for, in UTF-8 [bytes].

    A part that states no language is in that of the document.
    """
    parts = (part for part in record.abstracts if part.type == MAIN and _is_asked_for(part.language, config))
    return sum(len(part.text.encode()) for part in parts)


def abstract_lengths(batch: pa.RecordBatch, config: AssembleConfig) -> Rows:
    """Return `abstract_length` of each record, int64[num_records]."""
    abstracts = batch.column("abstracts")
    parts = list_fields(abstracts)
    codes = parts["language"].unique().to_pylist()
    counted = equals(parts["type"], MAIN) & among(
        parts["language"], [code for code in codes if _is_asked_for(code, config)]
    )
    lengths = np.where(counted, numbers(pc.binary_length(parts["text"])), 0)
    return np.bincount(list_rows(abstracts), lengths, minlength=len(abstracts)).astype(np.int64)


def _is_asked_for(code: str, config: AssembleConfig) -> bool:
    """Say whether a language tag of a source (en, en-US, eng) is none, or of a language asked for."""
    return not (code and config.languages) or code[:2].lower() in config.languages


def may_be_used(record: Record, config: AssembleConfig) -> bool:
    """Say whether a record's licence, or a citation's copyright line, allows the use asked for."""
    if record.source is not Source.PUBMED or record.license:
        return allows(record.license, config.license)
    return not record.copyright or allows(license_name(text=record.copyright), config.license)


def _may_be_unusable(batch: pa.RecordBatch, config: AssembleConfig) -> Mask:
    free = equals(batch.column("source"), Source.PUBMED) & equals(batch.column("license"), "")
    return ~(free & equals(batch.column("copyright"), "")) & (config.license != "any")


RULES: Final[tuple[DropRule, ...]] = (
    DropRule(
        reason=DropReason.DELETION_NOTICE,
        columns=("kind",),
        drops=lambda record, text, config: record.kind is Kind.DELETION,
        may_drop=lambda batch, config: equals(batch.column("kind"), Kind.DELETION),
    ),
    DropRule(
        reason=DropReason.NOTICE,  # with more words it carries the corrected article itself
        columns=("article_type", "publication_types"),
        drops=lambda record, text, config: is_notice(record) and not has_words(text, config.notice_words),
        may_drop=_are_notices,
    ),
    DropRule(
        reason=DropReason.NO_TEXT,
        columns=("abstracts", "body"),
        drops=lambda record, text, config: not has_text(record),
        may_drop=_have_no_text,
        exact=True,
    ),
    DropRule(
        reason=DropReason.TOO_SHORT,
        columns=(),
        drops=lambda record, text, config: not has_words(text, config.min_words),
        safe_words=lambda config: config.min_words,
    ),
    DropRule(
        reason=DropReason.RETRACTED,
        columns=("retracted",),
        drops=lambda record, text, config: record.retracted and config.retracted == "drop",
        may_drop=lambda batch, config: bools(batch.column("retracted")) & (config.retracted == "drop"),
    ),
    DropRule(
        reason=DropReason.OCR,
        columns=("ocr",),
        drops=lambda record, text, config: record.ocr and config.ocr == "drop",
        may_drop=lambda batch, config: bools(batch.column("ocr")) & (config.ocr == "drop"),
    ),
    DropRule(
        reason=DropReason.SUB_ARTICLE,
        columns=("kind",),
        drops=lambda record, text, config: record.kind is Kind.SUB_ARTICLE and config.sub_articles == "drop",
        may_drop=lambda batch, config: equals(batch.column("kind"), Kind.SUB_ARTICLE) & (config.sub_articles == "drop"),
    ),
    DropRule(
        reason=DropReason.LICENSE,
        columns=("source", "license", "copyright"),
        drops=lambda record, text, config: not may_be_used(record, config),
        may_drop=_may_be_unusable,
    ),
    DropRule(
        reason=DropReason.LANGUAGE,
        columns=("text_language",),
        drops=lambda record, text, config: (
            bool(config.languages) and record.text_language not in ("", *config.languages)
        ),
        may_drop=lambda batch, config: (
            ~among(batch.column("text_language"), ["", *config.languages]) & bool(config.languages)
        ),
    ),
)


def reason_to_drop(record: Record, text: str, config: AssembleConfig) -> DropReason | None:
    """Return why a record with this rendered text has no place in the corpus, None when it has one."""
    return next((rule.reason for rule in RULES if rule.drops(record, text, config)), None)


def rule_columns() -> frozenset[str]:
    """Return the columns of records that some rule reads."""
    return frozenset(name for rule in RULES for name in rule.columns)


@dataclass(frozen=True, kw_only=True, slots=True)
class Screened:
    """What the batch tests of all rules say of the records asked about."""

    passed: Mask  # [num_records]: with `safe_words` words or more no rule drops it
    safe_words: int
    dropped: tuple[tuple[DropReason, Mask], ...]  # those that are dropped whatever their text, by the reason


def screen(batch: pa.RecordBatch, asked: Mask, config: AssembleConfig) -> Screened:
    """Return what is known of some records of a batch, bool[num_records], before any becomes a `Record`."""
    passed, untouched, safe_words = asked.copy(), asked.copy(), 0
    dropped = []
    for rule in RULES:
        may = rule.may_drop(batch, config)
        if rule.exact:
            dropped.append((rule.reason, untouched & may))
        untouched &= ~may
        if rule.safe_words is None:
            passed &= ~may
        else:
            safe_words = max(safe_words, rule.safe_words(config))
    return Screened(passed=passed, safe_words=safe_words, dropped=tuple(dropped))


def tagged(record: Record, text: str, config: AssembleConfig) -> str:
    """Return the text of a kept record, begun with `RETRACTED_TAG` when it is retracted and tags are asked for."""
    return f"{RETRACTED_TAG}\n\n{text}" if record.retracted and config.retracted == "tag" else text


def are_tagged(batch: pa.RecordBatch, config: AssembleConfig) -> Mask:
    """Say of which records, bool[num_records], `tagged` changes the text."""
    return bools(batch.column("retracted")) & (config.retracted == "tag")
