"""From one parsed PubMed element to one `Record`: which element fills which field.

A PubmedArticle, PubmedBookArticle or DeleteCitation element comes in, records go out. The tables below say, level by
level, which child is read by which function; whatever they do not name (authors, grants, chemicals,
references, history) is not visited. Ids are therefore the record's own by construction: a cited paper's PMID,
DOI or PMC id stands in ReferenceList or CommentsCorrections, which no id rule reaches.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from corpus.ncbi.ids import normalize_doi, parse_pmcid
from corpus.ncbi.xml import BadXmlError, flat_text
from corpus.records import AbstractPart, Kind, Link, Record, RejectReason, Source, pubmed_doc_id

_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_MAX_DIGITS = 15  # far above any id of NCBI, and safely below the 60 bits of a document key


@dataclass(kw_only=True, slots=True)
class _Draft:
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
    issue_year: int | None = None
    article_year: int | None = None
    abstracts: list[AbstractPart] = field(default_factory=list)
    copyrights: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    publication_types: list[str] = field(default_factory=list)
    mesh: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


_Rule = Callable[[etree._Element, _Draft], None]


def read_record(element: etree._Element, *, kind: Kind, file: str, offset: int, position: int) -> Record:
    """Return the record of a PubmedArticle (kind CITATION) or PubmedBookArticle (kind BOOK) element.

    Raises BadXmlError (NO_ID) when it has no PMID of its own.
    """
    draft = _Draft()
    _visit(element, _SET_CHILD, draft)
    if draft.pmid is None:
        raise BadXmlError(RejectReason.NO_ID, "the record has no PMID of its own, or it is no number")
    retracted = "Retracted Publication" in draft.publication_types or any(
        link.type == "RetractionIn" for link in draft.links
    )
    return Record(
        doc_id=pubmed_doc_id(draft.pmid),
        source=Source.PUBMED,
        kind=kind,
        pmid=draft.pmid,
        version=draft.version,
        pmcid=draft.pmcid,
        doi=draft.doi or draft.electronic_doi,
        title=draft.title or draft.book_title,
        vernacular_title=draft.vernacular_title,
        abstracts=tuple(draft.abstracts),
        copyright="\n".join(dict.fromkeys(draft.copyrights)),
        languages=tuple(draft.languages),
        year=draft.issue_year or draft.article_year,
        journal=draft.journal or draft.book_title,
        publication_types=tuple(draft.publication_types),
        mesh=tuple(draft.mesh),
        keywords=tuple(draft.keywords),
        links=tuple(draft.links),
        retracted=retracted,
        file=file,
        offset=offset,
        position=position,
    )


def read_deletions(element: etree._Element) -> Iterator[tuple[int, int] | None]:
    """Yield PMID and version of every deleted citation; None for a PMID that is no number."""
    for child in element:
        if child.tag == "PMID":
            pmid = _number(child.text)
            yield (pmid, _number(child.get("Version")) or 1) if pmid is not None else None


def _visit(element: etree._Element, rules: Mapping[str, _Rule], draft: _Draft) -> None:
    """Read the children that have a rule, in document order."""
    for child in element:
        rule = rules.get(child.tag)
        if rule is not None:
            rule(child, draft)


def _number(text: str | None) -> int | None:
    digits = text.strip() if text else ""
    return int(digits) if digits.isdecimal() and digits.isascii() and len(digits) <= _MAX_DIGITS else None


def _read_pmid(element: etree._Element, draft: _Draft) -> None:
    draft.pmid = _number(element.text)
    draft.version = _number(element.get("Version")) or 1


def _read_title(element: etree._Element, draft: _Draft) -> None:
    draft.title = flat_text(element)


def _read_vernacular_title(element: etree._Element, draft: _Draft) -> None:
    draft.vernacular_title = flat_text(element)


def _read_book_title(element: etree._Element, draft: _Draft) -> None:
    draft.book_title = flat_text(element)


def _read_journal_title(element: etree._Element, draft: _Draft) -> None:
    draft.journal = flat_text(element)


def _read_issue_date(element: etree._Element, draft: _Draft) -> None:
    """Read PubDate: its Year, else the first year of MedlineDate ("1998 Dec-1999 Jan")."""
    for child in element:
        if child.tag in ("Year", "MedlineDate") and draft.issue_year is None:
            draft.issue_year = _first_year(child.text)


def _read_article_date(element: etree._Element, draft: _Draft) -> None:
    for child in element:
        if child.tag == "Year" and draft.article_year is None:
            draft.article_year = _first_year(child.text)


def _first_year(text: str | None) -> int | None:
    found = _YEAR.search(text or "")
    return int(found[1]) if found else None


def _read_main_abstract(element: etree._Element, draft: _Draft) -> None:
    _read_abstract(element, draft, "main", "")


def _read_other_abstract(element: etree._Element, draft: _Draft) -> None:
    # The DTD gives Language the default eng; we read no DTD, and "" would mean "not stated".
    _read_abstract(element, draft, element.get("Type") or "other", element.get("Language") or "eng")


def _read_abstract(element: etree._Element, draft: _Draft, type_: str, language: str) -> None:
    for child in element:
        text = flat_text(child)
        if child.tag == "CopyrightInformation":
            draft.copyrights.append(text)
        elif child.tag == "AbstractText":
            label = " ".join((child.get("Label") or "").split())
            if text or label:
                category = child.get("NlmCategory") or ""
                draft.abstracts.append(
                    AbstractPart(type=type_, language=language, label=label, category=category, text=text)
                )


def _read_language(element: etree._Element, draft: _Draft) -> None:
    _append(element, draft.languages)


def _read_publication_type(element: etree._Element, draft: _Draft) -> None:
    _append(element, draft.publication_types)


def _read_keyword(element: etree._Element, draft: _Draft) -> None:
    _append(element, draft.keywords)


def _append(element: etree._Element, texts: list[str]) -> None:
    text = flat_text(element)
    if text:
        texts.append(text)


def _read_mesh(element: etree._Element, draft: _Draft) -> None:
    """Add `Descriptor`, or one `Descriptor/Qualifier` for every qualifier, as MEDLINE prints them.

    Names of MeSH hold no markup, so their text is read as it stands: they are a third of all elements visited.
    """
    mesh, descriptor, bare = draft.mesh, "", False
    for child in element.iter("DescriptorName", "QualifierName"):
        name = (child.text or "").strip()
        if child.tag == "QualifierName":
            if bare:
                mesh.pop()
                bare = False
            mesh.append(f"{descriptor}/{name}")
        elif name:
            mesh.append(name)
            descriptor, bare = name, True


def _read_relation(element: etree._Element, draft: _Draft) -> None:
    """Add a link; `Cites` (2018 and before) is a reference list and no relation of the record itself."""
    kind = element.get("RefType") or ""
    if not kind or kind == "Cites":
        return
    source, pmid = "", None
    for child in element:
        if child.tag == "PMID":
            pmid = _number(child.text)
        elif child.tag == "RefSource":
            source = flat_text(child)
    draft.links.append(Link(type=kind, target=pubmed_doc_id(pmid) if pmid is not None else source))


def _read_electronic_location(element: etree._Element, draft: _Draft) -> None:
    if element.get("EIdType") == "doi" and element.get("ValidYN") != "N" and draft.electronic_doi is None:
        draft.electronic_doi = normalize_doi(element.text)


def _read_article_id(element: etree._Element, draft: _Draft) -> None:
    kind = element.get("IdType")
    if kind == "doi" and draft.doi is None:
        draft.doi = normalize_doi(element.text)
    elif kind in ("pmc", "pmcid") and draft.pmcid is None:
        draft.pmcid = parse_pmcid(element.text)


def _inside(rules: Mapping[str, _Rule]) -> _Rule:
    """Return the rule of an element that is only read for its children."""
    return lambda element, draft: _visit(element, rules, draft)


_ABSTRACT: Mapping[str, _Rule] = {
    "ArticleTitle": _read_title,
    "VernacularTitle": _read_vernacular_title,
    "Abstract": _read_main_abstract,
    "Language": _read_language,
    "PublicationTypeList": _inside({"PublicationType": _read_publication_type}),
}
_KEYWORDS: Mapping[str, _Rule] = {"KeywordList": _inside({"Keyword": _read_keyword})}
_IDS: Mapping[str, _Rule] = {"ArticleIdList": _inside({"ArticleId": _read_article_id})}
_ISSUE_DATE: Mapping[str, _Rule] = {"PubDate": _read_issue_date}
_JOURNAL: Mapping[str, _Rule] = {"Title": _read_journal_title, "JournalIssue": _inside(_ISSUE_DATE)}
_ARTICLE: Mapping[str, _Rule] = {
    **_ABSTRACT,
    "Journal": _inside(_JOURNAL),
    "ELocationID": _read_electronic_location,
    "ArticleDate": _read_article_date,
}
_CITATION: Mapping[str, _Rule] = {
    **_KEYWORDS,
    "PMID": _read_pmid,
    "Article": _inside(_ARTICLE),
    "OtherAbstract": _read_other_abstract,
    "MeshHeadingList": _read_mesh,
    "CommentsCorrectionsList": _inside({"CommentsCorrections": _read_relation}),
}
_BOOK: Mapping[str, _Rule] = {"BookTitle": _read_book_title, **_ISSUE_DATE}
_BOOK_DOCUMENT: Mapping[str, _Rule] = {
    **_ABSTRACT,
    **_KEYWORDS,
    **_IDS,
    "PMID": _read_pmid,
    "Book": _inside(_BOOK),
    "PublicationType": _read_publication_type,
}
_SET_CHILD: Mapping[str, _Rule] = {
    "MedlineCitation": _inside(_CITATION),
    "PubmedData": _inside(_IDS),
    "BookDocument": _inside(_BOOK_DOCUMENT),
    "PubmedBookData": _inside(_IDS),
}
