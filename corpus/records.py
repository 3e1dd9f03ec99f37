"""Records, the noun of the road: what one citation, book or article says, before any choice of text.

`extract` makes records, Parquet keeps them, a profile renders a record into the text a model reads.
Parsing keeps structure: labels, sections, tables and licences stay apart, so that a new profile needs no
new parse. Identity is by id, never by position:

    pmid:30039426        a citation or book of PubMed (the newest version wins in `assemble`)
    pmc:PMC6182404.1     one version of one article of PubMed Central
    pmc:PMC6182404.1#2   its second sub-article: a review, a response, a translation

`doc_key` is the same identity as one uint64, the only thing about a document that is ever shuffled.

The nouns are made by the million: a `Struct` takes a tenth of the time of a frozen dataclass. They hold no cycles, so
Python's garbage collector need not know of them (`gc=False`). To change one: `msgspec.structs.replace`.
"""

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct


class Source(StrEnum):
    """The NCBI collection that a record comes from."""

    PUBMED = "pubmed"  # citations: title, mostly an abstract
    PMC = "pmc"  # PubMed Central: full texts


class Kind(StrEnum):
    """What a record is; a deletion is a PMID listed in DeleteCitation, without text."""

    CITATION = "citation"  # PubmedArticle
    BOOK = "book"  # PubmedBookArticle
    ARTICLE = "article"  # of PubMed Central
    SUB_ARTICLE = "sub_article"  # a review, decision letter, response or translation inside an article
    DELETION = "deletion"  # a PMID of DeleteCitation


class BlockKind(StrEnum):
    """What a block of an article's body is."""

    HEADING = "heading"  # title of a section
    PARAGRAPH = "paragraph"  # of running text
    LIST_ITEM = "list_item"  # without a bullet
    FORMULA = "formula"  # displayed, on a line of its own
    QUOTE = "quote"  # displayed
    PREFORMAT = "preformat"  # code and the like, line breaks kept


MAIN: Final = "main"  # the type of the abstract that stands for the paper


class AbstractPart(Struct, frozen=True, kw_only=True, gc=False):
    """One labelled part of one abstract; parts of one abstract share `type` and `language`."""

    type: str = MAIN  # main, or OtherAbstract's Type, or JATS abstract-type ("graphical", "trans-abstract", …)
    language: str = ""  # as stated in the XML, "" when not stated
    label: str = ""  # as printed, without its colon: BACKGROUND, Methods, …; "" when the part has none
    category: str = ""  # PubMed's NlmCategory
    text: str = ""  # plain text


class Block(Struct, frozen=True, kw_only=True, gc=False):
    """One block of body text in reading order; `depth` counts the enclosing <sec> elements.

    A list item without a mark has a bullet.
    """

    kind: BlockKind  # what the block is
    depth: int = 0  # enclosing <sec> elements [sections]
    text: str = ""  # plain text; powers and indices kept (10⁵, V_max), a formula as one line
    mark: str = ""  # of a list item: its label, with which the text begins, or what the list's type gives ("2.", "b.")
    level: int = 0  # of a list item: the lists around its own [lists]


class Cell(Struct, frozen=True, gc=False):
    """One table cell as written; spans are in rows and columns."""

    text: str = ""  # plain text
    rowspan: int = 1  # that it fills [rows]
    colspan: int = 1  # that it fills [columns]
    header: bool = False  # a <th>


class Float(Struct, frozen=True, kw_only=True, gc=False):
    """A figure, table or other float; `position` is the index of the body block it stood before, -1 elsewhere."""

    kind: str  # figure, table, supplement, box
    label: str = ""  # as printed: Table 1
    caption: str = ""  # plain text
    rows: tuple[tuple[Cell, ...], ...] = ()  # of a table, each row its cells as written; empty for others
    footnotes: tuple[str, ...] = ()  # of a table
    position: int = -1  # index of the body block it stood before; -1 when outside the body
    cited: int = -1  # index of the body block behind the paragraph that cites it first; -1 for none, and of supplements


class BackPart(Struct, frozen=True, kw_only=True, gc=False):
    """One part of the back matter, by kind: ack, footnote, appendix, glossary, notes, …"""

    kind: str  # ack, footnote, appendix, glossary, notes, …
    title: str = ""  # its heading
    text: str = ""  # plain text


