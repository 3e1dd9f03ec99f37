"""Front matter of an article: ids, titles, abstracts, date, journal, keywords, licence, links.

The `<article>` element comes in, values for `Record`'s fields go out. Ids are read from `article-meta/article-id`
alone: reference lists repeat the ids of other papers. The year is the earliest of the publication dates, for that is
when the text became readable; PMC's own release date, manuscript submission and history dates count only when there is
no other.
"""

import re
from dataclasses import dataclass

from corpus.ids import normalize_doi, parse_pmcid
from corpus.licenses import license_name
from corpus.ncbi.jats.accounts import solid
from corpus.ncbi.jats.rules import Reader
from corpus.ncbi.markup.attributes import attribute_value
from corpus.ncbi.markup.document import Markup
from corpus.records import Link

# What a licence points to, in reading order: links, and the address in <ali:license_ref>.
_HREF = re.compile(rb"""href\s*=\s*(?:"([^"]*)"|'([^']*)')""")  # what most have, and several times faster
_LINK = re.compile(rb"""href\s*=\s*(?:"([^"]*)"|'([^']*)')|license_ref[^>]*>\s*([^<\s]*)""")

_READ_IDS = frozenset(["pmc", "pmcid", "pmcid-ver", "pmid", "doi", "manuscript"])
_PUBLISHED = frozenset(["epub", "ppub", "epub-ppub", "collection", "pub", "ecorrected", "corrected", "online", "print"])
_YEAR = re.compile(r"\s*([12]\d{3})\b")
_VERSIONED = re.compile(r"(?:PMC)?(\d+)\.(\d{1,4})", re.IGNORECASE)
# Accounts of what stands directly in an article, and directly in its article-meta.
_REGIONS = {
    "front": "article_metadata",
    "front-stub": "article_metadata",
    "sub-article": "sub_articles",
    "response": "sub_articles",
    "processing-meta": "processing_metadata",
}
_METADATA = {
    **dict.fromkeys(("contrib-group", "aff", "aff-alternatives", "author-notes"), "author_metadata"),
    **dict.fromkeys(("permissions", "license", "copyright-statement"), "permissions"),
    "article-id": "ids",
    "related-article": "links",
}
_ABBREVIATION = ("journal-title-group", "abbrev-journal-title")
_RETRACTED_TITLE = re.compile(r"\W*(?:retracted(?:\s+(?:article|paper))?)\s*[:\]]", re.IGNORECASE)
_RETRACTED_LINKS = frozenset(["retraction-forward", "retracted-by"])
_NOTICES = frozenset(["retraction", "partial-retraction", "correction", "expression-of-concern"])


@dataclass(frozen=True, kw_only=True, slots=True)
class ArticleIds:
    """The article's own ids; None where it states none."""

    pmcid: int | None = None
    version: int | None = None
    pmid: int | None = None
    doi: str | None = None
    manuscript: bool = False


def read_ids(doc: Markup, meta: int) -> ArticleIds:
    """Return the ids in article-meta (-1: none); the first usable one of each kind."""
    found: dict[str, str] = {}
    for element in doc.find_all(meta, "article-id") if meta >= 0 else ():
        kind, value = doc.attributes(element).get("pub-id-type") or "", doc.own_text(element).strip()
        if value:
            found.setdefault(kind, value)
    numbers = (parse_pmcid(found.get(kind)) for kind in ("pmc", "pmcid"))
    versioned = _VERSIONED.fullmatch(found.get("pmcid-ver", "")) or _VERSIONED.fullmatch(found.get("pmcid", ""))
    pmcid = next((number for number in numbers if number), None) or (int(versioned[1]) if versioned else None)
    pmid = found.get("pmid", "")
    return ArticleIds(
        pmcid=pmcid,
        version=int(versioned[2]) if versioned else None,
        pmid=int(pmid) if pmid.isascii() and pmid.isdecimal() and int(pmid) else None,
        doi=normalize_doi(found.get("doi")),
        manuscript="manuscript" in found,
    )


def open_accounts(reader: Reader, article: int, meta: int) -> None:
    """Give every region of an article its account; make the front's the current one, for fields to be taken from."""
    doc, accounts = reader.doc, reader.accounts
    for child in doc.children(article):
        if (account := _REGIONS.get(doc.tag_names[child])) is not None:
            reader.assign(child, account)
    accounts.current = "article_metadata"
    journal = doc.find(article, "front", "journal-meta")
    if journal >= 0:
        reader.assign(journal, "journal_metadata")
    for child in doc.children(meta) if meta >= 0 else ():
        account = _METADATA.get(doc.tag_names[child])
        if account == "ids" and doc.attributes(child).get("pub-id-type") not in _READ_IDS:
            continue
        if account is not None:
            reader.assign(child, account)


def read_titles(reader: Reader, meta: int) -> tuple[str, str]:
    """Return the title with its subtitle, and the first translated title."""
    find = reader.doc.find
    title = _title(reader, "title", find(meta, "title-group"), "article-title", "subtitle")
    translated = find(meta, "title-group", "trans-title-group")
    return title, _title(reader, "vernacular_title", translated, "trans-title", "trans-subtitle")


