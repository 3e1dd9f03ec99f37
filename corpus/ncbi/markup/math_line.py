"""Formulas on one line: a `MathNode` comes in, text with the fewest brackets that keep its meaning goes out.

Scripts follow `corpus.ncbi.markup.scripts`; accents are combining marks on their letter (x̄, β̂) and words around more
than one (vec(ΔT)); a fraction is a/b with brackets around what is longer than a token, one without a bar (n choose k);
roots are √(x); cells of a matrix are parted by `, ` and its rows by `; `, where equations are only aligned the cells
are one line. Nothing is evaluated or reordered, and nothing is written that the formula does not show.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import Final, NamedTuple

from corpus.ncbi.markup.math_scripts import BRACES, OVER, UNDER, accented, is_accent, scripted
from corpus.ncbi.markup.math_tables import FENCES, lines_of
from corpus.ncbi.markup.math_tree import DECISIONS, MathNode
from corpus.ncbi.markup.scripts import MARKS, SUBSCRIPTS, SUPERSCRIPTS, script

_TOKEN: Final = re.compile(
    rf"(?:√(?:\[[^\[\]]*\])?\([^()]*\)|[\w.,′{MARKS}{SUPERSCRIPTS}{SUBSCRIPTS}]*(?:[_^]\([^()]*\))?)"
)
_OPEN_SCRIPT: Final = re.compile(rf"[\^_][\w{MARKS}]+$")
_SCRIPTED_WORD: Final = re.compile(rf"[^\W\d_]{{2,}}[{SUPERSCRIPTS}{SUBSCRIPTS}]+$")
_SCRIPT_DIGITS: Final = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉")
_FUNCTION: Final = re.compile(rf"[a-z]{{2,}}[{SUPERSCRIPTS}{SUBSCRIPTS}]+$")
_RAISED: Final = re.compile(f"[{SUPERSCRIPTS}]+ᵐ?")
_INVISIBLE: Final = frozenset("\u2061\u2062\u2063\u2064")
_THIN: Final = "thin"  # a small gap between two pieces
_TIGHT: Final = frozenset("([{=<>≤≥≈≠∼≡∝→+−-±∓×·⋅∕/*∗√^_ ")
_FACTORS: Final = tuple("([{√∑∏∫")
# A divisor of several factors, which a reader would take for the first alone: 1/(2π), a/(x₁x₂).
_FACTORS_BELOW: Final = re.compile(
    rf"\d[\d.,]*[^\W\d_].*|[^\W\d_][{MARKS}]*(?:[{SUPERSCRIPTS}{SUBSCRIPTS}]+|[_^]\([^()]*\))[^\W\d_].*"
)
_SHOWN_EMPTY: Final = frozenset(["mspace", "mglyph", "ms"])


class PieceKind(Enum):
    """What a piece of a row is, as far as its neighbours have to know."""

    PLAIN = auto()
    FRACTION = auto()
    STACK = auto()  # lines without a bar between them
    BEFORE = auto()  # begins with scripts that belong to what follows them
    GAP = auto()
    THIN = auto()  # a gap where letters would touch, nothing elsewhere
    INVISIBLE = auto()


class LinePiece(NamedTuple):
    """The text of one element of a row."""

    text: str
    kind: PieceKind = PieceKind.PLAIN


def write(node: MathNode) -> str:
    """Return a formula as one line."""
    return unicodedata.normalize("NFC", " ".join(_piece(node).text.split()))


def _text(node: MathNode) -> str:
    return _piece(node).text


def _piece(node: MathNode) -> LinePiece:
    return _WRITERS.get(node.name, _row)(node)


def _token(node: MathNode) -> LinePiece:
    if node.children:  # no token of MathML has any, but a glyph may stand in it
        return LinePiece(_joined(list(map(_piece, node.children))))
    return _token_piece(node.text, "spaced" in node.attributes)


@lru_cache(maxsize=1 << 12)
def _token_piece(written: str, spaced: bool) -> LinePiece:
    text = " ".join(written.split())
    if not text:
        return LinePiece(" ", PieceKind.GAP) if written else LinePiece("")
    if text in _INVISIBLE:
        return LinePiece(text, PieceKind.INVISIBLE)
    if not text.isascii():
        text = text.translate(_NO_INVISIBLE)
    return LinePiece(f" {text} " if spaced else text)


_NO_INVISIBLE: Final = dict.fromkeys(map(ord, _INVISIBLE | {"\u200b", "\u2060", "\ufeff"}))


def _row(node: MathNode) -> LinePiece:
    if not node.children:
        return _token(node)
    if len(node.children) == 1:
        return _piece(node.children[0])
    children = [child for child in node.children if child.children or child.text or child.name in _SHOWN_EMPTY]
    if len(children) == 1:
        return _piece(children[0])
    return LinePiece(_joined([_fitting(children, index) for index in range(len(children))]))


def _fitting(children: Sequence[MathNode], index: int) -> LinePiece:
    """Return a member of a row; what its fences tell of it are its lines: a matrix's, a binomial's or neither."""
    child = children[index]
    if not child.children:
        return _piece(child)
    inner = _bare(child)
    if inner.name == "mtable":
        opening, closing = _sign(children, index - 1), _sign(children, index + 1)
        fenced = opening in FENCES and bool(closing or opening == "{")
        return LinePiece(_table_text(inner, fenced=fenced), PieceKind.PLAIN if fenced else PieceKind.STACK)
    piece = _piece(child)
    if piece.kind is not PieceKind.STACK:
        return piece
    if _sign(children, index - 1) not in FENCES or not _sign(children, index + 1):
        return LinePiece(f"({piece.text})")
    return LinePiece(piece.text.replace("; ", " choose ", 1)) if inner.name == "mfrac" else piece


def _bare(node: MathNode) -> MathNode:
    """Return what stands alone in rows within rows."""
    while node.children and len(node.children) == 1 and DECISIONS.get(node.name) == "row":
        node = node.children[0]
    return node


def _sign(children: Sequence[MathNode], index: int) -> str:
    node = _bare(children[index]) if 0 <= index < len(children) else MathNode("mrow")
    return node.text.strip() if node.name == "mo" else ""


def _joined(pieces: Sequence[LinePiece]) -> str:
    """Return pieces side by side; words (sin, log, mtext) keep a space from what would extend them."""
    text, last, between = "", "", ""
    shown = [piece for piece in pieces if piece.text]
    for index, (piece, kind) in enumerate(shown):
        if kind is PieceKind.PLAIN:
            text += (_gap(text, last, piece, kind, between) if text else "") + (
                piece.lstrip() if text[-1:] == " " else piece
            )
            last, between = piece, ""
            continue
        if kind in (PieceKind.GAP, PieceKind.THIN, PieceKind.INVISIBLE):
            between = piece if kind is PieceKind.INVISIBLE else _THIN if kind is PieceKind.THIN else ""
            if kind is PieceKind.GAP and text[-1:] not in tuple(" ([{"):
                text += " "
            continue
        follower = next((other.text[:1] for other in shown[index + 1 :] if other.kind is not PieceKind.INVISIBLE), "")
        if kind is PieceKind.FRACTION and (_is_word(last) or follower.isalnum() or follower in _FACTORS):
            piece, kind = f"({piece})", PieceKind.PLAIN
        text += _gap(text, last, piece, kind, between) + (piece.lstrip() if text[-1:] == " " else piece)
        last, between = piece, ""
    return text


def _gap(text: str, last: str, piece: str, kind: PieceKind, between: str) -> str:
    """Return what stands between a row's text and the next piece: nothing, a space, or a sign for ×."""
    if between == _THIN and text and text[-1] not in _TIGHT and (piece[0].isalnum() or piece[0] in "([{√|"):
        return " "
    if not (_ends_solid(text) and piece[0].isalnum()) or (piece[0] in _SCRIPT_DIGITS and kind is not PieceKind.BEFORE):
        return " " if kind is PieceKind.BEFORE and _ends_solid(text) else ""
    if _RAISED.fullmatch(last):  # of a nucleus: ¹⁴CO₂
        return ""
    if text[-1].isdigit() and piece[0].isdigit() and text[-1].isascii():
        if between == "\u2062":
            return "·"
        return " " if kind is PieceKind.FRACTION or between in ("\u2064", "\u2061") else ""
    if text[-1] in _SCRIPT_DIGITS and piece[0].isupper() and not _FUNCTION.search(text):
        return ""  # CH₃COOH
    apart = between == "\u2061" or kind is PieceKind.BEFORE or (kind is PieceKind.FRACTION and not text[-1].isdigit())
    words = _is_word(last) or _starts_word(piece) or _OPEN_SCRIPT.search(text) or _SCRIPTED_WORD.search(last)
    return " " if apart or words else ""


