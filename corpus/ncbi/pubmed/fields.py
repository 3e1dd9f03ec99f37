"""From one scanned PubMed record to one `Record`: which element fills which field.

The `Markup` of some records comes in, records go out. The table at the end says which path is read by which function;
whatever it does not name (authors, grants, chemicals, references, history) is not visited. Ids are
therefore the record's own by construction: a cited paper's PMID, DOI or PMC id stands in ReferenceList or
CommentsCorrections, which no path of an id goes through.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from corpus.ids import normalize_doi, parse_number, parse_pmcid
from corpus.ncbi.markup.document import Markup
from corpus.ncbi.markup.parse import BadXmlError
from corpus.ncbi.markup.paths import Paths
from corpus.ncbi.markup.two_languages import halves
from corpus.ncbi.pubmed.text import NO_LABEL, labelled_parts, line
from corpus.ncbi.pubmed.vocabulary import RECORDS, VOCABULARY
from corpus.notices import is_no_abstract, plain_label, without_notices
from corpus.reasons import RejectReason
from corpus.records import MAIN, AbstractPart, BackPart, Kind, Link, Record, Source, pubmed_doc_id

_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_NO_TITLE = re.compile(
    r"\[?\s*(?:not available|in process citation)\s*\.?\s*\]?\s*\.?", re.IGNORECASE
)  # NLM's stand-ins for a title that is not translated yet
_RETRACTED = frozenset({"RetractionIn", "RetractedandRepublishedIn"})  # links that only a retracted record has


@dataclass(kw_only=True, slots=True)
class Draft:
    """A record while its element is read: what the rules fill in, in any order."""

    pmid: int | None = None
    version: int = 1
    title: str = ""
    book_title: str = ""
    vernacular_title: str = ""
    journal: str = ""
    doi: str | None = None
    electronic_doi: str | None = None
    pmcid: int | None = None
    other_pmcid: int | None = None
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


_FieldRule = Callable[[Markup, int, Draft], None]


class RecordReader:
    """Reads the records of one `Markup`, which was scanned with the vocabulary of a set."""

    def __init__(self, doc: Markup) -> None:
        self._doc = doc
        self._rows, self._rules = _PATHS.find(doc)

    def read(
        self, element: int, *, kind: Kind, file: str, offset: int, position: int, pmc_id_anywhere: bool = False
    ) -> Record:
        """Return the record of a PubmedArticle (kind CITATION) or PubmedBookArticle (kind BOOK) element.

        Raises BadXmlError (NO_ID) when it has no PMID of its own.
        """
        doc, draft, rows = self._doc, Draft(), self._rows
        first = bisect_left(rows, element)
        last = bisect_left(rows, doc.nexts[element], first)
        for row, rule in zip(rows[first:last], self._rules[first:last], strict=True):
            rule(doc, row, draft)
        draft.pmc_id_anywhere = pmc_id_anywhere
        return _to_record(draft, kind=kind, file=file, offset=offset, position=position)


def _to_record(draft: Draft, *, kind: Kind, file: str, offset: int, position: int) -> Record:
    if draft.pmid is None:
        raise BadXmlError(RejectReason.NO_ID, "the record has no PMID of its own, or it is no number")
    retracted = "Retracted Publication" in draft.publication_types or (
        bool(draft.links) and any(link.type in _RETRACTED for link in draft.links)
    )
    return Record(
        doc_id=pubmed_doc_id(draft.pmid),
        source=Source.PUBMED,
        kind=kind,
        pmid=draft.pmid,
        version=draft.version,
        pmcid=draft.pmcid or draft.other_pmcid,
        doi=draft.doi or draft.electronic_doi,
        pmc_id_anywhere=draft.pmc_id_anywhere,
        title=draft.title or draft.book_title,
        vernacular_title=draft.vernacular_title,
        abstracts=tuple(draft.abstracts),
        copyright="\n".join(dict.fromkeys(draft.copyrights)) if draft.copyrights else "",
        back=(BackPart(kind="contents", text="\n".join(draft.sections)),) if draft.sections else (),
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


def read_deletions(doc: Markup, element: int) -> Iterator[tuple[int, int] | None]:
    """Yield PMID and version of every deleted citation; None for a PMID that is no number."""
    for child in doc.find_all(element, "PMID"):
        pmid = parse_number(doc.own_text(child))
        yield (pmid, parse_number(doc.attributes(child).get("Version")) or 1) if pmid is not None else None


def _read_pmid(doc: Markup, element: int, draft: Draft) -> None:
    draft.pmid = parse_number(doc.own_text(element))
    draft.version = parse_number(doc.attributes(element).get("Version")) or 1


def _read_title(doc: Markup, element: int, draft: Draft) -> None:
    title = line(doc, element)
    draft.title = "" if _NO_TITLE.fullmatch(title) else title


def _read_sections(doc: Markup, element: int, draft: Draft) -> None:
    """Add the titles of a book's sections, at any depth."""
    for child in range(element + 1, doc.nexts[element]):
        if doc.names[doc.tags[child]] == "SectionTitle":
            _append(doc, child, draft.sections)


