"""Pandoc's document model: what the reader makes and the writer writes, as plain tuples.

Inlines: ("Str", text), ("Space",), ("SoftBreak",), ("LineBreak",), (KIND, inlines) where KIND is Emph, Strong,
Strikeout, Superscript, Subscript or SmallCaps, ("Quoted", double, inlines), ("Cite", ids, inlines),
("Code", attributes, text), ("Math", display, tex), ("Link" or "Image", attributes,
inlines, url, title), ("Span", attributes, inlines), ("Note", blocks).
Blocks: ("Plain" or "Para", inlines), ("Header", level, attributes, inlines), ("Div", attributes, blocks),
("BulletList", items), ("OrderedList", (start, style), items), ("DefinitionList", entries), ("BlockQuote", blocks),
("CodeBlock", attributes, text), ("Table", caption, aligns, widths, header, rows).
Attributes are (id, classes, pairs). Names and normal form are pandoc's, so that
the reader can be compared with `pandoc -t json`.
"""

import re
from collections.abc import Iterable
from typing import Any

Inline = tuple[Any, ...]
Inlines = list[Inline]
PandocBlock = tuple[Any, ...]
PandocBlocks = list[PandocBlock]
Attributes = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]

SPACE: Inline = ("Space",)
SOFT_BREAK: Inline = ("SoftBreak",)
LINE_BREAK: Inline = ("LineBreak",)
NO_ATTRIBUTES: Attributes = ("", (), ())

_MELDED = frozenset({"Emph", "Strong", "Subscript", "Superscript", "Strikeout"})
_BLANK = frozenset({"Space", "SoftBreak"})
_PIECES = re.compile(r"[ \t\n\r]+|[^ \t\n\r]+")
# Two kinds of white space that meet become the one that says more.
_STRENGTH = {"Space": 0, "SoftBreak": 1, "LineBreak": 2}


def from_text(text: str) -> Inlines:
    """Return text as words and the white space between them; white space with a line end is a soft break."""
    return [_piece(piece) for piece in _PIECES.findall(text)]


def _piece(piece: str) -> Inline:
    if piece[0] not in " \t\n\r":
        return ("Str", piece)
    return SOFT_BREAK if "\n" in piece or "\r" in piece else SPACE


def append(inlines: Inlines, more: Inlines) -> None:
    """Append inlines to others; the two that meet are melded where they are of one kind."""
    if not inlines or not more:
        inlines.extend(more)
        return
    left, right = inlines[-1], more[0]
    kind, other = left[0], right[0]
    if kind == "Str" and other == "Str":
        inlines[-1] = ("Str", left[1] + right[1])
    elif kind in _STRENGTH and other in _STRENGTH and not kind == other == "LineBreak":
        inlines[-1] = left if _STRENGTH[kind] >= _STRENGTH[other] else right
    elif kind == other and kind in _MELDED:
        inlines[-1] = (kind, [*left[1], *right[1]])
    else:
        inlines.append(right)
    inlines.extend(more[1:])


def join(pieces: Iterable[Inlines]) -> Inlines:
    """Return several runs of inlines as one."""
    whole: Inlines = []
    for piece in pieces:
        append(whole, piece)
    return whole


def trim(inlines: Inlines) -> Inlines:
    """Return inlines without white space at their ends."""
    start, end = 0, len(inlines)
    while start < end and inlines[start][0] in _BLANK:
        start += 1
    while end > start and inlines[end - 1][0] in _BLANK:
        end -= 1
    return inlines[start:end]


def plain_text(inlines: Inlines) -> str:
    """Return the words of inlines without any marks."""
    parts: list[str] = []
    for inline in inlines:
        kind = inline[0]
        if kind == "Str":
            parts.append(inline[1])
        elif kind in _STRENGTH:
            parts.append(" ")
        elif kind in ("Code", "Math"):
            parts.append(inline[2])
        elif kind == "Quoted":
            parts.append(("“{}”" if inline[1] else "‘{}’").format(plain_text(inline[2])))
        elif kind in ("Cite", "Link", "Image", "Span"):
            parts.append(plain_text(inline[2]))
        elif kind != "Note":
            parts.append(plain_text(inline[1]))
    return "".join(parts)
