"""The back matter of an article by kind: acknowledgements, notes, appendices, glossaries, …

The article's `Reader` and its element come in, `BackPart`s go out, in document order.
"""

from corpus.ncbi.jats.accounts import UNREAD
from corpus.ncbi.jats.rules import Reader
from corpus.records import BackPart

_KINDS = {"app": "appendix", "sec": "section", "fn": "footnote"}


def read_back(reader: Reader, article: int) -> tuple[BackPart, ...]:
    """Return the back matter, after the footnotes of the body and the notes of the front."""
    doc, parts = reader.doc, reader.notes
    front, back = doc.find(article, "front"), doc.find(article, "back")
    for child in doc.children(front):
        if doc.tag_names[child] in ("article-meta", "journal-meta"):
            continue
        outer, reader.accounts.current = reader.accounts.current, "article_metadata"
        inner = reader.enter(child, "back")
        parts += _parts(reader, child)
        reader.accounts.leave(inner)
        reader.accounts.leave(outer)
    if back >= 0:
        outer = reader.enter(back, "back")
        parts += _parts_of_all(reader, back)
        reader.accounts.leave(outer)
    return tuple(parts)


def _parts_of_all(reader: Reader, element: int) -> list[BackPart]:
    """Return the parts of the elements in a container, and account for stray text among them."""
    doc = reader.doc
    children = doc.children(element)
    reader.accounts.move(UNREAD, doc.solid(element) - sum(map(doc.solid, children)))
    return [part for child in children for part in _parts(reader, child)]


def _parts(reader: Reader, element: int) -> list[BackPart]:
    name = reader.doc.tag_names[element]
    if name == "ref-list":
        reader.assign(element, "references")
        return []
    if name == "app-group":
        return _parts_of_all(reader, element)
    reader.notes = []
    if name == "fn-group":
        reader.footnotes(element)
        return reader.notes
    if name == "sec" and reader.file_away(element):
        return reader.notes
    return reader.back_part(element, _KINDS.get(name, name)) + reader.notes