def _read_issue_year(doc: Markup, element: int, draft: Draft) -> None:
    """Read the Year of PubDate, else the first year of its MedlineDate ("1998 Dec-1999 Jan")."""
    if draft.issue_year is None:
        draft.issue_year = _first_year(doc.own_text(element))


def _read_article_year(doc: Markup, element: int, draft: Draft) -> None:
    if draft.article_year is None:
        draft.article_year = _first_year(doc.own_text(element))


def _first_year(text: str) -> int | None:
    found = _YEAR.search(text)
    return int(found[1]) if found else None


def _read_main_abstract(doc: Markup, element: int, draft: Draft) -> None:
    _read_abstract(doc, element, draft, MAIN, "")


def _read_other_abstract(doc: Markup, element: int, draft: Draft) -> None:
    # The DTD gives Language the default eng; we read no DTD, and "" would mean "not stated".
    attributes = doc.attributes(element)
    _read_abstract(doc, element, draft, attributes.get("Type") or "other", attributes.get("Language") or "eng")


def _read_abstract(doc: Markup, element: int, draft: Draft, type_: str, language: str) -> None:
    """Add the parts of an abstract, and apart from them its copyright lines and other notices."""
    parts: list[tuple[str, str, str]] = []  # label, category, text
    for child in doc.children(element):
        tag = doc.name(child)
        if tag == "CopyrightInformation":
            draft.copyrights.append(line(doc, child))
        elif tag == "AbstractText":
            parts += _parts_of(doc, child)
    if parts:
        label, category, text = parts[-1]
        rest, notice = without_notices(text)
        if notice and rest:  # a part that is nothing but a notice is left to the profile
            draft.copyrights.append(notice)
            parts[-1] = label, category, rest
    if len(parts) == 1 and is_no_abstract(parts[0][2]):
        parts.clear()
    draft.abstracts += [
        AbstractPart(type=type_, language=language, label=label, category=category, text=text)
        for label, category, text in parts
        if text or label
    ]


def _parts_of(doc: Markup, element: int) -> list[tuple[str, str, str]]:
    """Return label, category and text of an AbstractText, or of the parts that its bold run-in labels make."""
    attributes = doc.attributes(element)
    label, category = plain_label(" ".join(attributes.get("Label", "").split())), attributes.get("NlmCategory", "")
    if doc.nexts[element] == element + 1 or label.upper() not in NO_LABEL:
        found = [(label, line(doc, element))]
    else:
        found = [(own or label, text) for own, text in labelled_parts(doc, element)]
    if len(found) == 1 and found[0][0].upper() in NO_LABEL:
        found = halves(found[0][1]) or found
    return [(own, category, text) for own, text in found]


def _text_of(field_name: str) -> _FieldRule:
    """Return the rule that sets a field to an element's text."""
    return lambda doc, element, draft: setattr(draft, field_name, line(doc, element))


def _add_to(field_name: str) -> _FieldRule:
    """Return the rule that adds an element's text to a list."""
    return lambda doc, element, draft: _append(doc, element, getattr(draft, field_name))


def _append(doc: Markup, element: int, texts: list[str]) -> None:
    text = line(doc, element)
    if text:
        texts.append(text)


def _read_mesh(doc: Markup, element: int, draft: Draft) -> None:
    """Add `Descriptor`, or one `Descriptor/Qualifier` for every qualifier, as MEDLINE prints them.

    Names of MeSH hold no markup; they are half of all elements that are read.
    """
    mesh, text = draft.mesh, doc.text
    descriptor, bare = "", False
    first, stop = element + 1, doc.nexts[element]
    inside = zip(doc.tags[first:stop], doc.starts[first:stop], doc.ends[first:stop], strict=True)
    for tag, start, end in inside:
        name = text[start:end].strip()
        if tag == _QUALIFIER:
            if bare:
                mesh.pop()
                bare = False
            mesh.append(f"{descriptor}/{name}")
        elif tag == _DESCRIPTOR and name:
            mesh.append(name)
            descriptor, bare = name, True