class Link(Struct, frozen=True, kw_only=True, gc=False):
    """A relation to another citation, e.g. RetractionIn, ErratumFor, from CommentsCorrections or related-article."""

    type: str  # RetractionIn, ErratumFor, … as NLM or JATS names it
    target: str  # "pmid:…", "doi:…" or the text given


class Account(Struct, frozen=True, kw_only=True, gc=False):
    """How many characters of an article's XML went one way; white space is not counted.

    `name` is a field of `Record` when they were kept, a reason ("references", "permissions", …) when dropped.
    """

    name: str  # the field that holds them, else the reason why they were dropped
    kept: bool  # in the record
    characters: int  # of the XML, white space left out [characters]


class Record(Struct, frozen=True, kw_only=True, gc=False):
    """Everything `extract` keeps of one PubMed citation or book, PMC article or sub-article, or deletion."""

    doc_id: str  # pmid:…, pmc:PMC….version or pmc:PMC….version#part
    source: Source  # collection of NCBI
    kind: Kind  # what the record is
    pmid: int | None = None  # the record's own PubMed id
    version: int = 1  # of the PubMed citation or of the PMC article, from 1
    pmcid: int | None = None  # without the letters PMC; the record's own, never a cited paper's
    doi: str | None = None  # lower case, without a resolver prefix
    pmc_id_anywhere: bool = False  # of a citation: any PMC id in its XML, a cited paper's too (The Pile's rule)
    id_conflict: str = ""  # of an article: where the bucket's JSON names other ids than the XML, which counts
    title: str = ""  # plain text, brackets of translated titles included
    vernacular_title: str = ""  # title in the language of the paper
    abstracts: tuple[AbstractPart, ...] = ()  # parts of all abstracts, in the order of the XML
    copyright: str = ""  # copyright line of the citation's abstract
    body: tuple[Block, ...] = ()  # of an article, in reading order
    floats: tuple[Float, ...] = ()  # figures, tables, boxes and supplements of an article
    back: tuple[BackPart, ...] = ()  # back matter of an article: acknowledgements, notes, appendices, …
    languages: tuple[str, ...] = ()  # as stated: of the paper, not of this text
    year: int | None = None  # of publication
    journal: str = ""  # title of the journal or book
    publication_types: tuple[str, ...] = ()  # NLM's, of a citation
    mesh: tuple[str, ...] = ()  # MeSH headings of a citation
    keywords: tuple[str, ...] = ()  # plain text
    links: tuple[Link, ...] = ()  # to other papers: errata, retractions, comments
    article_type: str = ""  # JATS's, of an article: research-article, correction, …
    license: str = ""  # SPDX name, or PMC's code where SPDX has none; "" when not stated
    retracted: bool = False  # by PubMed, the bucket or the XML
    manuscript: bool = False  # an author manuscript in PMC
    ocr: bool = False  # text from page scans
    parent: str = ""  # of a sub-article: the document id of its article
    title_language: str = ""  # ISO 639-1, decided from the text; "" when it says too little to decide
    text_language: str = ""  # the same of the main abstract, else of the body
    accounts: tuple[Account, ...] = ()  # of an article: where every character of its XML went
    unknown_elements: tuple[str, ...] = ()  # of an article: names of elements in its text that JATS does not have
    file: str = ""  # base name of the input file
    offset: int = 0  # of the record in the decompressed file [bytes]
    position: int = 0  # ordinal of the record in the file


class Reject(Struct, frozen=True, kw_only=True, gc=False):
    """A piece of input that could not become a record: the dead letter."""

    file: str  # base name of the input file
    offset: int  # in the decompressed file [bytes]
    doc_id: str  # "" when it could not be read
    reason: str  # a word of `corpus.reasons.RejectReason`
    detail: str  # what exactly is wrong, for a person
    sha256: str  # of the whole piece, hexadecimal
    raw: bytes  # the first bytes of the piece, at most RAW_LIMIT


RAW_LIMIT = 4096

_PUBMED_TAG, _PMC_TAG, _OTHER_TAG = 1, 2, 3
_PMC_ID_BITS, _VERSION_BITS, _PART_BITS = 36, 12, 12
_OTHER_ROW_BITS = 36