def _ends_solid(text: str) -> bool:
    return text[-1:].isalnum() or (bool(text) and unicodedata.category(text[-1]) == "Mn")


def _is_word(text: str) -> bool:
    return len(text) > 1 and text[-1].isalpha() and text[-2].isalpha()


def _starts_word(text: str) -> bool:
    return len(text) > 1 and text[0].isalpha() and text[1].isalpha()


def _fraction(node: MathNode) -> LinePiece:
    if len(node.children) != 2:
        return _row(node)
    upper, lower = map(_text, node.children)
    thickness = node.attributes.get("linethickness", "")
    if re.match(r"0*\.?0*(?:[a-z%]|$)", thickness.strip()) and thickness.strip():
        return LinePiece("; ".join(filter(None, [upper.strip(), lower.strip()])), PieceKind.STACK)
    lower = lower.strip()
    below = f"({lower})" if _FACTORS_BELOW.fullmatch(lower) else _bracketed(lower)
    return LinePiece(f"{_bracketed(upper)}/{below}", PieceKind.FRACTION)


def _bracketed(text: str) -> str:
    """Return a piece of a fraction, in brackets when it is more than one token."""
    text = text.strip()
    return text if _TOKEN.fullmatch(text) else f"({text})"


def _root(node: MathNode) -> LinePiece:
    if node.name == "mroot" and len(node.children) == 2:
        base, degree = map(_text, node.children)
        return LinePiece(f"√[{degree}]({base})")
    return LinePiece(f"√({_row(MathNode('mrow', children=node.children)).text.strip()})")


