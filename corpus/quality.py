"""Why a document is not in the corpus: the words for it, and the rules that need one record alone.

`DropReason` is the whole vocabulary of the assemble stage: every record is kept, or dropped and counted under one of
these. `reason_to_drop` applies the rules that look at one record; state, id join and dedup look at many and
live with them. Retracted articles and page scans (`ocr`) are kept: the record says so, the user decides.
"""

from enum import StrEnum

from corpus.records import Kind, Record


class DropReason(StrEnum):
    """Why `assemble` leaves a record out."""

    SUPERSEDED = "superseded"  # a later file has the same PMID again
    OLDER_VERSION = "older_version"  # a higher version of the same document exists
    DELETED = "deleted"  # a DeleteCitation names it
    DELETION_NOTICE = "deletion_notice"  # the row of the DeleteCitation itself
    NOTICE = "notice"  # correction, retraction notice or the like: a standard paragraph about another paper
    NO_TEXT = "no_text"  # neither abstract nor body
    TOO_SHORT = "too_short"
    FULL_TEXT_KEPT = "full_text_kept"  # an abstract whose full text is in the corpus
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"


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
# A notice with more words carries the corrected article itself.
NOTICE_WORDS = 400


def reason_to_drop(record: Record, text: str, *, min_words: int) -> DropReason | None:
    """Return why a record with this rendered text has no place in the corpus, None when it has one."""
    if record.kind is Kind.DELETION:
        return DropReason.DELETION_NOTICE
    if is_notice(record) and not _has_words(text, NOTICE_WORDS):
        return DropReason.NOTICE
    if not has_text(record):
        return DropReason.NO_TEXT
    if not _has_words(text, min_words):
        return DropReason.TOO_SHORT
    return None


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


def _has_words(text: str, count: int) -> bool:
    """Say whether a text has at least `count` words, without splitting a long one to its end."""
    return len(text.split(maxsplit=count)) >= count
