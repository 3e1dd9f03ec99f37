"""What The Pile's scripts make of one record: a `PileText`, and the reasons for which they leave one out."""

from dataclasses import dataclass
from enum import StrEnum


class PileDrop(StrEnum):
    """Why The Pile's scripts leave a record out."""

    BOOK = "pile_book"  # a PubmedBookArticle: the script looks only for <PubmedArticle>
    NO_ABSTRACT = "pile_no_abstract"
    NO_TITLE = "pile_no_title"
    NO_PMID = "pile_no_pmid"
    PMC_OVERLAP = "pile_pmc_overlap"  # a PMC id anywhere in the record, be it that of a cited paper
    PANDOC_FAILED = "pile_pandoc_failed"  # pandoc ends with an error, which the script swallows
    SUB_ARTICLE = "pile_sub_article"  # part of its article's text
    DELETION = "pile_deletion"  # the scripts know no deletions
    TOO_DEEP = "pile_too_deep"  # ours: elements nested more deeply than is read here
    UNREADABLE = "pile_unreadable"  # ours: bytes that cannot be read alone


@dataclass(frozen=True, kw_only=True, slots=True)
class PileText:
    """The text of one record, and why it is left out: `drop` is "" or a word of `PileDrop`."""

    text: str = ""
    drop: str = ""