def _enclosed(node: MathNode) -> LinePiece:
    notation = node.attributes.get("notation", "").split()
    if "radical" in notation:
        return _root(MathNode("msqrt", children=node.children))
    inner = _row(MathNode("mrow", children=node.children))
    return LinePiece(accented(inner.text, *OVER["¯"])) if "top" in notation or "actuarial" in notation else inner


def _fenced(node: MathNode) -> LinePiece:
    marks = "".join(node.attributes.get("separators", ",").split())
    opening, closing = node.attributes.get("open", "(").strip(), node.attributes.get("close", ")").strip()
    inner = ""
    for index, child in enumerate(node.children):
        if index and marks:
            mark = marks[min(index, len(marks)) - 1]
            inner += mark + (" " if mark in ",;" else "")
        around = [MathNode("mo", opening), child, MathNode("mo", closing)]
        inner += _fitting(around, 1).text.strip(" ") if opening or closing else _text(child)
    return LinePiece(opening + inner + closing)


def _scripts(node: MathNode) -> LinePiece:
    if node.name == "mmultiscripts":
        return _multiscripts(node)
    kinds = _SCRIPT_KINDS[node.name]
    children = node.children or [MathNode("mrow")]
    if len(children) != len(kinds) + 1:
        return LinePiece(_joined(list(map(_piece, children))))
    base, runs = _piece(children[0]), [_text(child).strip() for child in children[1:]]
    text = base.text
    if len(runs) == 2 and not text.strip() and all(map(str.isdecimal, runs)):  # of a nucleus behind it: ²³⁸₉₂U
        lower = script(runs[0], raised=False)
        return LinePiece(script(runs[1], raised=True, after=lower) + lower)
    for run, kind in zip(runs, kinds, strict=True):
        marks = OVER if kind == "sup" and is_accent(node.name, run) else UNDER if node.name.startswith("mu") else {}
        if run in BRACES:
            continue
        if run in marks and text not in ("→", "←", "="):
            text = accented(text, *marks[run]) if text else run
        else:
            text = scripted(text, run, kind, fraction=base.kind is PieceKind.FRACTION)
    return LinePiece(text)


