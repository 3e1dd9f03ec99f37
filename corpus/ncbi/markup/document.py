"""A well-formed document as one string of text and one table of its elements: what the readers walk instead of a tree.

Bytes of XML come in, `Markup` goes out. `text` is the character data of the whole document in order, markup removed,
references resolved and every run of white space (Unicode's too) made one space; an element is a row number, and its
text is a slice: `text[starts[e]:ends[e]]`. The tail of a child is what lies between its end and the next child. Only
elements that a reader has named in its `Vocabulary` have a row; all others (bold, italic, named-content, …) cost
nothing, and their text is where it belongs. The scan is one numba pass over the bytes, several times cheaper
than making a tree.

What the scan does not know (a reference to an entity, a DOCTYPE with declarations) it refuses. Of nearly all articles
it can prove on the way that they are well-formed; where it cannot, that is libxml2's to say
(`corpus.ncbi.markup.parse.read_markup`).
"""

import re
import threading
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from corpus.ncbi.markup.attributes import attribute_value, parse_attributes
from corpus.ncbi.markup.characters import PADDING
from corpus.ncbi.markup.scan import COLUMNS, LINK_COLUMNS, MOST_BYTES, STACKS, fill
from corpus.ncbi.markup.scan_tags import (
    APART,
    DETAILED,
    LINK,
    LOWERED,
    NO_ROW,
    OPAQUE,
    RAISED,
    RECORD,
    SLOTS,
    SPACED,
    UNKNOWN,
    hash_name,
    slot_of,
)

_MARKS = {"apart": APART, "spaced": SPACED, "raised": RAISED, "lowered": LOWERED, "link": LINK, "plain": 0}
_MAY_HAVE_ROW = ("apart", "plain")  # with a row if they are also among the names
_NO_MARKS: Mapping[str, Iterable[str]] = {}
_MANY_ROWS = 50  # numpy looks through more than these faster than a list does
_KEPT_BYTES = 4_000_000
_COUNTED_BYTES = 1_000_000  # of a larger document the tags are counted before memory is asked for
_LOCAL = threading.local()
_BOM = b"\xef\xbb\xbf"
_NO_LINKS = np.empty((3, 0), np.int32)
_NO_SET = np.empty((0, 3), np.int32)


class Vocabulary:
    """The local names that get a row, as small numbers from 1.

    A set may consist of `records`. Inside `opaque` elements no element has a row, inside `detailed` ones every element
    has. Names under `marks` have none: they leave control characters in the text, for a reader that works on whole
    lines: "spaced" a space; "apart" a space where they touch the element before them, with a row if they are also
    among the names;
    "raised" \x04 and \x05 around their text, "lowered" \x06 and \x07; "link" (an `xref`) \x01 and \x02 when it
    cites (ref-type bibr, ref), \x0e and \x0f when it points to a note, nothing for figures and the like, and a row when
    it has no type, an unusual one, or an `rid` that does not fit it, or when it cites and is empty; "plain" nothing.
    XML forbids all of these characters in a document.

    In a `closed` vocabulary every other name has a row too, number 0, so that a reader can say what it does not know.
    """

    def __init__(
        self,
        names: Iterable[str],
        *,
        records: Iterable[str] = (),
        opaque: Iterable[str] = (),
        detailed: Iterable[str] = (),
        marks: Mapping[str, Iterable[str]] = _NO_MARKS,
        closed: bool = False,
    ) -> None:
        plain, self.records = frozenset(names), tuple(records)
        flags = dict.fromkeys(plain, 0)
        groups = [(RECORD, self.records), (OPAQUE, opaque), (DETAILED, detailed)]
        for flag, group in (*groups, *((_MARKS[kind], group) for kind, group in marks.items())):
            for name in group:
                flags[name] = flags.get(name, 0) | flag
        for name in (name for kind in _MAY_HAVE_ROW for name in marks.get(kind, ())):
            flags[name] |= 0 if name in plain else NO_ROW
        self.names = ("", *sorted(flags))
        self.names_by_number = np.array(self.names, object)
        self.ids = {name: number for number, name in enumerate(self.names) if name}
        assert len(self.names) < SLOTS // 2
        self.flags = np.array([flags.get(name, UNKNOWN * closed) for name in self.names], np.int64)
        self.hashes, self.numbers = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.int32)
        for name, number in self.ids.items():
            code = hash_name(name.encode())
            slot = slot_of(code)
            while self.numbers[slot]:
                assert self.hashes[slot] != code
                slot = (slot + 1) % SLOTS
            self.hashes[slot], self.numbers[slot] = code, number
        self.tables = (self.hashes, self.numbers, self.flags)

    def __getitem__(self, name: str) -> int:
        return self.ids[name]


