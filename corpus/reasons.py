"""Reasons: every word under which a record leaves the road, and where it is counted.

`RejectReason`: the bytes could not become a record (`extract`, in `rejects/`). `DropReason`: the record is no document
of the corpus (`assemble`, in `decisions/`). `PileDrop`: The Pile's own scripts left it out (`extract --pile`).
`FetchDrop`: an article version that the source lists is not fetched (`fetch pmc`). `TextDrop`: a document of the corpus
teaches no tokenizer, or has no tokens. Dead letters of `dedup` have words of their own (`corpus.foreign.rows`).
"""

from enum import StrEnum
from typing import Final


class RejectReason(StrEnum):
    """Why a piece of input is a dead letter."""

    BAD_XML = "bad_xml"  # not well-formed, or not UTF-8
    BAD_ROOT = "bad_root"  # another root than that of an article
    BAD_RECORD = "bad_record"  # well-formed, but no article, several, or nested too deeply
    ENTITY_DECLARATION = "entity_declaration"  # declares entities, which NCBI's files do not
    TOO_LARGE = "too_large"  # more bytes or tags than a record may have
    NO_ID = "no_id"  # no PMID or PMC id, so no identity
    STRAY_BYTES = "stray_bytes"  # between two records, where none belong
    BAD_FILE = "bad_file"  # a file of an archive that cannot be read


class DropReason(StrEnum):
    """Why `assemble` leaves a record out."""

    SUPERSEDED = "superseded"  # a later file has the same PMID again
    OLDER_VERSION = "older_version"  # a higher version of the same document exists
    DELETED = "deleted"  # a DeleteCitation names it
    DELETION_NOTICE = "deletion_notice"  # the row of the DeleteCitation itself
    EXCLUDED = "excluded"  # on the list of `--exclude`
    NOT_LISTED = "not_listed"  # not on the list of `--ids`
    YEAR = "year"  # of another year than asked for, or of none
    JOURNAL = "journal"  # of another journal than asked for
    MESH = "mesh"  # without a MeSH heading asked for
    PUBLICATION_TYPE = "publication_type"  # of none of the publication types asked for
    JATS_TYPE = "jats_type"  # of none of JATS's article types asked for
    NOTICE = "notice"  # correction, retraction notice or the like: a standard paragraph about another paper
    NO_TEXT = "no_text"  # neither abstract nor body
    TOO_SHORT = "too_short"  # fewer words than `min_words`
    RETRACTED = "retracted"  # by PubMed, the bucket or the XML
    OCR = "ocr"  # read from page scans
    SUB_ARTICLE = "sub_article"  # a review, response or translation inside an article
    LICENSE = "license"  # does not allow the use asked for
    LANGUAGE = "language"  # clearly in a language not asked for
    CONTAMINATED = "contaminated"  # holds an item of an evaluation set
    FULL_TEXT_KEPT = "full_text_kept"  # an abstract whose full text is in the corpus, and holds an abstract
    EXACT_DUPLICATE = "exact_duplicate"  # the same words as the survivor's
    NEAR_DUPLICATE = "near_duplicate"  # as similar to the survivor as `threshold` says, verified
    SAME_ID = "same_id"  # has an id of its own that is the survivor's too, and its text stands mostly in that
    IN_OTHER_CORPUS = "in_other_corpus"  # like a text of `--against`, verified; or its full text is equal to one


# What makes a document a duplicate; `dedup.resolve.Outcome.reason` holds positions in this order.
DUPLICATE_REASONS: Final = (
    DropReason.FULL_TEXT_KEPT,
    DropReason.EXACT_DUPLICATE,
    DropReason.NEAR_DUPLICATE,
    DropReason.SAME_ID,
    DropReason.IN_OTHER_CORPUS,
)


class PileDrop(StrEnum):
    """Why The Pile's scripts leave a record out."""

    BOOK = "pile_book"  # a PubmedBookArticle: the script looks only for <PubmedArticle>
    NO_ABSTRACT = "pile_no_abstract"  # no <Abstract> in it
    NO_TITLE = "pile_no_title"  # no <ArticleTitle> in it
    NO_PMID = "pile_no_pmid"  # no <PMID> in it
    PMC_OVERLAP = "pile_pmc_overlap"  # a PMC id anywhere in the record, be it that of a cited paper
    PANDOC_FAILED = "pile_pandoc_failed"  # pandoc ends with an error, which the script swallows
    SUB_ARTICLE = "pile_sub_article"  # part of its article's text
    DELETION = "pile_deletion"  # the scripts know no deletions
    TOO_DEEP = "pile_too_deep"  # ours: elements nested more deeply than is read here
    UNREADABLE = "pile_unreadable"  # ours: bytes that cannot be read alone


class FetchDrop(StrEnum):
    """Why `fetch pmc` does not store an article version that the source lists."""

    NOT_IN_IDS = "not_in_ids"  # not on the list of `--ids`
    OLDER_VERSION = "older_version"  # a higher version of the same article is listed
    OTHER_MACHINE = "other_machine"  # belongs to another `--shard`
    NOT_DRAWN = "not_drawn"  # not asked about: `--limit` was full before
    BEYOND_LIMIT = "beyond_limit"  # asked for, but more than `--limit`
    LICENSE = "license"  # does not allow the use asked for
    ARTICLE_TYPE = "article_type"  # of none of the sorts asked for: published, manuscript, ocr
    YEAR = "year"  # of another year than asked for, or of none
    GONE = "gone"  # listed, but the source has it no more
    BAD_METADATA = "bad_metadata"  # its JSON cannot be read, or speaks of another article
    UNVERIFIED = "unverified"  # its JSON is not what the source's own hash says
    NO_XML = "no_xml"  # its JSON names no XML
    WRONG_AT_SOURCE = "wrong_at_source"  # its XML is not what the source's own hash says
    VANISHED = "vanished"  # damaged here, and the source has it no more


class TextDrop(StrEnum):
    """Why a document of the corpus teaches no tokenizer (`tokenizer`), or gives no tokens (`pack`)."""

    OTHER_SOURCE = "other_source"  # `source` names one collection to learn from, and this is of another; it is packed
    OVER_MAX_BYTES = "over_max_bytes"  # what was read before fills `max_bytes`; it is packed all the same
    EMPTY = "empty"  # without a letter of text
