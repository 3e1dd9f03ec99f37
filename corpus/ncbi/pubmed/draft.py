"""A PubMed record while its element is read: what the rules of `corpus.ncbi.pubmed.fields` fill in, in any order."""

from dataclasses import dataclass, field

from corpus.records import AbstractPart, Link


@dataclass(kw_only=True, slots=True)
class Draft:
    """A record while its element is read."""

    pmid: int | None = None
    version: int = 1
    title: str = ""
    book_title: str = ""
    vernacular_title: str = ""
    journal: str = ""
    doi: str | None = None
    electronic_doi: str | None = None
    pmcid: int | None = None
    pmc_id_anywhere: bool = False
    issue_year: int | None = None
    article_year: int | None = None
    abstracts: list[AbstractPart] = field(default_factory=list)
    copyrights: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    publication_types: list[str] = field(default_factory=list)
    mesh: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)  # of a book: the titles of its sections
