"""Float reader: figures, tables and supplements, which stand beside the text, to `Float`s.

One float element comes in with the article's reader, which knows the rules of text; one or more `Float`s go out, each
with its element: itself, unless it says nothing, and those inside it. What is neither label, rows nor note is caption,
in document order and one line a block: paragraphs, lists, code, formulas, the captions of pictures. A frame of a table
around such text and no rows is a box.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec.structs import replace

from corpus.ncbi.jats import tables
from corpus.ncbi.jats.accounts import UNREAD, solid
from corpus.ncbi.jats.body import BodyReader
from corpus.ncbi.jats.inline import SKIPS, InlineRule, Rules
from corpus.notices import is_doi_line
from corpus.records import Block, Cell, Float

_KINDS = {
    "fig": "figure",
    "fig-group": "figure",
    "table-wrap": "table",
    "table-wrap-group": "table",
    "table": "table",
    "supplementary-material": "supplement",
    "media": "supplement",
}
FLOATS = frozenset(_KINDS)
PlacedFloat = tuple[int, Float]  # with its element


def read_float(reader: BodyReader, element: int) -> list[PlacedFloat]:
    """Return the floats of an element: itself, unless it says nothing, and those inside it."""
    return _FloatReader(reader, element).read()


def read_outside(reader: BodyReader, group: int) -> None:
    """Read the floats that stand together outside the body; text among them becomes boxes."""
    doc, names = reader.doc, reader.doc.tag_names
    children = doc.children(group)
    reader.accounts.move(UNREAD, doc.solid(group) - sum(map(doc.solid, children)))
    for child in children:
        if names[child] in FLOATS:
            reader.floats += read_float(reader, child)
        elif lines := reader.lines(child):
            reader.floats.append((child, Float(kind="box", caption="\n".join(lines))))


class _FloatReader:
    """Reads one float element: the rules for its children, and what they have found."""

    def __init__(self, reader: BodyReader, element: int) -> None:
        self._reader, self._element = reader, element
        self._labels: list[str] = []
        self._rows: list[tuple[Cell, ...]] = []
        self._footnotes: list[str] = []
        self._num_captions = 0  # of the blocks, those of captions
        self._media = -1  # of a supplement: the file that its caption may stand in

    def read(self) -> list[PlacedFloat]:
        """Return the float, unless it says nothing, and those inside it, which stand where it stands."""
        reader, name = self._reader, self._reader.doc.tag_names[self._element]
        position, first = reader.position(), len(reader.floats)
        bare = name == "table"
        blocks = self._take_rows(self._element) if bare else self._capture(self._element)
        blocks = self._without_dois(blocks)
        kind = _KINDS[name]
        if name == "table-wrap" and not self._rows and len(blocks) > self._num_captions:
            kind = "box"
        own = Float(
            kind=kind,
            label=" ".join(self._labels),
            caption="\n".join([block.text for block in blocks]),
            rows=tuple(self._rows),
            footnotes=tuple(self._footnotes),
            position=position,
        )
        inside = [(element, _moved(item, position)) for element, item in reader.floats[first:]]
        del reader.floats[first:]
        says = own.label or own.caption or own.rows or own.footnotes
        return [(self._element, own), *inside] if says else inside

    def _without_dois(self, blocks: list[Block]) -> list[Block]:
        """Return the blocks that are more than the DOI of the float."""
        dois = [block for block in blocks if is_doi_line(block.text)]
        for block in dois:
            self._reader.accounts.move("index_terms", solid(block.text))
            self._num_captions -= 1
        return [block for block in blocks if block not in dois] if dois else blocks

    def _capture(self, element: int) -> list[Block]:
        """Return the blocks of what stands in the float, by its own rules."""
        reader = self._reader
        outer, reader.inside_float = reader.inside_float, self
        blocks = reader.capture(element, _rules_for(reader))
        reader.inside_float = outer
        return blocks

    def label(self, reader: BodyReader, element: int) -> None:
        """Take a label."""
        self._labels += filter(None, [reader.line(element)])

    def caption(self, reader: BodyReader, element: int) -> None:
        """Read a caption, or the words of a picture, as such."""
        before = len(reader.blocks)
        reader.RULES[reader.doc.tag_names[element]](reader, element)
        self._num_captions += len(reader.blocks) - before

    def table(self, reader: BodyReader, element: int) -> None:
        """Take the rows of a table, and its own caption."""
        reader.blocks += self._take_rows(element)

    def _take_rows(self, table: int) -> list[Block]:
        """Take the rows of a table and return the blocks of the caption that HTML's tables have inside."""
        reader, captions = (
            self._reader,
            [child for child in self._reader.doc.children(table) if self._is_caption(child)],
        )
        blocks = [block for caption in captions for block in reader.capture(caption)]
        self._rows += tables.read_rows(reader, table, beside=sum(map(reader.doc.solid, captions)))
        self._num_captions += len(blocks)
        return blocks

    def _is_caption(self, element: int) -> bool:
        return self._reader.doc.tag_names[element] in ("caption", "title")

    def alternatives(self, reader: BodyReader, element: int) -> None:
        """Read one of several forms of the same: a table, a formula, what has text; a picture's caption last."""
        doc = reader.doc
        names = {child: doc.tag_names[child] for child in doc.children(element) if doc.solid(child)}
        if "math" in names.values() or "tex-math" in names.values():
            reader.RULES["alternatives"](reader, element)
            return
        rank = {"table": 0, "array": 1, "graphic": 3, "media": 3}
        chosen = min(
            (child for child in names if names[child] not in SKIPS),
            key=lambda child: rank.get(names[child], 2),
            default=-1,
        )
        if chosen < 0:
            reader.assign(element, "duplicate_forms")
            return
        reader.trace += [(element, "duplicate_forms"), (chosen, reader.accounts.current)]
        reader.accounts.move("duplicate_forms", doc.solid(element) - doc.solid(chosen))
        rule = _rules_for(reader).get(names[chosen])
        if rule is not None:
            rule(reader, chosen)
        else:
            reader.blocks += reader.capture(chosen)

    def notes(self, reader: BodyReader, element: int) -> None:
        """Take the notes in a table's foot, those of groups one by one."""
        doc = reader.doc
        children = doc.children(element) if doc.tag_names[element] in ("table-wrap-foot", "fn-group") else []
        if not children:
            self._footnotes += filter(None, [reader.line(element)])
            return
        reader.accounts.move(UNREAD, doc.solid(element) - sum(map(doc.solid, children)))
        for child in children:
            self.notes(reader, child)

    def file(self, reader: BodyReader, element: int) -> None:
        """Read the file of a supplement, whose caption and label are the supplement's; another one is its own float."""
        if self._media >= 0 or reader.doc.tag_names[self._element] != "supplementary-material":
            reader.RULES["media"](reader, element)
            return
        self._media = element
        reader.blocks += self._capture(element)


def _of_float(method: Callable[[_FloatReader, BodyReader, int], None]) -> InlineRule:
    """Return a method of the float that is being read as a rule."""
    return lambda reader, element: method(reader.inside_float, reader, element)


def _rules_for(reader: BodyReader) -> Rules:
    kind: Any = type(reader)  # a class can be hashed, whatever mypy says of this one
    return _rules(kind)


@cache
def _rules(kind: Any) -> Rules:
    """Return the rules for what stands directly in a float."""
    return {
        **kind.RULES,
        "label": _of_float(_FloatReader.label),
        **dict.fromkeys(("caption", "graphic"), _of_float(_FloatReader.caption)),
        **dict.fromkeys(("table", "array"), _of_float(_FloatReader.table)),
        **dict.fromkeys(("attrib", "fn", "fn-group", "table-wrap-foot"), _of_float(_FloatReader.notes)),
        "alternatives": _of_float(_FloatReader.alternatives),
        "media": _of_float(_FloatReader.file),
    }


def _moved(item: Float, position: int) -> Float:
    """Return a float that stood inside another: where it stood itself nobody counted."""
    return item if item.position >= 0 else replace(item, position=position)