def _read_relation(doc: Markup, element: int, draft: Draft) -> None:
    """Add a link; `Cites` (2018 and before) is a reference list and no relation of the record itself."""
    kind = doc.attributes(element).get("RefType") or ""
    if not kind or kind == "Cites":
        return
    source, pmid = "", None
    for child in doc.children(element):
        if doc.name(child) == "PMID":
            pmid = parse_number(doc.own_text(child))
        elif doc.name(child) == "RefSource":
            source = line(doc, child)
    draft.links.append(Link(type=kind, target=pubmed_doc_id(pmid) if pmid is not None else source))


def _read_electronic_location(doc: Markup, element: int, draft: Draft) -> None:
    attributes = doc.attributes(element)
    if attributes.get("EIdType") == "doi" and attributes.get("ValidYN") != "N" and draft.electronic_doi is None:
        draft.electronic_doi = normalize_doi(doc.own_text(element))


def _read_article_id(doc: Markup, element: int, draft: Draft) -> None:
    kind = doc.attributes(element).get("IdType")
    if kind == "doi" and draft.doi is None:
        draft.doi = normalize_doi(doc.own_text(element))
    elif kind in ("pmc", "pmcid") and draft.pmcid is None:
        draft.pmcid = parse_pmcid(doc.own_text(element))


def _read_other_id(doc: Markup, element: int, draft: Draft) -> None:
    """Read the PMC id that NLM's files held before they had ArticleIds: "PMC123", "PMC123 [Available on 06/09/12]"."""
    words = doc.own_text(element).split()
    if draft.other_pmcid is None and words and words[0][:3].upper() == "PMC":
        draft.other_pmcid = parse_pmcid(words[0])


_DESCRIPTOR, _QUALIFIER = VOCABULARY["DescriptorName"], VOCABULARY["QualifierName"]


_ARTICLE: dict[str, _FieldRule] = {
    "ArticleTitle": _read_title,
    "VernacularTitle": _text_of("vernacular_title"),
    "Abstract": _read_main_abstract,
    "Language": _add_to("languages"),
    "PublicationTypeList/PublicationType": _add_to("publication_types"),
}
_CITATION: dict[str, _FieldRule] = {
    "MedlineCitation/PMID": _read_pmid,
    "MedlineCitation/Article/Journal/Title": _text_of("journal"),
    "MedlineCitation/Article/Journal/JournalIssue/PubDate/Year": _read_issue_year,
    "MedlineCitation/Article/Journal/JournalIssue/PubDate/MedlineDate": _read_issue_year,
    **{f"MedlineCitation/Article/{path}": rule for path, rule in _ARTICLE.items()},
    "MedlineCitation/Article/ELocationID": _read_electronic_location,
    "MedlineCitation/Article/ArticleDate/Year": _read_article_year,
    "MedlineCitation/OtherAbstract": _read_other_abstract,
    "MedlineCitation/MeshHeadingList": _read_mesh,
    "MedlineCitation/CommentsCorrectionsList/CommentsCorrections": _read_relation,
    "MedlineCitation/KeywordList/Keyword": _add_to("keywords"),
    "MedlineCitation/OtherID": _read_other_id,
    "PubmedData/ArticleIdList/ArticleId": _read_article_id,
}
_BOOK: dict[str, _FieldRule] = {
    "BookDocument/PMID": _read_pmid,
    "BookDocument/ArticleIdList/ArticleId": _read_article_id,
    "BookDocument/Book/BookTitle": _text_of("book_title"),
    "BookDocument/Book/PubDate/Year": _read_issue_year,
    "BookDocument/Book/PubDate/MedlineDate": _read_issue_year,
    **{f"BookDocument/{path}": rule for path, rule in _ARTICLE.items()},
    "BookDocument/PublicationType": _add_to("publication_types"),
    "BookDocument/KeywordList/Keyword": _add_to("keywords"),
    "BookDocument/Sections": _read_sections,
    "PubmedBookData/ArticleIdList/ArticleId": _read_article_id,
}
_PATHS = Paths(
    VOCABULARY,
    {
        **{f"{record}/{path}": rule for record in RECORDS[:2] for path, rule in (_CITATION | _BOOK).items()},
        **{path: rule for path, rule in _CITATION.items() if path.startswith("MedlineCitation/")},
    },
)
