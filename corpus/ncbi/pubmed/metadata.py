"""Metadata of PubMed records for the side tables: authors, references, MeSH, grants, journal and dates.

The `Markup` of some records comes in, scanned with the vocabulary that names these elements; rows go out into
`SideTables`. The table at the end says which path is read by which function, as in `corpus.ncbi.pubmed.fields`.
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from corpus.ids import normalize_doi, parse_number, parse_pmcid
from corpus.metadata import Cited, Contributor, Grant, MeshTerm, Publication, SideTables, StatedDate
from corpus.ncbi.markup.attributes import parse_attributes
from corpus.ncbi.markup.document import Markup
from corpus.ncbi.markup.paths import Paths
from corpus.ncbi.pubmed.text import line
from corpus.ncbi.pubmed.vocabulary import RECORDS, WITH_METADATA
from corpus.records import Record

_ORCID = re.compile(r"(\d{4})-?(\d{4})-?(\d{4})-?(\d{3}[\dXx])(?!\d)")
_FIELDS = {"LastName": "last_name", "ForeName": "fore_name", "Initials": "initials", "Suffix": "suffix"}
_FIELDS |= {"CollectiveName": "collective"}
_DESCRIPTOR, _QUALIFIER = WITH_METADATA["DescriptorName"], WITH_METADATA["QualifierName"]
_GRANT = {"GrantID": "number", "Acronym": "acronym", "Agency": "agency", "Country": "country"}


def orcid_of(text: str) -> str:
    """Return an ORCID in its one form from any of its spellings, "" for what is none."""
    found = _ORCID.search(text)
    return "-".join(found.groups()).upper() if found else ""


class _Sheet:
    """What is read of one record: its place, its row of `Publication` as far as it is known, and where rows go."""

    __slots__ = ("place", "printed", "ranks", "rows")

    def __init__(self, record: Record, side: SideTables) -> None:
        self.place: dict[str, Any] = {"doc_id": record.doc_id, "position": record.position}
        self.printed: dict[str, Any] = {}
        self.rows = side.rows
        self.ranks = dict.fromkeys(side.rows, 0)

    def next_rank(self, table: str) -> int:
        """Return the rank of the next row, or heading, of a table."""
        self.ranks[table] += 1
        return self.ranks[table]


_SheetRule = Callable[[Markup, int, _Sheet], None]


class MetadataReader:
    """Reads the metadata of the records of one `Markup`."""

    def __init__(self, doc: Markup, side: SideTables) -> None:
        self._doc, self._side = doc, side
        self._rows, self._rules = _PATHS.find(doc)

    def read(self, element: int, record: Record) -> None:
        """Add the rows of a record, whose element this is."""
        doc, sheet = self._doc, _Sheet(record, self._side)
        first = bisect_left(self._rows, element)
        last = bisect_left(self._rows, doc.nexts[element], first)
        for row, rule in zip(self._rows[first:last], self._rules[first:last], strict=True):
            rule(doc, row, sheet)
        sheet.rows["publications"].append(Publication(**sheet.place, **sheet.printed))


def _read_authors(doc: Markup, element: int, sheet: _Sheet) -> None:
    role = (doc.attributes(element).get("Type") or "authors").removesuffix("s")
    names, nexts = doc.tag_names, doc.nexts
    for author in doc.find_all(element, "Author"):
        fields, orcid, affiliations = dict[str, Any](), "", list[str]()
        child, stop = author + 1, nexts[author]
        while child < stop:
            name = names[child]
            if name in _FIELDS:
                fields[_FIELDS[name]] = line(doc, child)
            elif name == "Identifier":
                orcid = orcid or _orcid(doc, child)
            elif name == "Affiliation":
                affiliations.append(line(doc, child))
            elif name == "AffiliationInfo":  # its children come next
                child += 1
                continue
            child = nexts[child]
        row = Contributor(
            **sheet.place,
            rank=sheet.next_rank("authors"),
            role=role,
            orcid=orcid,
            affiliations=tuple(filter(None, affiliations)),
            **fields,
        )
        sheet.rows["authors"].append(row)


def _orcid(doc: Markup, element: int) -> str:
    return orcid_of(doc.own_text(element)) if doc.attributes(element).get("Source") == "ORCID" else ""


def _read_mesh(doc: Markup, element: int, sheet: _Sheet) -> None:
    """Add a row for each heading without qualifiers, else one for each qualifier."""
    rows, doc_id, position = sheet.rows["mesh"], sheet.place["doc_id"], sheet.place["position"]
    text, starts, ends = doc.text, doc.starts, doc.ends
    tags, start_tag = doc.tags, doc.start_tag
    rank, ui, name = 0, "", ""
    major = bare = False
    for child in range(element + 1, doc.nexts[element]):  # names of MeSH hold no markup
        tag = tags[child]
        if tag == _DESCRIPTOR:
            (ui, major), name = _index_term(start_tag(child)), text[starts[child] : ends[child]].strip()
            rank = sheet.next_rank("mesh")
            rows.append(MeshTerm(doc_id=doc_id, position=position, rank=rank, ui=ui, name=name, major=major))
            bare = True
        elif tag == _QUALIFIER:
            if bare:
                rows.pop()
                bare = False
            own, is_topic = _index_term(start_tag(child))
            row = MeshTerm(
                doc_id=doc_id,
                position=position,
                rank=rank,
                ui=ui,
                name=name,
                major=major,
                qualifier_ui=own,
                qualifier=text[starts[child] : ends[child]].strip(),
                qualifier_major=is_topic,
            )
            rows.append(row)


@lru_cache(maxsize=1 << 16)
def _index_term(tag: bytes) -> tuple[str, bool]:
    """Return UI and MajorTopicYN of a start tag: a few thousand tags are those of most citations."""
    attributes = parse_attributes(tag)
    return attributes.get("UI") or "", attributes.get("MajorTopicYN") == "Y"


def _read_grant(doc: Markup, element: int, sheet: _Sheet) -> None:
    known = (child for child in doc.children(element) if doc.name(child) in _GRANT)
    fields: dict[str, Any] = {_GRANT[doc.name(child)]: line(doc, child) for child in known}
    sheet.rows["grants"].append(Grant(**sheet.place, rank=sheet.next_rank("grants"), **fields))


def _read_references(doc: Markup, element: int, sheet: _Sheet) -> None:
    for reference in doc.descendants(element, "Reference"):
        cited: dict[str, str] = {}
        for article_id in doc.descendants(reference, "ArticleId"):
            cited.setdefault(doc.attributes(article_id).get("IdType") or "", doc.own_text(article_id))
        printed = doc.find(reference, "Citation")
        row = Cited(
            **sheet.place,
            rank=sheet.next_rank("references"),
            citation=line(doc, printed) if printed >= 0 else "",
            pmid=parse_number(cited.get("pubmed")),
            doi=normalize_doi(cited.get("doi")),
            pmcid=parse_pmcid(cited.get("pmc")) or parse_pmcid(cited.get("pmcid")),
        )
        sheet.rows["references"].append(row)


def _read_cites(doc: Markup, element: int, sheet: _Sheet) -> None:
    """Add what a record of 2018 or before cites: in those years the list stood among the corrections."""
    if doc.attributes(element).get("RefType") != "Cites":
        return
    pmid, printed = doc.find(element, "PMID"), doc.find(element, "RefSource")
    row = Cited(
        **sheet.place,
        rank=sheet.next_rank("references"),
        citation=line(doc, printed) if printed >= 0 else "",
        pmid=parse_number(doc.own_text(pmid)) if pmid >= 0 else None,
    )
    sheet.rows["references"].append(row)


def _date(kind: str) -> _SheetRule:
    """Return the rule that adds a date of a kind; "" for one whose kind stands in its PubStatus."""

    def read(doc: Markup, element: int, sheet: _Sheet) -> None:
        whole, starts, ends = doc.text, doc.starts, doc.ends
        # Year, month, …: nothing is in them.
        text = " ".join([whole[starts[k] : ends[k]].strip() for k in range(element + 1, doc.nexts[element])])
        if text:
            named, place = kind or _status(doc.start_tag(element)), sheet.place
            sheet.rows["dates"].append(
                StatedDate(doc_id=place["doc_id"], position=place["position"], kind=named, text=text)
            )

    return read


@lru_cache(maxsize=1 << 8)
def _status(tag: bytes) -> str:
    return parse_attributes(tag).get("PubStatus") or ""


def _printed(field: str, *, over: bool = True) -> _SheetRule:
    """Return the rule that sets a field of `Publication`, unless it is set and this one is not to go `over` it."""

    def read(doc: Markup, element: int, sheet: _Sheet) -> None:
        if text := line(doc, element):
            if over:
                sheet.printed[field] = text
            else:
                sheet.printed.setdefault(field, text)

    return read


def _read_issn(doc: Markup, element: int, sheet: _Sheet) -> None:
    sheet.printed["issn"] = line(doc, element)
    sheet.printed["issn_type"] = doc.attributes(element).get("IssnType") or ""


def _read_pages(doc: Markup, element: int, sheet: _Sheet) -> None:
    """Read MEDLINE's form of the pages ("1081-4"), else first and last one."""
    stated = {doc.name(child): line(doc, child) for child in doc.children(element)}
    first_last = "-".join(filter(None, (stated.get("StartPage"), stated.get("EndPage"))))
    sheet.printed["pages"] = stated.get("MedlinePgn") or first_last