def _title(reader: Reader, field: str, group: int, *tags: str) -> str:
    """Return the titles of some names, a colon between two unless the first ends in a mark of its own."""
    doc, whole, read = reader.doc, "", 0
    for title in (title for tag in tags for title in doc.find_all(group, tag)[: None if tag == "subtitle" else 1]):
        text = read_line(reader, title, field)
        joint = "" if not whole or not text else " " if whole[-1] in ":?!.–—" else ": "
        whole += joint + text
        read += solid(text)
    reader.accounts.written[field] += solid(whole) - read
    return whole


def read_line(reader: Reader, element: int, field: str) -> str:
    """Return an element's text as one line of a field, "" for -1."""
    if element < 0:
        return ""
    outer = reader.enter(element, field)
    text = reader.line(element)
    reader.accounts.leave(outer)
    return text


def read_year(reader: Reader, meta: int) -> int | None:
    """Return the year of publication, None when there is no date."""
    doc = reader.doc
    published: list[tuple[int, int]] = []  # with the element that states it
    others: list[tuple[int, int]] = []
    for date in doc.find_all(meta, "pub-date"):
        attributes, year, phrase = doc.attributes(date), doc.find(date, "year"), doc.find(date, "string-date")
        stated = year if year >= 0 else phrase
        iso = attributes.get("iso-8601-date") or ""
        found = _YEAR.match(doc.own_text(year) if year >= 0 else iso or (doc.own_text(phrase) if phrase >= 0 else ""))
        if found:
            kind = attributes.get("pub-type") or attributes.get("date-type") or "pub"
            (published if kind in _PUBLISHED else others).append((int(found[1]), stated))
    earliest, element = min(published or others, default=(None, -1))
    if element >= 0:
        reader.assign(element, "year")
    return earliest


def read_journal(reader: Reader, journal: int) -> str:
    """Return the journal's title, else its abbreviation; "" for -1."""
    if journal < 0:
        return ""
    accounts, title = reader.accounts, ""
    outer, accounts.current = accounts.current, "journal_metadata"
    for path in (("journal-title-group", "journal-title"), ("journal-title",), _ABBREVIATION, ("journal-id",)):
        title = title or read_line(reader, reader.doc.find(journal, *path), "journal")
    accounts.leave(outer)
    return title


def read_keywords(reader: Reader, meta: int) -> tuple[str, ...]:
    """Return the keywords of all groups but lists of abbreviations, each once."""
    doc = reader.doc
    found: dict[str, None] = {}
    for group in doc.find_all(meta, "kwd-group"):
        if not (doc.attributes(group).get("kwd-group-type") or "").startswith("abbr"):
            end = 0
            for keyword in doc.descendants(group, "kwd", "compound-kwd"):
                if keyword >= end:  # not inside the last one
                    text = read_line(reader, keyword, "keywords")
                    if text in found:
                        reader.accounts.counts["keywords"] -= solid(text)
                        reader.accounts.counts["index_terms"] += solid(text)
                    found.setdefault(text)
                    end = doc.nexts[keyword]
    found.pop("", None)
    return tuple(found)


def read_type(doc: Markup, article: int) -> str:
    """Return JATS's type of an article or of a response, "" where it states none."""
    attributes = doc.attributes(article)
    return attributes.get("article-type") or attributes.get("response-type") or ""


def read_languages(doc: Markup, article: int) -> tuple[str, ...]:
    """Return the language that an article states; none when it states none."""
    return tuple(filter(None, [doc.attributes(article).get("lang")]))


def read_license(doc: Markup, meta: int, code: str) -> str:
    """Return the licence by its SPDX name; `code` is the bucket's."""
    links, text = stated_license(doc, meta)
    return license_name(links=links, text=text, code=code)


def stated_license(doc: Markup, meta: int) -> tuple[list[str], str]:
    """Return the links of an article's permissions, first in reading order, and their prose."""
    links: list[str] = []
    texts: list[str] = []
    for name in ("permissions", "license", "copyright-statement"):
        for element in doc.find_all(meta, name):
            texts.append(doc.own_text(element))
            source = doc.source(element)
            found = _LINK.findall(source) if b"license_ref" in source else _HREF.findall(source)
            links += [(doc.attributes(element).get("href") or "")]
            links += [attribute_value(b"".join(forms)) for forms in found]
    return list(filter(None, links)), " ".join("".join(texts).split())


def read_links(reader: Reader, meta: int) -> tuple[Link, ...]:
    """Return the relations to other articles that the article states."""
    links = []
    for element in reader.doc.find_all(meta, "related-article"):
        attributes = reader.doc.attributes(element)
        target, kind = (attributes.get("href") or "").strip(), attributes.get("ext-link-type") or ""
        doi = normalize_doi(target)
        if kind in ("pubmed", "pmid") and target.isdecimal():
            target = f"pmid:{target}"
        elif kind in ("pmc", "pmcid") and (number := parse_pmcid(target)):
            target = f"pmc:PMC{number}"
        elif doi:
            target = f"doi:{doi}"
        if target:
            links.append(Link(type=attributes.get("related-article-type") or "", target=target))
    return tuple(links)


def is_retracted(article_type: str, title: str, links: tuple[Link, ...]) -> bool:
    """Say whether the article itself is retracted; the notice that retracts another is not."""
    if article_type in _NOTICES:
        return False
    stated = article_type == "retracted-article" or any(link.type in _RETRACTED_LINKS for link in links)
    return stated or _RETRACTED_TITLE.match(title) is not None
