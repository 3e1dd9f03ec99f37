"""Why a document is not in the corpus: the words for it, and the rules that need one record alone.

`DropReason` is the whole vocabulary of the assemble stage: every record is kept, or dropped and counted under one of
these. `reason_to_drop` applies the rules that look at one record, in the order of `_RULES`, and the first that holds is
the reason: what the record is comes before what the user wants of it, so that a choice of policy does not
change the counts of the rules above it. State, id join and dedup look at many records and live with them.

The licence of a PubMed citation: NLM puts PubMed out free of charge and claims nothing, but warns that publishers may.
A citation (or book) without a copyright line is kept under NLM's terms whatever licence is asked for; one with a line
is held to it, so "© 2019 Elsevier" is neither `open` nor `commercial`, and "… licensed under CC BY 4.0" is both.
A PMC article that states no licence allows nothing but `any`.
"""

from collections.abc import Callable

from corpus.assemble.config import AssembleConfig
from corpus.licenses import allows, license_name
from corpus.reasons import DropReason
from corpus.records import Kind, Record, Source

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

Rule = Callable[[Record, str, AssembleConfig], bool]


def reason_to_drop(record: Record, text: str, config: AssembleConfig) -> DropReason | None:
    """Return why a record with this rendered text has no place in the corpus, None when it has one."""
    return next((reason for reason, holds in _RULES if holds(record, text, config)), None)


def tagged(record: Record, text: str, config: AssembleConfig) -> str:
    """Return the text of a kept record, begun with `RETRACTED_TAG` when it is retracted and tags are asked for."""
    return f"{RETRACTED_TAG}\n\n{text}" if record.retracted and config.retracted == "tag" else text


def is_notice(record: Record) -> bool:
    """Say whether a record is by its type a notice about another paper."""
    return record.article_type in NOTICE_ARTICLE_TYPES or not NOTICE_PUBLICATION_TYPES.isdisjoint(
        record.publication_types
    )


def has_text(record: Record) -> bool:
    """Say whether a record has a main abstract or a body; a title alone is no text."""
    return any(part.text and part.type == "main" for part in record.abstracts) or any(
        block.text for block in record.body
    )


def may_be_used(record: Record, config: AssembleConfig) -> bool:
    """Say whether a record's licence, or a citation's copyright line, allows the use asked for."""
    if record.source is not Source.PUBMED or record.license:
        return allows(record.license, config.license)
    return not record.copyright or allows(license_name(text=record.copyright), config.license)


def _is_short_notice(record: Record, text: str, config: AssembleConfig) -> bool:
    """A notice with more words carries the corrected article itself."""
    return is_notice(record) and not _has_words(text, config.notice_words)


def _is_foreign(record: Record, _: str, config: AssembleConfig) -> bool:
    return bool(config.languages and record.text_language) and record.text_language not in config.languages


def _has_words(text: str, count: int) -> bool:
    """Say whether a text has at least `count` words, without splitting a long one to its end."""
    return len(text.split(maxsplit=count)) >= count


_RULES: tuple[tuple[DropReason, Rule], ...] = (
    (DropReason.DELETION_NOTICE, lambda record, text, config: record.kind is Kind.DELETION),
    (DropReason.NOTICE, _is_short_notice),
    (DropReason.NO_TEXT, lambda record, text, config: not has_text(record)),
    (DropReason.TOO_SHORT, lambda record, text, config: not _has_words(text, config.min_words)),
    (DropReason.RETRACTED, lambda record, text, config: record.retracted and config.retracted == "drop"),
    (DropReason.OCR, lambda record, text, config: record.ocr and config.ocr == "drop"),
    (
        DropReason.SUB_ARTICLE,
        lambda record, text, config: record.kind is Kind.SUB_ARTICLE and config.sub_articles == "drop",
    ),
    (DropReason.LICENSE, lambda record, text, config: not may_be_used(record, config)),
    (DropReason.LANGUAGE, _is_foreign),
)
