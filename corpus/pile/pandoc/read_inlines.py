"""Inline reader: inline content of JATS to inlines, by the rules of pandoc 2.9's JATS reader."""

from collections.abc import Callable, Iterable

from corpus.pile.pandoc.document import (
    LINE_BREAK,
    NO_ATTRIBUTES,
    Attributes,
    Inlines,
    PandocBlock,
    PandocBlocks,
    append,
    from_text,
    trim,
)
from corpus.pile.pandoc.math.mathml import to_tex
from corpus.pile.pandoc.tree import Node

_WRAPPED = {
    "italic": "Emph",
    "bold": "Strong",
    "strike": "Strikeout",
    "sub": "Subscript",
    "sup": "Superscript",
    "sc": "SmallCaps",
}
_CODE = frozenset({"code", "monospace"})

ReadBlocks = Callable[[Node], PandocBlocks]


class PandocInlineReader:
    """Reads inline content; `read_blocks` reads what a footnote holds."""

    def __init__(self, read_blocks: ReadBlocks) -> None:
        self._read_blocks = read_blocks
        self._double = False  # whether the quotation marks around the place are double ones

    def content(self, nodes: Iterable[Node | str]) -> Inlines:
        """Return nodes as one run of inlines."""
        whole: Inlines = []
        for node in nodes:
            append(whole, from_text(node) if isinstance(node, str) else self._element(node))
        return whole

    def trimmed(self, node: Node) -> Inlines:
        """Return what a node holds without white space at its ends."""
        return trim(self.content(node.children))

    def _element(self, node: Node) -> Inlines:
        name = node.name
        if name in _WRAPPED:
            return [(_WRAPPED[name], self.trimmed(node))]
        if name in _CODE:
            return [("Code", ("", (), ()), node.all_text())]
        rule = _RULES.get(name)
        return self.trimmed(node) if rule is None else rule(self, node)

    def _quote(self, node: Node) -> Inlines:
        self._double = not self._double
        inlines = self.trimmed(node)
        self._double = not self._double
        return [("Quoted", not self._double, inlines)]

    def _reference(self, node: Node) -> Inlines:
        inlines = self.trimmed(node)
        target = node.get("rid")
        kind = node.attributes.get("ref-type")
        if kind == "bibr":
            return [("Cite", tuple(target.split()), inlines)]
        pairs = () if kind is None else (("ref-type", kind),)
        return [("Link", (node.get("id"), (), pairs), inlines, "#" + target, "")]

    def _external(self, node: Node) -> Inlines:
        inlines = self.trimmed(node)
        url = node.href if node.href is not None else "#" + node.get("rid")
        return [("Link", (node.get("id"), (), ()), inlines or [("Str", url)], url, node.title)]

    def _address(self, node: Node) -> Inlines:
        text = node.own_text()
        return [("Link", NO_ATTRIBUTES, [("Str", text)], f"mailto:{text}" if node.name == "email" else text, "")]

    def _formula(self, node: Node) -> Inlines:
        where = node.find("alternatives") or node
        display = node.name == "disp-formula"
        for child in where.elements("tex-math"):
            return [("Math", display, child.own_text())]
        for child in where.elements("math"):
            if child.prefix == "mml":
                return [("Math", display, to_tex(child))]
        return []

    def _math(self, node: Node) -> Inlines:
        return [("Math", False, to_tex(node))] if node.prefix == "mml" else self.trimmed(node)

    def _footnote(self, node: Node) -> Inlines:
        return [("Note", self._read_blocks(node))]


_RULES: dict[str, Callable[[PandocInlineReader, Node], Inlines]] = {
    "underline": lambda reader, node: [("Span", ("", ("underline",), ()), reader.trimmed(node))],
    "break": lambda reader, node: [LINE_BREAK],
    "inline-graphic": lambda reader, node: [image(node, None)],
    "disp-quote": PandocInlineReader._quote,
    "xref": PandocInlineReader._reference,
    "ext-link": PandocInlineReader._external,
    "email": PandocInlineReader._address,
    "uri": PandocInlineReader._address,
    "disp-formula": PandocInlineReader._formula,
    "inline-formula": PandocInlineReader._formula,
    "math": PandocInlineReader._math,
    "tex-math": lambda reader, node: [("Math", False, node.own_text())],
    "fn": PandocInlineReader._footnote,
}


def image(node: Node, figure: tuple[Inlines, str] | None) -> PandocBlock:
    """Return a graphic as an image; `figure` is the caption and the id of the figure it stands for."""
    title = node.get("title")
    if figure is None:
        caption, ident = from_text(node.get("alt-text")), node.get("id")
    else:
        (caption, ident), title = figure, "fig:" + title
    attributes: Attributes = (ident, tuple(node.get("role").split()), ())
    return ("Image", attributes, caption, node.get("href"), title)
