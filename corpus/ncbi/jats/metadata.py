"""Metadata of articles for the side tables: authors, references, grants, journal, dates, and where the licence stands.

The bytes of one article and its record come in; rows go out into `SideTables`. The bytes are scanned once more, with
a vocabulary of front and references in which the body costs nothing. Sub-articles have no rows of their own.
"""

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from corpus.ids import normalize_doi, parse_number, parse_pmcid
from corpus.licenses import license_address, license_name
from corpus.metadata import Cited, Contributor, Grant, Publication, SideTables, StatedDate
from corpus.ncbi.archives.packages import unpack
from corpus.ncbi.jats.front import stated_license
from corpus.ncbi.jats.vocabulary import NAMESPACES
from corpus.ncbi.markup.document import Markup, Vocabulary
from corpus.ncbi.markup.parse import read_markup
from corpus.records import Record

_ORCID = re.compile(r"(\d{4})-?(\d{4})-?(\d{4})-?(\d{3}[\dXx])(?!\d)")
_TAG = re.compile(rb"<[^>]*>")
_ADDRESS = re.compile(r"https?://[^\s\"'<>()]+", re.IGNORECASE)
_NAMES = """
article front article-meta journal-meta journal-title-group abbrev-journal-title issn issn-l journal-id contrib-group
contrib name name-alternatives string-name surname given-names suffix collab collab-alternatives contrib-id xref aff
aff-alternatives institution-id label sup volume issue fpage lpage elocation-id pub-date string-date day month year
season history date funding-group award-group award-id funding-source back ref-list ref element-citation mixed-citation
nlm-citation citation citation-alternatives pub-id permissions license copyright-statement related-object email
"""
_OPAQUE = "body floats-group floats-wrap sub-article response abstract trans-abstract"
_VOCABULARY = Vocabulary(_NAMES.split(), opaque=_OPAQUE.split())
_CITATIONS = ("element-citation", "mixed-citation", "nlm-citation", "citation")
_PRINTED = ("volume", "issue")


def add_article_metadata(raw: bytes, record: Record, side: SideTables) -> None:
    """Add the rows of an article whose record was read from these bytes."""
    doc = read_markup(unpack(raw, ""), _VOCABULARY, namespaces=NAMESPACES)
    article = 0 if doc.tags and doc.tag_names[0] == "article" else next(iter(doc.descendants(-1, "article")), -1)
    meta = doc.find(article, "front", "article-meta")
    place: dict[str, Any] = {"doc_id": record.doc_id, "position": record.position}
    side.rows["publications"].append(Publication(**place, **_publication(doc, article, meta, record)))
    tables: tuple[tuple[str, Any, Iterator[dict[str, Any]]], ...] = (
        ("authors", Contributor, _authors(doc, meta)),
        ("grants", Grant, _grants(doc, meta)),
        ("references", Cited, _references(doc, article)),
    )
    for table, row, found in tables:
        side.rows[table] += [row(**place, rank=rank, **fields) for rank, fields in enumerate(found, start=1)]
    side.rows["dates"] += [StatedDate(**place, kind=kind, text=text) for kind, text in _dates(doc, meta)]


def _publication(doc: Markup, article: int, meta: int, record: Record) -> dict[str, Any]:
    journal = doc.find(article, "front", "journal-meta")
    issn, linking = doc.find(journal, "issn"), doc.find(journal, "issn-l")
    ids = {
        doc.attributes(each).get("journal-id-type"): _text(doc, each) for each in doc.find_all(journal, "journal-id")
    }
    abbreviation = doc.find(journal, "journal-title-group", "abbrev-journal-title")
    pages = [_text(doc, doc.find(meta, name)) for name in ("fpage", "lpage")]
    return {
        "abbreviation": _text(doc, abbreviation) or ids.get("iso-abbrev") or ids.get("nlm-ta") or "",
        "issn": _text(doc, issn),
        "issn_type": (doc.attributes(issn).get("pub-type") or "") if issn >= 0 else "",
        "issn_linking": _text(doc, linking),
        "nlm_id": ids.get("nlm-journal-id") or "",
        **{name: _text(doc, doc.find(meta, name)) for name in _PRINTED},
        "pages": "-".join(dict.fromkeys(filter(None, pages))) or _text(doc, doc.find(meta, "elocation-id")),
        **_license(doc, meta, record.license),
    }


def _license(doc: Markup, meta: int, name: str) -> dict[str, str]:
    """Return where a record's licence is stated, and the address that says its terms."""
    links, text = stated_license(doc, meta)
    own = [link for link in (*links, *_ADDRESS.findall(text)) if name and license_name(links=[link]) == name]
    if not name:
        where = ""
    elif own and own[0] in links:
        where = "link"
    else:
        where = "text" if license_name(links=links, text=text) == name else "metadata"
    return {"license_stated": where, "license_url": own[0].rstrip(".,;") if own else license_address(name)}


def _authors(doc: Markup, meta: int) -> Iterator[dict[str, Any]]:
    """Yield what is stated of each contributor, members of a group left out."""
    known = dict(_affiliations(doc, meta))
    for group in doc.find_all(meta, "contrib-group"):
        shared = [_affiliation(doc, each) for each in doc.find_all(group, "aff") if not doc.attributes(each).get("id")]
        for contrib in doc.find_all(group, "contrib"):
            orcids = (doc.own_text(each) for each in doc.find_all(contrib, "contrib-id") if _is_orcid(doc, each))
            found = next(filter(None, map(_ORCID.search, orcids)), None)
            yield {
                "role": doc.attributes(contrib).get("contrib-type") or "author",
                **_name(doc, contrib),
                "orcid": "-".join(found.groups()).upper() if found else "",
                "affiliations": tuple(filter(None, _own_affiliations(doc, contrib, known) or shared)),
            }


