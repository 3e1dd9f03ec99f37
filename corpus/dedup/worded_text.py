"""Texts as lower-case words, numbers and telling signs, for the comparison word by word (`corpus.dedup.twins`).

A text comes in, its `Wording` goes out. What a word is says `_TOKEN`, over the text without its typography. Nearly
all of that looks at nothing beyond the next space, so a text is cut at its spaces and each piece is read once and
remembered: copies, and all texts of one language, share most pieces. Where a piece could depend on others (a lone dash
between numbers apart), the whole text is read by the pattern.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from html import unescape
from itertools import chain
from sys import intern
from typing import Final, NamedTuple

from corpus.text.typography import fold_scripts
from corpus.text.words import CHARACTER

# Letters and digits with the points and commas of numbers, and the signs that carry meaning.
_TOKEN: Final = re.compile(
    rf"{CHARACTER}|(?:(?!{CHARACTER})[^\W_])+(?:(?<=\d)[.,:·^_]\d[^\W_]*)*|[<>=≠≤≥±%‰°→↑↓]"
    # Signs of ions and of numbers; every +, whose spaces say nothing (CD4+ T, CD4 + T); what is taken from what.
    r"|\+|(?<=[^\W_])[\-−](?=[\s,.;:)\]/]|$)|(?<![^\W_])(?<!\))[\-−](?=\d)|(?<=\d )[\-−](?= \d)"
)
# Markup left over, and ways to write in ASCII what other texts have a sign or raised digits for.
_ENTITY: Final = re.compile(r"&(?:[a-zA-Z]{2,8}\d{0,2}|#\d{2,6}|#x[0-9a-fA-F]{2,5});")
_PLUS_MINUS: Final = r"\pm"  # a suspect of its own in no text, but read in all that hold another one
_SPELLED: Final = (
    (re.compile(r"\+/?[-−]|\\pm\b"), "±"),
    (re.compile(r"<="), "≤"),
    (re.compile(r">="), "≥"),
    (re.compile(r"->"), "→"),
    (re.compile(r"(?<![\w.,])\.(?=\d)"), "0."),  # p < .05
    (re.compile(r"(?<=\d)\((\d{1,3})\)"), r"^\1"),  # 10(5)
    (re.compile(r"(?<=\w)\(([+\-−]?\d{0,3}[+\-−]?)\)"), r"\1"),  # CO(2), Ca(2+), 10(-3)
    (re.compile(r"(?<=\w)[\^_](?=[+\-−a-zA-Z])|(?<=[a-zA-Z])[\^_](?=\w)"), ""),  # V_max, x^2, 10^-3
)
_SUSPECT: Final = re.compile(r"[+<>^_]|->|\w\(|(?<![\w.,])\.\d")
_LONG_WORD: Final = re.compile(r"[^\W\d_]{5,}")
_DASHES: Final = frozenset("-−")
_PASSED_OVER: Final = " ([{\"'“‘«"
_SENTENCE_ENDS: Final = frozenset(".!?:;\n•")
_BREAK: Final = "\n"  # a line break as a piece of its own
_REMEMBERED: Final = 1 << 17  # pieces, some 30 MB; then all are forgotten


class Wording:
    """A text as lower-case words, numbers and telling signs; `title`: how many of them stand in the first line, when
    there are more lines.

    The text itself is asked for again where names are: 20,000 texts are held at once, and few need theirs.
    """

    __slots__ = ("_names", "_source", "title", "words")

    def __init__(self, words: list[str], title: int, source: Callable[[], str]) -> None:
        self.words, self.title = words, title
        self._source: Callable[[], str] = source
        self._names: frozenset[str] | None = None

    def is_name(self, word: str) -> bool:
        """Say whether a word has a capital inside a sentence, in a title not of capitals, and never stands without."""
        if self._names is None:
            text = self._source()
            # By far most words stand small somewhere, between two spaces.
            if f" {word} " in text and word in _read_piece(word).small:
                return False
            self._names = _names(text)
        return word in self._names


class _ReadPiece(NamedTuple):
    """What stands between two spaces, read."""

    words: tuple[str, ...]
    small: tuple[str, ...]  # those of the words that stand without a capital
    inside: tuple[str, ...]  # those with one, behind something that ends no sentence
    leading: tuple[str, ...]  # those with one that nothing but a bracket or a quote stands before
    last: str  # its last character that is no bracket or quote, "" when there is none
    begins_with_digit: bool
    ends_with_digit: bool


class _WordsByPiece(dict[str, tuple[str, ...]]):
    """The words of every piece seen, those of `dashes` and `odd` ones too."""

    def __init__(self) -> None:
        super().__init__({_BREAK: ()})
        self.dashes: set[str] = set()  # they are words where they stand between two numbers
        self.odd: set[str] = set()  # other pieces may change what is read

    def __missing__(self, piece: str) -> tuple[str, ...]:
        if piece.isascii() and piece.isalnum():
            words: tuple[str, ...] = (intern(piece.lower()),)
        else:
            text = _without_typography(piece)
            words = tuple([intern(word.lower()) for word in _TOKEN.findall(text)])
            if text in _DASHES:
                self.dashes.add(piece)
            elif "\n" in text or (" " in text and not _DASHES.isdisjoint(text)) or _PLUS_MINUS in piece:
                self.odd.add(piece)
        self[piece] = words  # last, for other threads look here first
        return words


_KEPT: Final = [_WordsByPiece()]


def _remembered() -> _WordsByPiece:
    """Return the pieces to read with; a full memory is left to those who still read with it."""
    if len(_KEPT[0]) > _REMEMBERED:
        _KEPT[0] = _WordsByPiece()
    return _KEPT[0]


def wording(source: Callable[[], str]) -> Wording:
    """Return the words of the text that `source` returns, now and whenever it is called."""
    text, memory = source(), _remembered()
    title, rest = _cut(text)
    words = list(chain.from_iterable(map(memory.__getitem__, title)))
    num_title = len(words)
    words += chain.from_iterable(map(memory.__getitem__, rest))
    is_odd = bool(memory.odd) and not memory.odd.isdisjoint(chain(title, rest))
    if is_odd or _has_minus(memory, title) or _has_minus(memory, rest):
        words, num_title, _ = words_by_pattern(text)
    return Wording(words, num_title, source)


def _has_minus(memory: _WordsByPiece, pieces: list[str]) -> bool:
    """Say whether a lone dash stands between numbers somewhere."""
    for dash in memory.dashes.intersection(pieces):
        place = -1
        for _ in range(pieces.count(dash)):
            place = pieces.index(dash, place + 1)
            before, after = pieces[max(place - 1, 0)], pieces[min(place + 1, len(pieces) - 1)]
            if _read_piece(before).ends_with_digit and _read_piece(after).begins_with_digit:
                return True
    return False


def words_by_pattern(text: str) -> tuple[list[str], int, frozenset[str]]:
    """Return (words, how many are in the title, names), read from one end to the other: what all else here must equal.

    It is for the few texts in which a piece depends on others.
    """
    text = _without_typography(text)
    end = text.find("\n")
    words, title = [], 0
    names: set[str] = set()
    small: set[str] = set()
    named_from = end if _is_in_title_case(text[: max(end, 0)]) else 0
    for found in _TOKEN.finditer(text):
        word = found[0]
        lower = intern(word.lower())
        words.append(lower)
        title += found.start() < end
        if lower == word:
            small.add(lower)
        elif lower not in names and found.start() >= named_from and _before(text, found.start()) not in _SENTENCE_ENDS:
            names.add(lower)
    return words, title, frozenset(names - small)


def _cut(text: str) -> tuple[list[str], list[str]]:
    """Return the pieces of the title and of the rest, which is all when there is one line."""
    end = max(text.find("\n"), 0)
    title = text[:end].split(" ") if end else []
    return title, text[end:].replace("\n", f" {_BREAK} ").split(" ")


@lru_cache(1 << 14)
def _read_piece(piece: str) -> _ReadPiece:
    text = _without_typography(piece)
    words: list[str] = []
    small: list[str] = []
    inside: list[str] = []
    leading: list[str] = []
    for found in _TOKEN.finditer(text):
        word = found[0]
        lower = intern(word.lower())  # 20,000 texts are held at once, and share most of their words
        words.append(lower)
        before = text[: found.start()].rstrip(_PASSED_OVER)
        if lower == word:
            small.append(lower)
        elif not before:
            leading.append(lower)
        elif before[-1] not in _SENTENCE_ENDS:
            inside.append(lower)
    return _ReadPiece(
        words=tuple(words),
        small=tuple(small),
        inside=tuple(inside),
        leading=tuple(leading),
        last=text.rstrip(_PASSED_OVER)[-1:],
        begins_with_digit=text[:1].isdecimal(),
        ends_with_digit=text[-1:].isdecimal(),
    )


def _names(text: str) -> frozenset[str]:
    """Return the names of a text."""
    memory, (title, rest) = _remembered(), _cut(text)
    distinct = {*title, *rest}
    small: set[str] = set()
    capital: dict[str, _ReadPiece] = {}
    for piece in distinct:
        if piece.isascii() and piece == piece.lower():
            small.update(memory[piece])
        else:
            memory[piece]  # says whether it is odd
            capital[piece] = _read_piece(piece)
            small.update(capital[piece].small)
    if not memory.odd.isdisjoint(distinct):
        return words_by_pattern(text)[2]
    in_title_case = _is_in_title_case(_without_typography(" ".join(title)))
    telling = {piece for piece, found in capital.items() if not small.issuperset(found.inside + found.leading)}
    names: set[str] = set()
    pieces = [*title, *rest]
    for place, piece in enumerate(pieces):
        if piece not in telling or (in_title_case and place < len(title)):
            continue
        found = capital[piece]
        names.update(found.inside)
        if found.leading and _last_before(pieces, place) not in _SENTENCE_ENDS:
            names.update(found.leading)
    return frozenset(names - small)


def _last_before(pieces: list[str], place: int) -> str:
    """Return the last character before a piece that is no space, bracket or quote; a full stop at the start."""
    while place:
        place -= 1
        if last := _BREAK if pieces[place] == _BREAK else _read_piece(pieces[place]).last:
            return last
    return "."


def _is_in_title_case(title: str) -> bool:
    """Say whether a title is set in capitals or with most of its longer words capital: they are no names then."""
    words = _LONG_WORD.findall(title)[1:]
    return 2 * sum(not word.islower() for word in words) > len(words)


def _without_typography(text: str) -> str:
    """Return a text as `corpus.text.typography` folds it, Greek letters and signs in one form whatever that was."""
    if "&" in text:
        text = _ENTITY.sub(lambda found: unescape(found[0]), text)
    text = fold_scripts(text)
    if _SUSPECT.search(text):
        for pattern, form in _SPELLED:
            text = pattern.sub(form, text)
    return text


def _before(text: str, place: int) -> str:
    """Return the last character before a place that is no space, bracket or quote; a full stop at the start."""
    while place and text[place - 1] in _PASSED_OVER:
        place -= 1
    return text[place - 1] if place else "."
