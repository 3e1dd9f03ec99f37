"""The nouns of the generated sample: what a citation or article means, before any XML is written.

Text fields are in the sample's own notation (see `corpus.synthetic.sample.text`): plain text with a few marks such as
`\\i{Escherichia coli}`. The writers turn the marks into NLM's or JATS markup, `text.plain` into the text that a
reader should find, so tests can compare what was meant with what was read.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplePart:
    """One part of an abstract."""

    text: str
    label: str | None = None  # None writes no attribute, "" an empty one
    category: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherText:
    """An abstract beside the main one: OtherAbstract, trans-abstract, plain-language summary."""

    type: str
    language: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A CommentsCorrections entry; `pmid` is None when the XML names no PMID."""

    type: str
    source: str
    pmid: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A cited paper with some of its ids: never the ids of the record that cites it."""

    text: str
    pmid: int | None = None
    pmcid: int | None = None
    doi: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Citation:
    """What one PubMed citation or book says."""

    pmid: int
    version: int = 1
    title: str = ""
    vernacular_title: str = ""
    abstract: tuple[SamplePart, ...] = ()
    other: tuple[OtherText, ...] = ()
    copyright: str = ""
    copyright_inside: bool = False  # written as the last sentence of the abstract, as older records have it
    pmcid: int | None = None
    doi: str | None = None
    language: str = "eng"
    year: int = 2015
    date: str = "month"  # how PubDate is written: month, year, season, medline
    journal: str = ""
    types: tuple[str, ...] = ("Journal Article",)
    mesh: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    authors: tuple[tuple[str, str], ...] = ()  # surname, forename
    relations: tuple[Relation, ...] = ()
    references: tuple[Reference, ...] = ()
    book: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TableCell:
    """One cell of a table."""

    text: str
    rowspan: int = 1
    colspan: int = 1
    header: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleTable:
    """A table with its rows; cells covered by a span are left out, as in HTML."""

    number: int
    title: str
    rows: tuple[tuple[TableCell, ...], ...]
    footnotes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleFigure:
    """A figure's number and caption."""

    number: int
    caption: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleBlock:
    """One block of a section, of the kind whose field is filled in."""

    kind: str  # paragraph, list, formula, quote, box, figure, table, supplement, preformat
    text: str = ""  # for a box its title, for a supplement its caption
    items: tuple[str, ...] = ()  # list items, or the paragraphs of a box
    inside: bool = False  # a list or formula that stands within a <p>, between `text` and `tail`
    tail: str = ""
    figure: SampleFigure | None = None
    table: SampleTable | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleSection:
    """A section; an empty title writes none."""

    title: str
    blocks: tuple[SampleBlock, ...] = ()
    sections: tuple["SampleSection", ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How one article's XML is spelled; every field is an index into the writer's table of variants."""

    doctype: int = 0
    namespaces: int = 0
    ids: int = 0
    licence: int = 0
    citation: int = 0  # 0 brackets, 1 superscript, 2 author and year
    dates: int = 0
    formula: int = 0
    floats_group: bool = False
    wrapped: bool = False  # inside <pmc-articleset>


@dataclass(frozen=True, kw_only=True, slots=True)
class Article:
    """What one version of one PMC article says."""

    pmcid: int
    version: int = 1
    pmid: int | None = None
    doi: str | None = None
    title: str = ""
    subtitle: str = ""
    abstract: tuple[SamplePart, ...] = ()
    other: tuple[OtherText, ...] = ()
    body: tuple[SampleSection, ...] | None = None  # None writes no <body>
    loose: tuple[str, ...] = ()  # paragraphs of the body before its first section
    back: tuple[tuple[str, str], ...] = ()  # kind (ack, footnote, appendix, glossary) and text
    reply: str = ""  # text of a sub-article
    references: tuple[Reference, ...] = ()
    keywords: tuple[str, ...] = ()
    authors: tuple[tuple[str, str], ...] = ()
    year: int = 2018
    journal: str = ""
    article_type: str = "research-article"
    retracted: bool = False
    manuscript: bool = False
    ocr: bool = False
    dialect: Dialect = field(default_factory=Dialect)