def _is_orcid(doc: Markup, element: int) -> bool:
    return (doc.attributes(element).get("contrib-id-type") or "").lower() == "orcid"


def _name(doc: Markup, contrib: int) -> dict[str, str]:
    """Return the name of a person, in the first of its forms, or of a group."""
    paths = (("name",), ("name-alternatives", "name"), ("string-name",), ("name-alternatives", "string-name"))
    name = next((found for path in paths if (found := doc.find(contrib, *path)) >= 0), -1)
    if name >= 0:
        last = _text(doc, doc.find(name, "surname"))
        return {
            "last_name": last or _text(doc, name),
            "fore_name": _text(doc, doc.find(name, "given-names")),
            "suffix": _text(doc, doc.find(name, "suffix")),
        }
    groups = (("collab",), ("collab-alternatives", "collab"))
    collab = next((found for path in groups if (found := doc.find(contrib, *path)) >= 0), -1)
    return {"collective": _text(doc, collab, "contrib-group", "aff", "xref", "contrib-id", "email")}


def _own_affiliations(doc: Markup, contrib: int, known: Mapping[str, str]) -> list[str]:
    """Return the affiliations inside a contributor and those that it points to."""
    inside = [_affiliation(doc, each) for each in doc.descendants(contrib, "aff")]
    links = (doc.attributes(each) for each in doc.find_all(contrib, "xref"))
    ids = [name for each in links if each.get("ref-type") == "aff" for name in (each.get("rid") or "").split()]
    return list(dict.fromkeys([*inside, *(known[name] for name in ids if name in known)]))


def _affiliations(doc: Markup, meta: int) -> Iterator[tuple[str, str]]:
    """Yield the id and text of each affiliation; those in several languages are the first one."""
    for element in doc.descendants(meta, "aff", "aff-alternatives") if meta >= 0 else ():
        if name := doc.attributes(element).get("id"):
            first = doc.find(element, "aff") if doc.tag_names[element] == "aff-alternatives" else element
            yield name, _affiliation(doc, first)


def _affiliation(doc: Markup, element: int) -> str:
    """Return the text of an affiliation without the mark that points to it."""
    marks = [child for child in doc.children(element) if doc.tag_names[child] == "sup"][:1]
    mark = [child for child in marks if not doc.text[doc.starts[element] : doc.starts[child]].strip()]
    return _text(doc, element, "label", "institution-id", "email", but=mark)


def _grants(doc: Markup, meta: int) -> Iterator[dict[str, Any]]:
    """Yield number and agency of each award; an award of several numbers is as many grants."""
    for award in doc.descendants(meta, "award-group") if meta >= 0 else ():
        agency = next((_text(doc, each, "institution-id") for each in doc.descendants(award, "funding-source")), "")
        numbers = [_text(doc, each) for each in doc.descendants(award, "award-id")]
        yield from ({"number": number, "agency": agency} for number in numbers or [""])


def _references(doc: Markup, article: int) -> Iterator[dict[str, Any]]:
    """Yield each entry of the lists of references at the end; of several forms of one, the first, with all ids."""
    back = doc.find(article, "back")
    for reference in doc.descendants(back, "ref") if back >= 0 else ():
        ids: dict[str, str] = {}
        for element in doc.descendants(reference, "pub-id"):
            ids.setdefault(doc.attributes(element).get("pub-id-type") or "", doc.own_text(element))
        forms = doc.descendants(reference, *_CITATIONS)
        yield {
            "citation": _printed(doc, forms[0]) if forms else _text(doc, reference, "label"),
            "pmid": parse_number(ids.get("pmid")),
            "doi": normalize_doi(ids.get("doi")),
            "pmcid": parse_pmcid(ids.get("pmcid")) or parse_pmcid(ids.get("pmc")),
        }


def _printed(doc: Markup, citation: int) -> str:
    """Return a reference as a line; the fields of one without punctuation have a space between."""
    if doc.tag_names[citation] != "element-citation":
        return _text(doc, citation)
    return " ".join(unescape(_TAG.sub(b" ", doc.source(citation)).decode()).split())


def _dates(doc: Markup, meta: int) -> Iterator[tuple[str, str]]:
    """Yield kind and text of the dates of publication, then those of the history."""
    dates = [*doc.find_all(meta, "pub-date"), *doc.find_all(doc.find(meta, "history"), "date")] if meta >= 0 else []
    for date in dates:
        attributes = doc.attributes(date)
        parts = {name: _text(doc, doc.find(date, name)) for name in ("year", "month", "season", "day", "string-date")}
        text = " ".join(filter(None, parts.values())) or attributes.get("iso-8601-date") or ""
        if text:
            yield attributes.get("date-type") or attributes.get("pub-type") or "pub", text


def _text(doc: Markup, element: int, *without: str, but: list[int] | None = None) -> str:
    """Return an element's text as one line, without what stands in elements of some names, or in some; "" for -1."""
    if element < 0:
        return ""
    pieces, start = [], doc.starts[element]
    for child in sorted([*(doc.descendants(element, *without) if without else ()), *(but or ())]):
        if doc.starts[child] >= start:
            pieces.append(doc.text[start : doc.starts[child]])
            start = doc.ends[child]
    return " ".join("".join([*pieces, doc.text[start : doc.ends[element]]]).split())
