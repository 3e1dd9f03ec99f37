"""The Pile's text of a JATS article: the markdown of pandoc 2.9, without title, abstract and references.

Bytes come in; the text goes out, with the lines that begin with `:::` deleted as The Pile did. Where pandoc ends with
an error (text that is not UTF-8, such as a gzip file under the name of an XML file) there is no text.
"""

import re

from lxml import etree

from corpus.pile.pandoc.read_blocks import BlockReader
from corpus.pile.pandoc.tree import Node, read_tree
from corpus.pile.pandoc.write_blocks import BlockWriter
from corpus.pile.pile_text import PileText
from corpus.reasons import PileDrop

_TAB_STOP = 4
_FENCES = re.compile(r"^:::.*\n", re.MULTILINE)
# Like the parser of `corpus.ncbi.markup.parse`, but instructions stay: pandoc takes them for elements.
_OPTIONS: dict[str, bool | str] = {
    "resolve_entities": "internal",
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "no_network": True,
    "recover": False,
    "remove_comments": True,
    "remove_pis": False,
    "strip_cdata": True,
}
_PARSER = etree.XMLParser(**_OPTIONS, huge_tree=False)  # type: ignore[arg-type]
# The reader and the writer call themselves: this many levels are safe in Python's own limit.
_MAX_DEPTH = 100


def pile_article(article: bytes | etree._Element) -> PileText:
    """Return the text that The Pile's script made of a JATS article.

    An element must have been parsed with its processing instructions. Never raises for odd content.
    """
    element = article
    if isinstance(article, bytes):
        parsed = _parse(article)
        if parsed is None:
            return PileText(reason=PileDrop.PANDOC_FAILED)
        element = parsed
    assert not isinstance(element, bytes)
    root = read_tree(element)
    if _is_deep(root):
        return PileText(reason=PileDrop.TOO_DEEP)
    reader = BlockReader()
    blocks = reader.block(root)
    notes = [note for field in ("author", "title") for note in reader.front_notes.get(field, ())]
    return PileText(text=_FENCES.sub("", BlockWriter().document(blocks, notes)))


def _parse(raw: bytes) -> etree._Element | None:
    try:
        text = raw.decode("utf-8-sig")
        if "\t" in text:  # pandoc expands tabs before it reads
            raw = text.expandtabs(_TAB_STOP).encode()
        return etree.fromstring(raw, _PARSER)
    except (UnicodeDecodeError, etree.XMLSyntaxError):
        return None


def _is_deep(root: Node) -> bool:
    """Say whether elements are nested more deeply than the reader follows."""
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > _MAX_DEPTH:
            return True
        level = [child for node in level for child in node.children if isinstance(child, Node)]
    return False