def pubmed_doc_id(pmid: int) -> str:
    """Return the document id of a PubMed record."""
    return f"pmid:{pmid}"


def pmc_doc_id(pmcid: int, version: int, part: int = 0) -> str:
    """Return the document id of one version of a PMC article, or of its sub-article number `part` (from 1)."""
    return f"pmc:PMC{pmcid}.{version}#{part}" if part else f"pmc:PMC{pmcid}.{version}"


def doc_key(doc_id: str) -> int:
    """Return the uint64 key of a document id.

    From the top bit down: 4 bits of source tag, then a PMID (60), or a PMCID (36), its version (12) and the number of
    a sub-article (12). Raises ValueError for another form.
    """
    scheme, _, rest = doc_id.partition(":")
    if scheme == "pmid" and _is_number(rest, 60):
        return _PUBMED_TAG << 60 | int(rest)
    number, _, version = rest.removeprefix("PMC").partition(".")
    version, mark, part = version.partition("#")
    fits = _is_number(number, _PMC_ID_BITS) and _is_number(version, _VERSION_BITS)
    if scheme == "pmc" and fits and (_is_number(part, _PART_BITS) and int(part) if mark else True):
        return (
            _PMC_TAG << 60 | int(number) << (_VERSION_BITS + _PART_BITS) | int(version) << _PART_BITS | int(part or 0)
        )
    raise ValueError(f"document id {doc_id!r}: expected pmid:<digits>, pmc:PMC<digits>.<version> or …#<part>")


def _is_number(text: str, bits: int) -> bool:
    return text.isascii() and text.isdecimal() and int(text) < 1 << bits


def pubmed_key(pmids: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the document keys, uint64[n], of PMIDs."""
    return np.uint64(_PUBMED_TAG << 60) | pmids


def pmc_key(pmcids: npt.NDArray[np.uint64], versions: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the document keys, uint64[n], of whole articles."""
    shifted = pmcids << np.uint64(_VERSION_BITS + _PART_BITS) | versions << np.uint64(_PART_BITS)
    return np.uint64(_PMC_TAG << 60) | shifted


def is_pmc(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Say of document keys, uint64[n], which are of PubMed Central."""
    return keys >> np.uint64(60) == np.uint64(_PMC_TAG)


def other_keys(file: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return the keys, uint64[n], of documents of another corpus: their file's number and their rows in it.

    They are larger than all document keys, and `doc_id` has no name for them.
    """
    return np.uint64(_OTHER_TAG << 60 | file << _OTHER_ROW_BITS) | rows.astype(np.uint64)


def are_other(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Say of keys, of any shape, which are of documents of another corpus."""
    return keys >> np.uint64(60) == np.uint64(_OTHER_TAG)


def other_places(keys: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (file numbers, rows) of documents of another corpus; the inverse of `other_keys`."""
    bits = np.uint64(_OTHER_ROW_BITS)
    files = (keys & np.uint64((1 << 60) - 1)) >> bits
    return files.astype(np.int64), (keys & np.uint64((1 << _OTHER_ROW_BITS) - 1)).astype(np.int64)


def article_keys(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return document keys with those of sub-articles replaced by their article's."""
    return np.where(is_pmc(keys), keys >> np.uint64(_PART_BITS) << np.uint64(_PART_BITS), keys)


def paper_keys(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return numbers that all versions of an article and its sub-articles share; those of citations are their keys."""
    bits = np.uint64(_VERSION_BITS + _PART_BITS)
    return np.where(is_pmc(keys), keys >> bits << bits, keys)


def part_number(key: int) -> int:
    """Return the number of the sub-article that a document key names, 0 for a whole article."""
    return int(key) & (1 << _PART_BITS) - 1


def doc_id(key: int) -> str:
    """Return the document id of a key; the inverse of `doc_key`."""
    key = int(key)
    tag = key >> 60
    if tag == _PUBMED_TAG:
        return pubmed_doc_id(key & (1 << 60) - 1)
    if tag == _PMC_TAG:
        version, part = key >> _PART_BITS & (1 << _VERSION_BITS) - 1, key & (1 << _PART_BITS) - 1
        return pmc_doc_id(key >> (_VERSION_BITS + _PART_BITS) & (1 << _PMC_ID_BITS) - 1, version, part)
    raise ValueError(f"document key {key:#x}: unknown source tag {tag}")
