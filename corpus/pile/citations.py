"""The Pile's text of a PubMed citation: title and abstract, one line each, faults included.

Bytes or the element of one record come in; its title and abstract, one line each, go out, or the reason for which the
script left it out. It read XML as HTML and took the first element of a name anywhere in the record: labels of
abstract parts are lost, parts run into each other, and the first `ArticleId` of type pmc may be that of a cited paper.
"""

from collections.abc import Iterator

from lxml import etree

from corpus.ncbi.markup.parse import local_name, parse
from corpus.pile.pile_text import PileText
from corpus.reasons import PileDrop

_WANTED = frozenset({"Abstract", "ArticleTitle", "PMID", "ArticleId"})
_COPYRIGHT = "CopyrightInformation"


def pile_citation(record: bytes | etree._Element) -> PileText:
    """Return the text that The Pile's script made of a PubmedArticle; raises BadXmlError for bytes that are no XML."""
    element = parse(record) if isinstance(record, bytes) else record
    if local_name(element.tag) != "PubmedArticle":
        return PileText(reason=PileDrop.BOOK)
    first: dict[str, etree._Element] = {}
    overlap = False
    for inner in element.iter():
        name = local_name(inner.tag)
        if name == "ArticleId":
            overlap = overlap or inner.get("IdType") == "pmc"
        elif name in _WANTED:
            first.setdefault(name, inner)
    for name, reason in (
        ("Abstract", PileDrop.NO_ABSTRACT),
        ("ArticleTitle", PileDrop.NO_TITLE),
        ("PMID", PileDrop.NO_PMID),
    ):
        if name not in first:
            return PileText(reason=reason)
    text = f"{_line(first['ArticleTitle'])}\n{_line(first['Abstract'])}"
    return PileText(text=text, reason=PileDrop.PMC_OVERLAP if overlap else "")


def _line(element: etree._Element) -> str:
    return " ".join("".join(_texts(element)).split())


def _texts(element: etree._Element) -> Iterator[str]:
    """Yield the text of an element in order, that of copyright lines left out."""
    if element.text:
        yield element.text
    for child in element:
        name = local_name(child.tag)
        if name and name != _COPYRIGHT:
            yield from _texts(child)
        if child.tail:
            yield child.tail