class Markup:
    """The text and the elements of one document; lists are indexed by element, in document order.

    starts, ends: int[num_elements], where an element's content begins and ends in `text`, in characters;
    nexts: the first element after the element's own descendants. `proven`: whether the scan has proven that all behind
    the prolog is well-formed. `rows` is int32[COLUMNS, num_elements], see
    `corpus.ncbi.markup.scan`; `links` is int32[3, num_links]: of every `rid` of a start tag where it begins and ends in
    `raw`, and the innermost element there that has a row.
    """

    __slots__ = (
        "_begin_of_attributes",
        "_end_of_tag",
        "_marks",
        "_solid_ends",
        "_solid_starts",
        "_tag_names",
        "_tags_found",
        "ends",
        "links",
        "names",
        "nexts",
        "parents",
        "proven",
        "raw",
        "rows",
        "starts",
        "tags",
        "text",
        "vocabulary",
    )

    def __init__(
        self,
        raw: bytes,
        text: str,
        rows: np.ndarray,
        vocabulary: Vocabulary,
        *,
        links: np.ndarray = _NO_LINKS,
        proven: bool = False,
    ) -> None:
        self.raw = raw
        self.text = text
        self.rows = rows
        self.links = links
        self.vocabulary = vocabulary
        self.proven = proven
        self.names = vocabulary.names
        self.tags: list[int] = rows[0].tolist()
        self.starts: list[int] = rows[1].tolist()
        self.ends: list[int] = rows[2].tolist()
        self.nexts: list[int] = rows[3].tolist()
        # Made when they are asked for; few readers of a set ask.
        self._tag_names: list[str] | None = None
        self._marks: list[int] | None = None
        self._tags_found: frozenset[int] | None = None  # those that the document has at all
        # Views, not lists: few elements are asked for these, and a list of all costs more than a few slow answers.
        # The elements around the elements, as far as they have a row; -1 for the root.
        self.parents: Sequence[int] = memoryview(rows[9])
        self._solid_starts: Sequence[int] = memoryview(rows[4])
        self._solid_ends: Sequence[int] = memoryview(rows[5])
        self._begin_of_attributes: Sequence[int] = memoryview(rows[6])
        self._end_of_tag: Sequence[int] = memoryview(rows[7])

    @property
    def tag_names(self) -> list[str]:
        """The local names of the elements, "" for those outside the vocabulary."""
        if self._tag_names is None:
            self._tag_names = self.vocabulary.names_by_number[self.rows[0]].tolist()
        return self._tag_names

    @property
    def marks(self) -> list[int]:
        """How many control characters the scan has put inside each element."""
        if self._marks is None:
            self._marks = self.rows[10].tolist()
        return self._marks

    def depth(self) -> int:
        """Return how many elements with a row stand within each other at most."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 1)
        return max(depths, default=0)

    def root_name(self) -> str:
        """Return the local name of the document's element, "" when the vocabulary gives it no row."""
        return self.written_name(0) if self.tags else ""

    def written_name(self, element: int) -> str:
        """Return an element's local name as its start tag has it, whether the vocabulary knows it or not."""
        end = self._begin_of_attributes[element]
        return self.raw[self.raw.rindex(b"<", 0, end) + 1 : end].decode().rpartition(":")[2]

    def name(self, element: int) -> str:
        """Return an element's local name, "" for one outside the vocabulary."""
        return self.names[self.tags[element]]

    def own_text(self, element: int) -> str:
        """Return all text of an element."""
        return self.text[self.starts[element] : self.ends[element]]

    def solid(self, element: int) -> int:
        """Return the number of characters of an element's text that are not white space."""
        return self._solid_ends[element] - self._solid_starts[element]

    def children(self, element: int) -> list[int]:
        """Return the elements directly below one, as far as they have a row; none for -1."""
        found, nexts = [], self.nexts
        child, stop = element + 1, nexts[element] if element >= 0 else 0
        while child < stop:
            found.append(child)
            child = nexts[child]
        return found

    def find(self, element: int, *path: str) -> int:
        """Return the first element at a path of names below an element, -1 when there is none (or `element` is -1)."""
        names, nexts = self.tag_names, self.nexts
        child, stop = element + 1, nexts[element] if element >= 0 else 0
        while child < stop:
            if names[child] == path[0]:
                found = self.find(child, *path[1:]) if len(path) > 1 else child
                if found >= 0:
                    return found
            child = nexts[child]
        return -1

    def find_all(self, element: int, name: str) -> list[int]:
        """Return the elements of one name directly below an element."""
        return [child for child in self.children(element) if self.tag_names[child] == name]

    def descendants(self, element: int, *names: str) -> list[int]:
        """Return the elements of some names anywhere below an element, in document order."""
        ids = self.vocabulary.ids
        if self._tags_found is None:
            self._tags_found = frozenset(self.tags)
        found = self._tags_found
        wanted = [tag for name in names if (tag := ids.get(name, -1)) in found]
        if not wanted:  # as mostly for what most articles have none of
            return []
        first, stop = element + 1, self.nexts[element]
        if stop - first > _MANY_ROWS:
            tags = self.rows[0, first:stop]
            return sorted(row for tag in set(wanted) for row in (np.flatnonzero(tags == tag) + first).tolist())
        return [first + row for row, tag in enumerate(self.tags[first:stop]) if tag in wanted]

    def start_tag(self, element: int) -> bytes:
        """Return what stands in an element's start tag behind its name, as written."""
        return self.raw[self._begin_of_attributes[element] : self._end_of_tag[element]]

    def attributes(self, element: int) -> dict[str, str]:
        """Return the attributes of an element by local name."""
        return parse_attributes(self.start_tag(element))

    def ids_inside(self, element: int, name: bytes) -> list[str]:
        """Return the ids of all elements of one name inside an element, whether they have a row or not."""
        found = re.findall(rb"<(?:[\w.-]+:)?" + name + rb"\s[^>]*?\bid\s*=\s*[\"']([^\"']*)", self.source(element))
        return [attribute_value(each) for each in found]

    def verbatim(self, element: int) -> str:
        """Return all text of an element with its white space as written."""
        piece = scan(b"<x>" + self.source(element) + b"</x>", self.vocabulary, verbatim=True)
        assert piece is not None, "the whole was scanned before"
        return piece.text

    def source(self, element: int) -> bytes:
        """Return the bytes of an element's content, markup included."""
        return self.raw[self.rows[7, element] + 1 : self.rows[8, element]]