_SCRIPT_KINDS: Final = {
    **{"msub": ("sub",), "msup": ("sup",), "msubsup": ("sub", "sup")},
    **{"munder": ("sub",), "mover": ("sup",), "munderover": ("sub", "sup")},
}


def _multiscripts(node: MathNode) -> LinePiece:
    """Return a base with scripts on both sides: those before it raised first, as isotopes are written."""
    names = [child.name for child in node.children]
    cut = names.index("mprescripts") if "mprescripts" in names else len(names)
    behind = [_text(child).strip() for child in node.children[1:cut]]
    before = [_text(child).strip() for child in node.children[cut + 1 :]]
    base = _text(node.children[0]) if cut else ""
    for low, high in zip(behind[::2], [*behind[1::2], ""], strict=False):
        base = scripted(scripted(base, low, "sub"), high, "sup")
    pairs = list(zip(before[::2], [*before[1::2], ""], strict=False))
    uppers, lowers = [high for _, high in pairs if high], [low for low, _ in pairs if low]
    lower = "".join(script(run, raised=False, after=base) for run in lowers)
    upper = "".join(script(run, raised=True, after=lower or base) for run in uppers)
    return LinePiece(upper + lower + base, PieceKind.BEFORE if base and (upper or lower) else PieceKind.PLAIN)


def _table(node: MathNode) -> LinePiece:
    return LinePiece(_table_text(node, fenced=False), PieceKind.STACK)


def _table_text(node: MathNode, *, fenced: bool) -> str:
    rows = [[_text(cell).strip() for cell in _cells(row)] for row in node.children]
    labels = [
        _text(row.children[0]).strip() if row.name == "mlabeledtr" and row.children else "" for row in node.children
    ]
    return lines_of(rows, labels, fenced=fenced)


def _cells(row: MathNode) -> Sequence[MathNode]:
    if DECISIONS.get(row.name) != "cells":
        return [row]
    return row.children[1:] if row.name == "mlabeledtr" else row.children


def _lines(node: MathNode) -> LinePiece:
    return LinePiece("; ".join(filter(None, (_text(child).strip() for child in node.children))) or _token(node).text)


def _space(node: MathNode) -> LinePiece:
    width = node.attributes.get("width", "").strip()
    found = re.match(r"-?\d*\.?\d+", width)
    if width.startswith("negative") or (found and float(found[0]) <= 0):
        return LinePiece("")
    thin = found is not None and width.endswith("em") and float(found[0]) < 0.3
    return LinePiece(" ", PieceKind.THIN if thin or width.endswith("thinmathspace") else PieceKind.GAP)


def _chosen(node: MathNode) -> LinePiece:
    wanted = node.attributes.get("selection", "1")
    index = int(wanted) if wanted.isdecimal() else 1
    return _piece(node.children[min(index, len(node.children)) - 1]) if node.children else _token(node)


def _quoted(node: MathNode) -> LinePiece:
    return LinePiece(node.attributes.get("lquote", '"') + _token(node).text + node.attributes.get("rquote", '"'))


_BY_DECISION: Final[Mapping[str, Callable[[MathNode], LinePiece]]] = {
    "token": _token,
    "quoted": _quoted,
    "alternative": lambda node: LinePiece(node.attributes.get("alt", "")),
    "space": _space,
    "row": _row,
    "first": lambda node: _piece(node.children[0]) if node.children else _token(node),
    "nothing": lambda node: LinePiece(""),
    "fraction": _fraction,
    "root": _root,
    "fenced": _fenced,
    "enclosed": _enclosed,
    "scripts": _scripts,
    "table": _table,
    "cells": _row,
    "lines": _lines,
    "chosen": _chosen,
}
_WRITERS: Final = {name: _BY_DECISION[decision] for name, decision in DECISIONS.items()}
