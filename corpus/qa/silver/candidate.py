"""Candidate, what one paper gives by one recipe: a question that is not yet drawn, split or given its options."""

import hashlib
from enum import StrEnum
from typing import Final

from msgspec import Struct

MOST: Final = 1 << 63  # orders are below this, so that Parquet holds them


class SilverKind(StrEnum):
    """Recipes; the task of a question is `silver-` and this word."""

    CONCLUSION = "conclusion"  # a title that asks; the answer is the conclusion of the abstract
    STATEMENT = "statement"  # a title that states, turned into a question of yes or no
    TITLE = "title"  # an abstract, and which of four titles of its journal is its own


class SilverDrop(StrEnum):
    """Why a paper of the corpus gives no question by a recipe."""

    NO_PAPER = "no_paper"  # a book, a review inside an article
    NO_TITLE = "no_title"  # none, or one in another language than English
    NO_ABSTRACT = "no_abstract"  # none in its record
    CONTAMINATED_BY_ID = "contaminated_by_id"  # a test item is made from this paper
    CONTAMINATED_BY_TEXT = "contaminated_by_text"  # title and abstract hold a text of a test item
    NO_QUESTION = "no_question"  # conclusion: no question mark in the title, or several
    NO_STATEMENT = "no_statement"  # statement: the title states nothing that only a change of order makes a question
    PROTOCOL = "protocol"  # conclusion, statement: a study that is only announced concludes nothing
    NO_CONCLUSION = "no_conclusion"  # no part of the abstract is a conclusion and nothing else
    NO_CONTEXT = "no_context"  # nothing stands before the conclusion
    TITLE_TOO_SHORT = "title_too_short"  # title: fewer than five words, which fit too many papers
    ABSTRACT_TOO_SHORT = "abstract_too_short"  # title: fewer than thirty words
    TITLE_IN_ABSTRACT = "title_in_abstract"  # title: the abstract spells it out
    OVER_THE_LIMIT = "over_the_limit"  # more than `limit`, or of one journal than `per_journal`
    PAPER_IN_TWO_SPLITS = "paper_in_two_splits"  # a text that resembles it went to another split
    FEW_TITLES = "few_titles"  # title: the journal has not three other titles that differ enough


class Candidate(Struct, frozen=True, kw_only=True, gc=False):
    """A question that one paper gives by one recipe."""

    kind: str  # of `SilverKind`
    doc_id: str
    cluster: str  # smallest document id of the papers that resemble each other
    journal: str  # as stated
    order: int  # hash of seed and document id: the smallest are drawn
    text: str  # the question; of kind title the abstract
    context: str = ""
    label: bool | None = None  # of a statement: what the title says
    answer: str = ""  # the conclusion; of kind title the title
    subject: str = ""
    pmid: int | None = None
    file: str = ""  # base name of NCBI's file
    position: int = 0  # in it


def order_of(seed: int, *words: str) -> int:
    """Return a number below 2**63 that depends on seed and words alone."""
    content = "\0".join((str(seed), *words)).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") >> 1


def journal_key(journal: str) -> str:
    """Return a journal's name without case and marks: sources spell them differently."""
    return "".join(letter for letter in journal.casefold() if letter.isalnum())
