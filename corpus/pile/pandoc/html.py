"""HTML tables: what pandoc falls back to where a table of ten or more columns has cells of several blocks.

None of 2,394 real articles has such a table; the words are kept, formulas stay TeX.
"""

from collections.abc import Callable
from html import escape

from corpus.pile.pandoc.document import Attributes, Inline, Inlines, PandocBlock, PandocBlocks

_INLINE_TAGS = {"Emph": "em", "Strong": "strong", "Strikeout": "del", "Superscript": "sup", "Subscript": "sub"}
_BLOCK_TAGS = {"BulletList": "ul", "OrderedList": "ol"}
_ALIGNMENTS = {"AlignLeft": "left", "AlignRight": "right", "AlignCenter": "center"}


def html_table(table: PandocBlock) -> list[str]:
    """Return a table as lines of HTML."""
    caption, aligns = table[1:3]
    header, rows = table[4:]
    parts = ["<table>"]
    if caption:
        parts.append(f"<caption>{_inlines(caption)}</caption>")
    if any(header):
        parts.append(f"<thead>{_row(header, aligns, 'th', 'header')}</thead>")
    body = [_row(row, aligns, "td", "even" if number % 2 else "odd") for number, row in enumerate(rows)]
    parts.append(f"<tbody>{''.join(body)}</tbody></table>")
    return "".join(parts).split("\n")


def _row(cells: list[PandocBlocks], aligns: list[str], tag: str, name: str) -> str:
    made = []
    for blocks, align in zip(cells, aligns, strict=True):
        side = _ALIGNMENTS.get(align)
        style = f' style="text-align: {side};"' if side else ""
        made.append(f"<{tag}{style}>{_blocks(blocks)}</{tag}>")
    return f'<tr class="{name}">{"".join(made)}</tr>'


def _blocks(blocks: PandocBlocks) -> str:
    return "".join([_block(block) for block in blocks])


def _block(block: PandocBlock) -> str:
    kind = block[0]
    if kind == "Plain":
        return _inlines(block[1])
    if kind == "Para":
        return f"<p>{_inlines(block[1])}</p>"
    if kind == "Header":
        return f"<h{block[1]}{_attributes(block[2])}>{_inlines(block[3])}</h{block[1]}>"
    if kind == "CodeBlock":
        return f"<pre{_attributes(block[1])}><code>{escape(block[2], quote=False)}</code></pre>"
    if kind in _BLOCK_TAGS:
        items = "".join([f"<li>{_blocks(item)}</li>" for item in block[-1]])
        return f"<{_BLOCK_TAGS[kind]}>{items}</{_BLOCK_TAGS[kind]}>"
    if kind == "DefinitionList":
        terms = [
            f"<dt>{_inlines(term)}</dt>" + "".join([f"<dd>{_blocks(one)}</dd>" for one in made])
            for term, made in block[1]
        ]
        return f"<dl>{''.join(terms)}</dl>"
    if kind == "Table":
        return "\n".join(html_table(block))
    if kind == "Div":
        return f"<div{_attributes(block[1])}>{_blocks(block[2])}</div>"
    return f"<blockquote>{_blocks(block[1])}</blockquote>"


def _inlines(inlines: Inlines) -> str:
    return "".join([_inline(inline) for inline in inlines])


def _inline(inline: Inline) -> str:
    kind = inline[0]
    if kind in _INLINE_TAGS:
        tag = _INLINE_TAGS[kind]
        return f"<{tag}>{_inlines(inline[1])}</{tag}>"
    return _INLINES[kind](inline)


_INLINES: dict[str, Callable[[Inline], str]] = {
    "Str": lambda inline: escape(inline[1], quote=False),
    "Space": lambda inline: " ",
    "SoftBreak": lambda inline: " ",
    "LineBreak": lambda inline: "<br />\n",
    "SmallCaps": lambda inline: f'<span class="smallcaps">{_inlines(inline[1])}</span>',
    "Span": lambda inline: f"<span{_attributes(inline[1])}>{_inlines(inline[2])}</span>",
    "Quoted": lambda inline: ("“{}”" if inline[1] else "‘{}’").format(_inlines(inline[2])),
    "Cite": lambda inline: f'<span class="citation" data-cites="{" ".join(inline[1])}">{_inlines(inline[2])}</span>',
    "Code": lambda inline: f"<code{_attributes(inline[1])}>{escape(inline[2], quote=False)}</code>",
    "Math": lambda inline: (
        f'<span class="math {"display" if inline[1] else "inline"}">{escape(inline[2], quote=False)}</span>'
    ),
    "Link": lambda inline: f'<a href="{escape(inline[3])}"{_attributes(inline[1])}>{_inlines(inline[2])}</a>',
    "Image": lambda inline: f'<img src="{escape(inline[3])}"{_attributes(inline[1])} alt="{_inlines(inline[2])}" />',
    "Note": lambda inline: _blocks(inline[1]),
}


def _attributes(attributes: Attributes) -> str:
    ident, classes, pairs = attributes
    words = [f' id="{escape(ident)}"'] if ident else []
    words += [f' class="{" ".join(classes)}"'] if classes else []
    return "".join([*words, *[f' data-{name}="{escape(value)}"' for name, value in pairs]])
