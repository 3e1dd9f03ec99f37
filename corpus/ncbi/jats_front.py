"""What an article says about itself: ids, titles, abstracts, date, journal, keywords, licence, links.

The `<article>` element comes in, values for `Record`'s fields go out. Ids are read from `article-meta/article-id`
alone: reference lists repeat the ids of other papers. The year is the earliest of the publication dates, for that is
when the text became readable; PMC's own release date, manuscript submission and history dates count only when there is
no other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from corpus.ncbi.ids import normalize_doi, parse_pmcid
from corpus.ncbi.jats_body import Reader
from corpus.ncbi.licenses import license_name
from corpus.records import AbstractPart, BlockKind, Link

Element = etree._Element

LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_HREF = "{http://www.w3.org/1999/xlink}href"

_PUBLISHED = frozenset(["epub", "ppub", "epub-ppub", "collection", "pub", "ecorrected", "corrected", "online", "print"])
_YEAR = re.compile(r"\s*([12]\d{3})\b")
_VERSIONED = re.compile(r"(?:PMC)?(\d+)\.(\d{1,4})", re.IGNORECASE)
# Types that journals give to the one abstract they have.
_PLAIN_TYPES = ("normal", "primary", "section", "short")
_TITLE_OF_ABSTRACT = frozenset(
    ["abstract", "abstracts", "summary", "résumé", "resumen", "resumo", "riassunto", "zusammenfassung"]
)
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


def read_ids(meta: Element | None) -> ArticleIds:
    """Return the ids in article-meta; the first usable one of each kind."""
    found: dict[str, str] = {}
    for element in meta.iterfind("article-id") if meta is not None else ():
        kind, value = element.get("pub-id-type") or "", (element.text or "").strip()
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


def read_titles(reader: Reader, meta: Element) -> tuple[str, str]:
    """Return the title with its subtitle, and the first translated title."""
    group, translated = meta.find("title-group"), meta.find("title-group/trans-title-group")
    return _title(reader, group, "article-title", "subtitle"), _title(
        reader, translated, "trans-title", "trans-subtitle"
    )


def _title(reader: Reader, group: Element | None, *tags: str) -> str:
    if group is None:
        return ""
    title, subtitle = (reader.line(group.find(tag)) for tag in tags)
    if title and subtitle:
        return f"{title} {subtitle}" if title[-1] in ":?!.–—" else f"{title}: {subtitle}"
    return title or subtitle


def read_abstracts(reader: Reader, meta: Element) -> tuple[AbstractPart, ...]:
    """Return the parts of all abstracts in document order.

    An untyped abstract is "main"; without one, so is the first of a type that only says "the abstract".
    """
    elements = [element for element in meta if element.tag in ("abstract", "trans-abstract")]
    types = [_abstract_type(element) for element in elements]
    if "main" not in types:
        plain = next((index for index, name in enumerate(types) if name in _PLAIN_TYPES), None)
        if plain is not None:
            types[plain] = "main"
    return tuple(
        part for element, name in zip(elements, types, strict=True) for part in _abstract_parts(reader, element, name)
    )


def _abstract_type(element: Element) -> str:
    return element.get("abstract-type") or ("main" if element.tag == "abstract" else element.tag)


def _abstract_parts(reader: Reader, element: Element, name: str) -> Iterator[AbstractPart]:
    """Yield one part a paragraph; a section's title labels its first paragraph."""
    language = element.get(LANG) or ""
    label = ""
    for block in reader.capture(element):
        if block.kind is not BlockKind.HEADING:
            yield AbstractPart(type=name, language=language, label=label, text=block.text)
            label = ""
            continue
        if label:  # a section that holds only sections
            yield AbstractPart(type=name, language=language, label=label)
        label = block.text.rstrip(" :")
        if block.depth == 0 and label.casefold().strip(" .:") in _TITLE_OF_ABSTRACT:
            label = ""
    if label:
        yield AbstractPart(type=name, language=language, label=label)


def read_year(meta: Element) -> int | None:
    """Return the year of publication, None when there is no date."""
    published: list[int] = []
    others: list[int] = []
    for date in meta.iterfind("pub-date"):
        found = _YEAR.match(date.findtext("year") or date.get("iso-8601-date") or date.findtext("string-date") or "")
        if found:
            kind = date.get("pub-type") or date.get("date-type") or "pub"
            (published if kind in _PUBLISHED else others).append(int(found[1]))
    return min(published or others, default=None)


def read_journal(reader: Reader, journal: Element | None) -> str:
    """Return the journal's title, else its abbreviation."""
    if journal is None:
        return ""
    for path in ("journal-title-group/journal-title", "journal-title", "journal-title-group/abbrev-journal-title"):
        if title := reader.line(journal.find(path)):
            return title
    return reader.line(journal.find("journal-id"))


def read_keywords(reader: Reader, meta: Element) -> tuple[str, ...]:
    """Return the keywords of all groups but lists of abbreviations, each once."""
    found: dict[str, None] = {}
    for group in meta.iterfind("kwd-group"):
        if not (group.get("kwd-group-type") or "").startswith("abbr"):
            for keyword in group.iter("kwd", "compound-kwd"):
                found.setdefault(reader.line(keyword))
    found.pop("", None)
    return tuple(found)


def read_license(meta: Element, code: str) -> str:
    """Return the licence by its SPDX name; `code` is the bucket's."""
    elements = [*meta.iterfind("permissions"), *meta.iterfind("license"), *meta.iterfind("copyright-statement")]
    links: list[str] = []
    texts: list[str] = []
    for outer in elements:
        for element in outer.iter(etree.Element):
            links.append(element.get(_HREF) or "")
            if element.tag.endswith("license_ref"):
                links.append(element.text or "")
        texts += [str(piece) for piece in outer.itertext()]
    return license_name(links=filter(None, links), text=" ".join("".join(texts).split()), code=code)


def read_links(meta: Element) -> tuple[Link, ...]:
    """Return the relations to other articles that the article states."""
    links = []
    for element in meta.iterfind("related-article"):
        target, kind = (element.get(_HREF) or "").strip(), element.get("ext-link-type") or ""
        doi = normalize_doi(target)
        if kind in ("pubmed", "pmid") and target.isdecimal():
            target = f"pmid:{target}"
        elif kind in ("pmc", "pmcid") and (number := parse_pmcid(target)):
            target = f"pmc:PMC{number}"
        elif doi:
            target = f"doi:{doi}"
        if target:
            links.append(Link(type=element.get("related-article-type") or "", target=target))
    return tuple(links)


def is_retracted(article_type: str, title: str, links: tuple[Link, ...]) -> bool:
    """Say whether the article itself is retracted; the notice that retracts another is not."""
    if article_type in _NOTICES:
        return False
    stated = article_type == "retracted-article" or any(link.type in _RETRACTED_LINKS for link in links)
    return stated or _RETRACTED_TITLE.match(title) is not None
