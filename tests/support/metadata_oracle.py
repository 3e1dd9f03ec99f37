"""An oracle for the side tables that shares no code with the readers: lxml's trees and paths.

Of a file, or of an article, it gives the rows of every table as plain tuples, in the order of the fields.
"""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

Rows = dict[str, list[tuple[Any, ...]]]
_ORCID = re.compile(r"\d{4}-?\d{4}-?\d{4}-?\d{3}[\dXx]")
_DOI = re.compile(r"10\.\d{3,9}(\.\d+)*/\S+")


def pubmed_rows(path: Path) -> Iterator[tuple[int, Rows]]:
    """Yield the PMID and the rows of each citation and book of a file in order."""
    with gzip.open(path) as source:
        for _, element in etree.iterparse(source, tag=("PubmedArticle", "PubmedBookArticle")):
            top = element.find("BookDocument" if element.tag == "PubmedBookArticle" else "MedlineCitation")
            yield int(top.findtext("PMID")), _citation(element, top)
            element.clear()


def _citation(whole: Any, top: Any) -> Rows:
    data = whole.find("PubmedData") if whole.find("PubmedData") is not None else whole.find("PubmedBookData")
    article = top.find("Article") if top.find("Article") is not None else top
    references = [] if data is None else data.xpath("ReferenceList//Reference")
    return {
        "authors": [_author(one) for one in article.xpath("Book/AuthorList/Author | AuthorList/Author")],
        "references": [
            *((_line(one.find("RefSource")), _number(one.findtext("PMID")), None, None) for one in _cites(top)),
            *map(_reference, references),
        ],
        "mesh": [
            row for rank, one in enumerate(top.xpath("MeshHeadingList/MeshHeading"), 1) for row in _mesh(rank, one)
        ],
        "grants": [
            tuple(_line(one.find(name)) for name in ("GrantID", "Acronym", "Agency", "Country"))
            for one in article.xpath("GrantList/Grant")
        ],
        "dates": [*_dates(top, article, data)],
        "publications": [_publication(top, article)],
    }


def _cites(top: Any) -> Any:
    return top.xpath("CommentsCorrectionsList/CommentsCorrections[@RefType='Cites']")


def _author(one: Any) -> tuple[Any, ...]:
    fields = [_line(one.find(name)) for name in ("LastName", "ForeName", "Initials", "Suffix", "CollectiveName")]
    stated = [_ORCID.search(each.text or "") for each in one.xpath("Identifier[@Source='ORCID']")]
    orcid = next((found[0].replace("-", "") for found in stated if found), "").upper()
    role = one.getparent().get("Type", "authors")[:-1]
    places = [_line(each) for each in one.xpath(".//Affiliation")]
    return (role, *fields, "-".join(orcid[at : at + 4] for at in range(0, len(orcid), 4)), tuple(filter(None, places)))


def _reference(one: Any) -> tuple[Any, ...]:
    ids = {}
    for each in one.xpath("ArticleIdList/ArticleId"):
        ids.setdefault(each.get("IdType"), (each.text or "").strip())
    doi = re.sub(r"^(https?://)?(dx\.)?doi\.org/|^doi:\s*", "", ids.get("doi", "").lower()).rstrip(".,;")
    pmcid = ids.get("pmc", ids.get("pmcid", "")).removeprefix("PMC")
    return (
        _line(one.find("Citation")),
        _number(ids.get("pubmed")),
        doi if _DOI.fullmatch(doi) else None,
        _number(pmcid),
    )


def _mesh(rank: int, one: Any) -> Iterator[tuple[Any, ...]]:
    name = one.find("DescriptorName")
    head = (rank, name.get("UI", ""), _line(name), name.get("MajorTopicYN") == "Y")
    qualifiers = one.findall("QualifierName")
    if not qualifiers:
        yield (*head, "", "", False)
    for each in qualifiers:
        yield (*head, each.get("UI", ""), _line(each), each.get("MajorTopicYN") == "Y")


def _dates(top: Any, article: Any, data: Any) -> list[tuple[str, str]]:
    """Return (kind, text), sorted: in which order kinds come is not asked."""
    places = (
        *(("created", top, "DateCreated"), ("completed", top, "DateCompleted"), ("revised", top, "DateRevised")),
        *(("published", article, "Journal/JournalIssue/PubDate"), ("published", article, "Book/PubDate")),
        *(("electronic", article, "ArticleDate"), ("contributed", top, "ContributionDate")),
    )
    found = [(kind, one) for kind, where, path in places for one in where.findall(path)]
    found += [] if data is None else [(one.get("PubStatus"), one) for one in data.findall("History/PubMedPubDate")]
    return sorted((kind, " ".join(each.text.strip() for each in one)) for kind, one in found)


def _publication(top: Any, article: Any) -> tuple[str, ...]:
    issn = article.find("Journal/ISSN")
    pages = article.find("Pagination")
    first_last = [] if pages is None else [_line(pages.find(name)) for name in ("StartPage", "EndPage")]
    return (
        _line(article.find("Journal/ISOAbbreviation")) or _line(top.find("MedlineJournalInfo/MedlineTA")),
        _line(issn),
        "" if issn is None else issn.get("IssnType", ""),
        _line(top.find("MedlineJournalInfo/ISSNLinking")),
        _line(top.find("MedlineJournalInfo/NlmUniqueID")),
        _line(top.find("MedlineJournalInfo/Country")),
        _line(article.find("Journal/JournalIssue/Volume")) or _line(article.find("Book/Volume")),
        _line(article.find("Journal/JournalIssue/Issue")),
        ("" if pages is None else _line(pages.find("MedlinePgn"))) or "-".join(filter(None, first_last)),
    )


def article_authors(raw: bytes) -> list[tuple[str, str, str, str, str]]:
    """Return (role, last name, given names, group, ORCID) of each contributor of an article, in order."""
    tree = etree.fromstring(
        raw, etree.XMLParser(load_dtd=False, no_network=True, remove_comments=True, remove_pis=True)
    )
    for element in tree.iter():
        element.tag = etree.QName(element).localname
    found = []
    for one in tree.xpath("//article/front/article-meta/contrib-group/contrib"):
        name = next(iter(one.xpath("name | name-alternatives/name | string-name")), None)
        group = next(iter(one.xpath("collab | collab-alternatives/collab")), None) if name is None else None
        last = "" if name is None else _line(name.find("surname")) or _line(name)
        given = "" if name is None else _line(name.find("given-names"))
        stated = one.xpath("contrib-id[translate(@contrib-id-type, 'ORCID', 'orcid')='orcid']")
        orcids = [_ORCID.search("".join(each.itertext())) for each in stated]
        orcid = next((each[0].replace("-", "").upper() for each in orcids if each), "")
        grouped = "-".join(orcid[at : at + 4] for at in range(0, len(orcid), 4))
        found.append((one.get("contrib-type", "author"), last, given, _without(group), grouped))
    return found


def _without(group: Any) -> str:
    if group is None:
        return ""
    for inner in group.xpath(".//contrib-group | .//aff | .//xref | .//contrib-id | .//email"):
        tail, before = inner.tail or "", inner.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + tail
        else:
            inner.getparent().text = (inner.getparent().text or "") + tail
        inner.getparent().remove(inner)
    return _line(group)


def _line(element: Any) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _number(text: str | None) -> int | None:
    digits = (text or "").strip()
    return int(digits) or None if digits.isascii() and digits.isdecimal() else None