def scan(raw: bytes, vocabulary: Vocabulary, *, verbatim: bool = False) -> Markup | None:
    """Return the table of a UTF-8 document, None when it holds what only a parser understands, or is not well-formed.

    Where neither is seen here, `proven` says whether the document is well-formed beyond doubt.

    `verbatim` leaves white space as it stands and takes namespace prefixes as declared: for a piece of a document.
    """
    size = len(raw)
    start = len(_BOM) if raw.startswith(_BOM) else 0
    # The smallest element has four bytes; three, for one that nothing closes.
    rows, text = _scratch((raw.count(b"<") if size > _COUNTED_BYTES else size // 3) + 1, size + len(PADDING))
    octets, names = _padded(raw), vocabulary.tables
    scanned = fill(octets, start, size, names, rows, text, verbatim, _NO_SET, 0)
    known, count, length = scanned[:3]
    if known < 0:
        return None
    proven = known > 0 and size < MOST_BYTES
    links = rows[LINK_COLUMNS, : scanned[3]].copy()
    return Markup(raw, _decoded(text, length), rows[:COLUMNS, :count].copy(), vocabulary, links=links, proven=proven)


def scan_records(
    raw: bytes, start: int, stop: int, vocabulary: Vocabulary, *, most: int, cap: int
) -> tuple[Markup, list[tuple[int, int]], list[int]] | None:
    """Return the records of a set that stand side by side in `raw[start:stop]`: a table of them all, where each begins
    and ends in `raw`, and their elements in the table. None when the first one is not proven to be well-formed.

    There are at most `most` of at most `cap` bytes each. `stop` is the index of a `<`, with as many bytes from there on
    as PADDING has. White space may stand between records; the list ends before anything else, and before the first
    record that is not proven. Each is judged on its own bytes: nothing before or behind it can make it right.
    """
    size = min(stop - start, MOST_BYTES)
    if size <= 0:
        return None
    rows, text = _scratch(size // 3 + 1, size + len(PADDING))
    bounds = np.empty((most, 3), np.int32)
    found, count, length = fill(
        _octets(raw), start, start + size, vocabulary.tables, rows, text, False, bounds, min(cap, MOST_BYTES)
    )[:3]
    if found == 0:
        return None
    markup = Markup(raw, _decoded(text, length), rows[:COLUMNS, :count].copy(), vocabulary, proven=True)
    places = bounds[:found]
    return markup, [(begin, end) for begin, end in places[:, :2].tolist()], places[:, 2].tolist()


def _octets(raw: bytes) -> np.ndarray:
    return np.frombuffer(raw, np.uint8)


def _padded(raw: bytes) -> np.ndarray:
    """Return the bytes of a document with what a scan reads behind them, in memory that is the thread's own."""
    size = len(raw)
    kept = getattr(_LOCAL, "octets", None)
    if kept is None or len(kept) < size + len(PADDING):
        kept = np.empty((size + len(PADDING)) * 5 // 4, np.uint8)
        if size <= _KEPT_BYTES:
            _LOCAL.octets = kept
    octets: np.ndarray = kept[: size + len(PADDING)]
    octets[:size], octets[size:] = _octets(raw), _octets(PADDING)
    octets.flags.writeable = False  # as the bytes of a set are: `fill` is compiled once
    return octets


def _decoded(text: np.ndarray, length: int) -> str:
    return str(text[:length].data, "utf-8")


def _scratch(num_rows: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return memory for a scan, the thread's own: fresh memory costs a third of a scan in page faults."""
    kept = getattr(_LOCAL, "scratch", None)
    if kept is not None and kept[0].shape[1] >= num_rows and len(kept[1]) >= size:
        return kept
    made = np.empty((COLUMNS + STACKS, num_rows * 5 // 4), np.int32), np.empty(size * 5 // 4, np.uint8)
    if size <= _KEPT_BYTES:
        _LOCAL.scratch = made
    return made