_CITATION: dict[str, _SheetRule] = {
    "MedlineCitation/Article/Journal/ISSN": _read_issn,
    "MedlineCitation/Article/Journal/ISOAbbreviation": _printed("abbreviation"),
    "MedlineCitation/Article/Journal/JournalIssue/Volume": _printed("volume"),
    "MedlineCitation/Article/Journal/JournalIssue/Issue": _printed("issue"),
    "MedlineCitation/Article/Journal/JournalIssue/PubDate": _date("published"),
    "MedlineCitation/Article/Pagination": _read_pages,
    "MedlineCitation/Article/AuthorList": _read_authors,
    "MedlineCitation/Article/GrantList/Grant": _read_grant,
    "MedlineCitation/Article/ArticleDate": _date("electronic"),
    "MedlineCitation/MedlineJournalInfo/Country": _printed("country"),
    "MedlineCitation/MedlineJournalInfo/MedlineTA": _printed("abbreviation", over=False),
    "MedlineCitation/MedlineJournalInfo/NlmUniqueID": _printed("nlm_id"),
    "MedlineCitation/MedlineJournalInfo/ISSNLinking": _printed("issn_linking"),
    "MedlineCitation/DateCreated": _date("created"),
    "MedlineCitation/DateCompleted": _date("completed"),
    "MedlineCitation/DateRevised": _date("revised"),
    "MedlineCitation/MeshHeadingList": _read_mesh,
    "MedlineCitation/CommentsCorrectionsList/CommentsCorrections": _read_cites,
    "PubmedData/History/PubMedPubDate": _date(""),
    "PubmedData/ReferenceList": _read_references,
}
_BOOK: dict[str, _SheetRule] = {
    "BookDocument/Book/AuthorList": _read_authors,
    "BookDocument/AuthorList": _read_authors,
    "BookDocument/Book/PubDate": _date("published"),
    "BookDocument/Book/Volume": _printed("volume"),
    "BookDocument/Pagination": _read_pages,
    "BookDocument/GrantList/Grant": _read_grant,
    "BookDocument/ContributionDate": _date("contributed"),
    "BookDocument/DateRevised": _date("revised"),
    "BookDocument/ReferenceList": _read_references,
    "PubmedBookData/History/PubMedPubDate": _date(""),
}
_PATHS = Paths(
    WITH_METADATA,
    {
        **{f"{record}/{path}": rule for record in RECORDS[:2] for path, rule in (_CITATION | _BOOK).items()},
        **{path: rule for path, rule in _CITATION.items() if path.startswith("MedlineCitation/")},
    },
)
