"""An oracle for the PubMed reader that shares no code with it: titles and abstracts by the standard library's XML.

`citations` reads a file; `differences` holds a record against what it found. The text of a field is all text in its
element with white space collapsed, nothing more: so equality is exact wherever there is no formula and no raised or
lowered run. Where there are scripts, both sides are compared without the signs that write them (⁵, ^, _ and brackets);
where there is MathML, by their letters and digits in order. A notice that ends an abstract (copyright, truncation, …)
may stand in a field of its own, and what is bold in a part without a label may be one; nothing may be missing.
"""

import gzip
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import AbstractPart, Kind, Record, Reject

_MATHML = "{http://www.w3.org/1998/Math/MathML}math"
_NO_TITLE = ("[Not Available].", "[Not Available]")
_NOTICE = re.compile(
    r"©|copyright\b|\(c\)|\(ABSTRACT TRUNC|doi|https?://|the online version|this article is (?:part|protected)|suppl"
    r"|key[ -]?words?\s?[:.—–-]|this is an open.access|this (?:corrects|retracts|amends) the article|for permission",
    re.IGNORECASE,
)
_CLOSING = " .:;–—"  # of a label; whether the full stop of an abbreviation stays is not asked
_SIGNS = re.compile(r"[\^_()]")
_INLINE = frozenset(["b", "i", "u"])
_BOLD = frozenset(["b", "bold", "strong"])
_UNLABELLED = frozenset(["", "UNASSIGNED", "UNLABELLED", "UNLABELED"])
_SCRIPTS = frozenset(["sup", "sub"])
_FORMULAS = frozenset([_MATHML, "math", "DispFormula"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """The text of one element, and the names of the elements in it."""

    text: str = ""
    inside: frozenset[str] = frozenset()
    bold: frozenset[str] = frozenset()  # the letters of each of its runs in bold

    def equals(self, other: str) -> bool:
        """Say whether a reader's text is the same, as strictly as what is inside allows."""
        if self.inside & _FORMULAS:
            return _letters(self.text) == _letters(other)
        if self.inside & _SCRIPTS:
            return _unsigned(self.text) == _unsigned(other)
        return self.text == other


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One AbstractText with the type and language of its abstract."""

    type: str
    language: str
    label: str
    category: str
    text: Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Citation:
    """What the oracle reads of one citation or book."""

    pmid: int
    book: bool
    title: Text
    vernacular: Text
    parts: tuple[Part, ...]
    copyrights: int

    def kinds(self) -> Iterator[str]:
        """Yield the names under which it is counted."""
        texts = [self.title, self.vernacular, *(part.text for part in self.parts)]
        inside = frozenset(name for text in texts for name in text.inside)
        main = [part for part in self.parts if part.type == "main"]
        facts = {
            "books": self.book,
            "with a title": bool(self.title.text),
            "with a translated title": self.title.text.startswith("["),
            "with a vernacular title": bool(self.vernacular.text),
            "with an abstract": bool(main),
            "with labelled parts": any(part.label for part in main),
            "with unassigned parts": any(part.category == "UNASSIGNED" for part in main),
            "with bold, italic or underlined text": bool(inside & _INLINE),
            "with raised or lowered text": bool(inside & _SCRIPTS),
            "with MathML": bool(inside & {_MATHML, "math"}),
            "with display formulas": "DispFormula" in inside,
            "with a copyright line": self.copyrights > 0,
        }
        yield from (name for name, holds in facts.items() if holds)
        yield from sorted({f"with OtherAbstract of type {part.type}" for part in self.parts if part.type != "main"})


def citations(path: Path) -> Iterator[Citation]:
    """Yield the citations and books of a file (.xml or .xml.gz) in order."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as source:
        for _, element in ET.iterparse(source):
            if element.tag in ("PubmedArticle", "PubmedBookArticle"):
                yield _citation(element)
                element.clear()


def files(data: Path) -> list[Path]:
    """Return the PubMed files below the folder of real data."""
    return sorted((data / "pubmed").rglob("*.xml.gz"))


def compare_file(path: Path) -> Iterator[tuple[Citation, list[str]]]:
    """Yield every citation and book of a file with its differences from our record."""
    records = (item for item in read_pubmed(str(path)) if isinstance(item, Reject) or item.kind is not Kind.DELETION)
    for citation, record in zip(citations(path), records, strict=True):
        if isinstance(record, Reject) or record.pmid != citation.pmid:
            yield citation, [f"expected PMID {citation.pmid}, got {record.doc_id}"]
        else:
            yield citation, differences(citation, record)


def differences(citation: Citation, record: Record) -> list[str]:
    """Return where a record's title and abstracts are not the oracle's."""
    found = []
    for name, text, own in (
        ("title", citation.title, record.title),
        ("vernacular title", citation.vernacular, record.vernacular_title),
    ):
        if not text.equals(own):
            found.append(f"{name}: expected {text.text!r}, got {own!r}")
    if len(citation.parts) != len(record.abstracts):
        return found + _joined(citation.parts, record.abstracts)
    for index, (part, own_part) in enumerate(zip(citation.parts, record.abstracts, strict=True)):
        if (part.type, part.language) != (own_part.type, own_part.language):
            found.append(f"abstract {index}: is {own_part.type} in {own_part.language!r}")
        if part.label != own_part.label.rstrip(".") or not any(map(part.text.equals, _with_notice(own_part, record))):
            found += _joined([part], [own_part])
    return found


def _with_notice(part: AbstractPart, record: Record) -> Iterator[str]:
    """Yield the text of a part, and the same with each notice that may have been taken from its end."""
    yield part.text
    for notice in record.copyright.split("\n"):
        if _NOTICE.match(notice):
            yield from (f"{part.text} {notice}", f"{part.text}{notice}")


def _joined(parts: Sequence[Part], own: Sequence[AbstractPart]) -> list[str]:
    """Compare parts that were cut at labels in bold: the same letters in the same order, labels included."""
    cut = [part for part in parts if part.text.bold and part.label.upper() in _UNLABELLED]
    expected = "".join(_letters(_label(part) + part.text.text) for part in parts)
    got = "".join(_letters(_label(part) + part.text) for part in own)
    bold = frozenset().union(*(part.text.bold for part in cut))
    said = [_label(part) for part in parts]
    labels = all(not _label(part) or _label(part) in said or _letters(part.label) in bold for part in own)
    return [] if cut and labels and expected == got else [f"abstracts: expected {parts}, got {own}"]


def _label(part: Part | AbstractPart) -> str:
    """Return a part's label; those that say "none" may go where others come."""
    return "" if part.label.upper() in _UNLABELLED else part.label.rstrip(".")


def _citation(element: ET.Element) -> Citation:
    book = element.tag == "PubmedBookArticle"
    outer = element.find("BookDocument" if book else "MedlineCitation")
    assert outer is not None
    article = outer if book else outer.find("Article")
    assert article is not None
    title = _text(article.find("ArticleTitle"))
    if book and not title.text:
        title = _text(outer.find("Book/BookTitle"))
    main = [part for abstract in article.findall("Abstract") for part in _parts(abstract, "main", "")]
    other = [
        part
        for abstract in outer.findall("OtherAbstract")
        for part in _parts(abstract, abstract.get("Type") or "other", abstract.get("Language") or "eng")
    ]
    return Citation(
        pmid=int(outer.findtext("PMID") or 0),
        book=book,
        title=Text() if title.text in _NO_TITLE else title,
        vernacular=_text(article.find("VernacularTitle")),
        parts=(*main, *other),
        copyrights=len(outer.findall(".//CopyrightInformation")),
    )


def _parts(abstract: ET.Element, type_: str, language: str) -> Iterator[Part]:
    for element in abstract.findall("AbstractText"):
        text, label = _text(element), " ".join((element.get("Label") or "").split()).rstrip(_CLOSING)
        if text.text or label:
            category = element.get("NlmCategory") or ""
            yield Part(type=type_, language=language, label=label, category=category, text=text)


def _text(element: ET.Element | None) -> Text:
    if element is None:
        return Text()
    inside = frozenset(str(child.tag) for child in element.iter() if child is not element)
    bold = frozenset(_letters("".join(child.itertext())) for child in element.iter() if child.tag in _BOLD)
    return Text(text=" ".join("".join(_pieces(element)).split()), inside=inside, bold=bold)


def _pieces(element: ET.Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        apart = " " if child.tag == "DispFormula" else ""
        yield apart
        yield from _pieces(child)
        yield apart
        yield child.tail or ""


def _unsigned(text: str) -> str:
    return _SIGNS.sub("", unicodedata.normalize("NFKC", text)).replace("−", "-")


def _letters(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKC", text) if letter.isalnum())
