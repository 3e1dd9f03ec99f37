"""One record at a time out of a PubMed set, so that one bad record costs one record.

Decompressed blocks of a set come in; records (`Run`) and dead letters (`Damage`) in file order go out, with their
byte offsets. Nearly all records are proven, scanned and cut off in one pass (`scan_records`), by the dozen and each
judged on its own bytes; any other record is cut out on its tags and given to libxml2 alone, so that a damaged
one cannot take the rest along. A record ends at its first closing
tag; where the text up to there is not well-formed because that tag stood inside a CDATA section, comment or
processing instruction, the search goes on behind it, for at most LOOK_AHEAD bytes. What is damaged reaches to
the next record's start or the end of the set. Memory holds one record and one block.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from corpus.ncbi.markup.characters import PADDING
from corpus.ncbi.markup.document import Markup, Vocabulary, scan_records
from corpus.ncbi.markup.parse import BadXmlError, parse, read_markup
from corpus.reasons import RejectReason
from corpus.records import RAW_LIMIT

LOOK_AHEAD = 1 << 20
# Bytes of one record. Real ones stay below a few MB; a parsed record takes up to nine times its bytes in memory.
RECORD_CAP = 50_000_000
RUN_RECORDS = 64  # proven records scanned together: their bytes and tables stay in the processor's cache

_TAG_BYTES = 1024  # enough to see any start tag whole
_MORE = 1 << 20  # with fewer bytes at hand a record that is not proven may be one that is not whole yet
_OVERLAP = 64  # longer than any tag name, so that a boundary is never cut in two
_TRIVIA = re.compile(rb"\s+|</(?:Pubmed(?:Book)?Article|MedlineCitation)Set\s*>")
_SECTION = re.compile(rb"(<!--|<!\[CDATA\[|<\?)(?:(?<=--).*?-->|(?<=\[).*?\]\]>|(?<=\?).*?\?>)?", re.DOTALL)
_CLOSERS = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}


class _Tags:
    """The tags at which a record starts, and those at which one that is damaged ends, by the set's vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        names = "|".join(vocabulary.records).encode()
        self.start = re.compile(rb"<(" + names + rb")(?=[\s/>])")
        self.boundary = re.compile(rb"<(?:" + names + rb")[\s/>]|</(?:Pubmed(?:Book)?Article|MedlineCitation)Set[\s>]")


