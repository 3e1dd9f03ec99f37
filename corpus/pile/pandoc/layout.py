"""Layout of a block document: lines of text under prefixes, with blank lines that collapse.

`Layout` takes text, line ends and requests for a blank line in order. A request is carried out when text follows, under
the prefix (indentation, "> ") that stands then, so that a quotation does not end in an empty quoted line.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager


class Layout:
    """Collects the lines of a document."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line = ""  # being written
        self._open = False  # whether a line is being written
        self._blank: str | None = None  # prefix of the blank line that was asked for
        self._prefix = ""

    def text(self, text: str) -> None:
        """Write text; its lines stand under the prefix, and those after the first on lines of their own."""
        first, *rest = text.split("\n")
        self._write(first)
        for number, line in enumerate(rest, start=1):
            self.end_line()
            if line or number < len(rest):  # a line end at the end of the text is no line of its own
                self._write(line)

    def end_line(self) -> None:
        """End the line that is being written, if there is one."""
        if self._open:
            self._lines.append(self._line)
            self._open = False

    def blank_line(self) -> None:
        """End the line, and ask for a blank line before what follows."""
        self.end_line()
        if self._lines and (self._blank is None or len(self._prefix) < len(self._blank)):
            self._blank = self._prefix

    def chomp(self) -> None:
        """End the line and withdraw the request for a blank line."""
        self.end_line()
        self._blank = None

    @contextmanager
    def prefixed(self, prefix: str) -> Iterator[None]:
        """Write under one more prefix."""
        outside, self._prefix = self._prefix, self._prefix + prefix
        yield
        self._prefix = outside

    def lines(self) -> list[str]:
        """Return all lines written."""
        return [*self._lines, self._line] if self._open else list(self._lines)

    def _write(self, text: str) -> None:
        if not self._open:
            if self._blank is not None:
                self._lines.append(min(self._blank, self._prefix, key=len).rstrip())
                self._blank = None
            self._line, self._open = self._prefix, True
            if not text:
                self._line = self._prefix.rstrip()
        self._line += text


def width_of(text: str) -> int:
    """Return the columns that a line takes: two for a wide East Asian character, none for a combining mark."""
    if text.isascii():
        return len(text)
    return sum([_width(letter) for letter in text])


def _width(letter: str) -> int:
    if letter.isascii():
        return 1
    if unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def pad(text: str, width: int) -> str:
    """Return a line with spaces up to a width."""
    return text + " " * (width - width_of(text))
