"""Rows that `passages` writes."""

from dataclasses import dataclass
from enum import StrEnum


class PassageKind(StrEnum):
    """What a passage is; a paragraph of one sentence is that sentence."""

    SENTENCE = "sentence"  # of a line, by rule
    PARAGRAPH = "paragraph"  # a line of two sentences or more


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleCount:
    """How many occurrences of a passage one rule takes."""

    rule: str  # as in `rule` of the passage; never ""
    occurrences: int  # that the rule takes


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A sentence or paragraph that stands in many documents."""

    kind: PassageKind  # sentence or paragraph
    text: str  # as the first of `examples` has it
    folded: str  # what its occurrences have in common: in small letters, without marks at the edges
    documents: int  # documents that hold it; of records each record is one
    occurrences: int  # in all of them
    alone: int  # occurrences that are a line of their own
    bytes: int  # of all occurrences as they are written [bytes]
    examples: tuple[str, ...]  # ids of documents that hold it, the smallest as text
    rule: str  # of `clean` that takes most of its occurrences; "" when most stay, and for a corpus
    stay: int  # occurrences that no rule takes
    rules: tuple[RuleCount, ...]  # all rules that take some, the most frequent first


@dataclass(frozen=True, kw_only=True, slots=True)
class CountRow:
    """What one part of the input, or some of it, says of a passage; none but the stage itself reads it."""

    paragraph: bool
    folded: str
    documents: int
    occurrences: int
    alone: int
    bytes: int
    stay: int
    doc_id: str  # the smallest, which `text` is of
    text: str
    examples: tuple[str, ...]
    rules: tuple[RuleCount, ...]