_tags = lru_cache(_Tags)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Well-formed children of the set, side by side: where they stand, and the text and elements of them all.

    `bounds` says where each begins and ends in `raw`, a stretch of the file whose first byte is the file's byte
    `offset`; `elements` are their rows in `markup`.
    """

    offset: int
    raw: bytes
    bounds: list[tuple[int, int]]
    markup: Markup
    elements: list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """Bytes that are no record: `head` holds the first RAW_LIMIT of them, `sha256` is of all."""

    offset: int
    head: bytes
    sha256: str
    reason: RejectReason
    detail: str


def split(
    blocks: Iterable[bytes], vocabulary: Vocabulary, *, start: int = 0, cap: int = RECORD_CAP
) -> Iterator[Run | Damage]:
    """Yield every record of a set; `start` is the offset behind the set's opening tag, `cap` the bytes of one record.

    White space, comments, processing instructions and the set's closing tag may stand between records.
    The vocabulary must name the elements that are records.
    """
    window = _Window(blocks, start, _tags(vocabulary))
    while window.skip_trivia():
        run = _take_run(window, vocabulary, cap)
        if run is not None:
            yield run
        elif window.tags.start.match(window.data, window.pos) is None:
            yield _take_damage(window, RejectReason.STRAY_BYTES, "bytes that belong to no record")
        else:
            try:
                yield _take_record(window, vocabulary, cap)
            except BadXmlError as error:
                yield _take_damage(window, error.reason, error.detail)


class _Window:
    """The part of the file in memory: `data[pos:]` is not yet used, `base` is the offset of `data[0]`.

    `stop` is where a scan of it must end.
    """

    def __init__(self, blocks: Iterable[bytes], start: int, tags: _Tags) -> None:
        self._blocks, self.tags = iter(blocks), tags
        self.data, self.pos, self.base = b"", 0, 0
        self.stop = -1
        self._without: dict[bytes, int] = {}  # up to which offset no closer of a section was found
        self.ensure(start)
        self.pos = start

    @property
    def offset(self) -> int:
        return self.base + self.pos

    @property
    def left(self) -> int:
        return len(self.data) - self.pos

    def ensure(self, size: int) -> None:
        """Hold at least `size` unused bytes, if the file has them."""
        while self.left < size and self.grow():
            pass

    def grow(self) -> bool:
        """Forget used bytes and at least double the unused ones; False at the end of the file."""
        parts, size = [self.data[self.pos :]], self.left
        for block in self._blocks:
            parts.append(block)
            size += len(block)
            if size >= 2 * len(parts[0]):
                break
        self.base, self.pos, self.data = self.offset, 0, b"".join(parts)
        self.stop = self.data.rfind(b"<", 0, max(0, len(self.data) - len(PADDING) + 1))
        return len(parts) > 1

    def find_closer(self, opener: bytes, begin: int, end: int) -> int:
        """Return where a section is closed, -1 when it is not; what was searched in vain is not searched again."""
        closer = _CLOSERS[opener]
        start = max(begin, self._without.get(opener, 0) - self.base)
        found = self.data.find(closer, start, end)
        if found < 0:
            self._without[opener] = self.base + end - len(closer) + 1
        return found

    def skip_trivia(self) -> bool:
        """Go to the next byte that needs a decision; False at the end of the file."""
        while True:
            self.ensure(_TAG_BYTES)
            found = _TRIVIA.match(self.data, self.pos)
            if found:
                self.pos = found.end()
            elif not self.left:
                return False
            elif not self._skip_section():
                return True

    def _skip_section(self) -> bool:
        """Skip a comment or processing instruction that is complete within LOOK_AHEAD.

        `--` may only end a comment, so that one left open never reaches into a later comment.
        """
        comment = self.data.startswith(b"<!--", self.pos)
        if not comment and not self.data.startswith(b"<?", self.pos):
            return False
        mark = b"--" if comment else b"?>"
        while (end := self.data.find(mark, self.pos + (4 if comment else 2))) < 0 or end + 3 > len(self.data):
            if self.left > LOOK_AHEAD or not self.grow():
                break
        closed = end >= 0 and (not comment or self.data.startswith(b"-->", end))
        if closed:
            self.pos = end + (3 if comment else 2)
        return closed


def _take_run(window: _Window, vocabulary: Vocabulary, cap: int) -> Run | None:
    """Move behind the proven records that stand here and return them; None when the first one is not proven."""
    found = scan_records(window.data, window.pos, window.stop, vocabulary, most=RUN_RECORDS, cap=cap)
    if found is None and window.left < _MORE and window.grow():
        found = scan_records(window.data, window.pos, window.stop, vocabulary, most=RUN_RECORDS, cap=cap)
    if found is None:
        return None
    markup, bounds, elements = found
    window.pos = bounds[-1][1]
    return Run(offset=window.base, raw=window.data, bounds=bounds, markup=markup, elements=elements)


def _take_record(window: _Window, vocabulary: Vocabulary, cap: int) -> Run:
    """Move behind the record that starts here and return it; raises BadXmlError, without moving, when there is none."""
    found = window.tags.start.match(window.data, window.pos)
    assert found is not None
    size = _size_of_record(window, found[1], cap)
    raw = window.data[window.pos : window.pos + size]
    try:
        markup = _read_alone(raw, vocabulary)
    except BadXmlError as error:
        longer = _extend(window, found[1], size)
        if longer is None:
            raise
        raw = longer
        try:
            markup = _read_alone(raw, vocabulary)
        except BadXmlError:
            raise error from None  # the shorter reading's fault is the one that says something
    run = Run(offset=window.offset, raw=raw, bounds=[(0, len(raw))], markup=markup, elements=[0])
    window.pos += len(raw)
    return run


def _read_alone(raw: bytes, vocabulary: Vocabulary) -> Markup:
    """Return the text and elements of a record that is not plain; raises BadXmlError for one that libxml2 refuses."""
    parse(raw)  # the whole policy, namespaces too: these records are few
    return read_markup(raw, vocabulary)


def _size_of_record(window: _Window, tag: bytes, cap: int) -> int:
    """Return the bytes from here to the end of the first closing tag."""
    opened = window.data.find(b">", window.pos)
    if opened > 0 and window.data[opened - 1 : opened] == b"/":
        return opened + 1 - window.pos
    close, skip = b"</" + tag, 0
    while True:
        at = window.data.find(close, window.pos + skip)
        rest = window.data[at + len(close) : at + len(close) + _OVERLAP].lstrip() if at >= 0 else b""
        if rest.startswith(b">"):
            size = window.data.index(b">", at) + 1 - window.pos
            if size > cap:
                raise BadXmlError(RejectReason.TOO_LARGE, f"the record has {size} bytes, the limit is {cap}")
            return size
        if rest.startswith(b"Set") or (at < 0 and window.tags.boundary.search(window.data, window.pos + 1)):
            break  # the end of the set, or the next record
        if rest:
            skip = at + 1 - window.pos  # a longer name that begins alike
        elif window.left > cap:
            raise BadXmlError(RejectReason.TOO_LARGE, f"the record is longer than {cap} bytes")
        elif not window.grow():
            break
    raise BadXmlError(RejectReason.BAD_XML, f"<{tag.decode()}> is never closed")


def _extend(window: _Window, tag: bytes, size: int) -> bytes | None:
    """Return the record up to a later closing tag, if the first one stood inside a section left open."""
    window.ensure(size + LOOK_AHEAD)
    begin, end, most = window.pos, size, min(window.pos + size + LOOK_AHEAD, len(window.data))
    while (opener := _open_section(window.data[begin : begin + end])) is not None:
        closed = window.find_closer(opener, begin + end, most)
        following = re.compile(rb"</" + tag + rb"\s*>").search(window.data, closed, most) if closed >= 0 else None
        if following is None:
            return None
        end = following.end() - begin
    return window.data[begin : begin + end] if end > size else None


def _open_section(raw: bytes) -> bytes | None:
    """Return the opening mark of a CDATA section, comment or instruction that does not end in `raw`."""
    for found in _SECTION.finditer(raw):
        if found.end() == found.end(1):
            return found[1]
    return None


def _take_damage(window: _Window, reason: RejectReason, detail: str) -> Damage:
    """Move to the next record's start or the end of the set, and return what was passed."""
    offset, digest, head = window.offset, hashlib.sha256(), b""
    search_from = window.pos + 1
    while True:
        found = window.tags.boundary.search(window.data, search_from)
        stop = found.start() if found else max(search_from, len(window.data) - _OVERLAP)
        passed = window.data[window.pos : stop]
        digest.update(passed)
        head += passed[: RAW_LIMIT - len(head)]
        window.pos = stop
        if found:
            break
        if not window.grow():
            digest.update(window.data)
            head += window.data[: RAW_LIMIT - len(head)]
            window.pos = len(window.data)
            break
        search_from = window.pos
    return Damage(offset=offset, head=head, sha256=digest.hexdigest(), reason=reason, detail=detail)
