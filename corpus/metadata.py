"""Side tables, the nouns of `extract --metadata`: who wrote a paper, what it cites, how NLM indexed it, when it came.

A reader fills `SideTables` beside its records; `extract` writes a Parquet file of each table for each part of records.
(`doc_id`, `position`) of a row are those of its record in the part of the same name. Nothing here decides about a text.
"""

from typing import Any, Final

from msgspec import Struct


class Publication(Struct, frozen=True, kw_only=True, gc=False):
    """Where a paper stands in print, and where its licence is stated: one row for each citation, book and article."""

    doc_id: str  # of the record
    position: int  # of the record in its input file
    abbreviation: str = ""  # of the journal's title: ISO's, else NLM's
    issn: str = ""  # as printed
    issn_type: str = ""  # Print, Electronic; JATS's ppub, epub
    issn_linking: str = ""  # NLM's, one for print and electronic
    nlm_id: str = ""  # of the journal in NLM's catalogue
    country: str = ""  # of the journal
    volume: str = ""  # as printed
    issue: str = ""  # as printed
    pages: str = ""  # as printed, or the number of an article that has none
    license_url: str = ""  # of an article: the address that its permissions link to
    license_stated: str = ""  # of an article: link, text (of its permissions), metadata (of the bucket); "" nowhere


class Contributor(Struct, frozen=True, kw_only=True, gc=False):
    """One author, editor or group of a paper, in the order of print."""

    doc_id: str  # of the record
    position: int  # of the record in its input file
    rank: int  # among those of the paper, from 1
    role: str = "author"  # author, editor, … as stated
    last_name: str = ""  # as stated
    fore_name: str = ""  # as stated, initials or whole
    initials: str = ""  # as stated
    suffix: str = ""  # Jr, 3rd, …
    collective: str = ""  # name of a group, in place of a person's
    orcid: str = ""  # 0000-0002-1825-0097
    affiliations: tuple[str, ...] = ()  # as stated

    def name(self) -> str:
        """Return the whole name as a line."""
        return self.collective or " ".join(filter(None, (self.fore_name or self.initials, self.last_name, self.suffix)))


class Cited(Struct, frozen=True, kw_only=True, gc=False):
    """One entry of a paper's list of references."""

    doc_id: str  # of the record that cites
    position: int  # of the record in its input file
    rank: int  # in the list, from 1
    citation: str = ""  # as printed, in one line
    pmid: int | None = None  # of the cited paper
    doi: str | None = None  # of the cited paper
    pmcid: int | None = None  # of the cited paper, without the letters PMC


class MeshTerm(Struct, frozen=True, kw_only=True, gc=False):
    """One MeSH heading of a citation, or one of its qualifiers: a row each."""

    doc_id: str  # of the record
    position: int  # of the record in its input file
    rank: int  # of the heading in its list, from 1
    ui: str = ""  # of the heading: D006801
    name: str = ""  # of the heading
    major: bool = False  # the heading is a topic of the paper
    qualifier_ui: str = ""  # Q000150; "" for a heading without one
    qualifier: str = ""  # its name
    qualifier_major: bool = False  # with this qualifier it is a topic of the paper


class Grant(Struct, frozen=True, kw_only=True, gc=False):
    """One grant that a paper names."""

    doc_id: str  # of the record
    position: int  # of the record in its input file
    rank: int  # in the list, from 1
    number: str = ""  # as stated
    acronym: str = ""  # of NIH's institute: HL
    agency: str = ""  # as stated
    country: str = ""  # as stated


class StatedDate(Struct, frozen=True, kw_only=True, gc=False):
    """One date as it is stated, never completed: 1998 Dec-1999 Jan, 2019 Spring, 2020 03 04."""

    doc_id: str  # of the record
    position: int  # of the record in its input file
    kind: str  # published, electronic, completed, revised, created; else NLM's or JATS's word: received, accepted, …
    text: str  # what is stated, from year to minute, one space between


TABLES: Final[dict[str, Any]] = {
    "publications": Publication,
    "authors": Contributor,
    "references": Cited,
    "mesh": MeshTerm,
    "grants": Grant,
    "dates": StatedDate,
}


class SideTables:
    """Rows of all side tables of the records read so far."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Any]] = {name: [] for name in TABLES}

    def take(self) -> dict[str, list[Any]]:
        """Return the rows, and begin anew."""
        rows, self.rows = self.rows, {name: [] for name in TABLES}
        return rows
