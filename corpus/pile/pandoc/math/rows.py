"""Rows of a formula: what fences enclose becomes one expression, a group of several stands in braces."""

import unicodedata

from corpus.pile.pandoc.math import symbols
from corpus.pile.pandoc.math.tex import SPACE, Piece, Pieces, command, group, literal

_MATRICES = {("(", ")"): "pmatrix", ("[", "]"): "bmatrix", ("{", "}"): "Bmatrix", ("|", "|"): "vmatrix"} | {
    ("‖", "‖"): "Vmatrix"
}


class Exp:
    """One expression: its pieces, what it is, and for a fence its form and sign."""

    __slots__ = ("accent", "bare", "fancy", "form", "kind", "pieces", "rows", "sign")

    def __init__(self, pieces: Pieces, kind: str = "", *, fancy: bool = False, sign: str = "", form: str = "") -> None:
        self.pieces, self.kind, self.fancy, self.sign, self.form = pieces, kind, fancy, sign, form
        self.accent = False
        self.bare: Pieces | None = None  # of fences that are not seen: what they enclose
        self.rows: tuple[str, list[str]] | None = None  # of a table: its columns and its lines


def grouped(row: list[Exp], *, whole: bool = False) -> Pieces:
    """Return a row as one unit: alone it stands as it is, several stand in braces."""
    if len(row) == 1 and not whole:
        return row[0].pieces
    pieces = [piece for exp in row for piece in exp.pieces]
    while whole and len(pieces) == 1 and pieces[0][0] == "group":
        pieces = pieces[0][1]  # type: ignore[assignment]
    return pieces if whole else [group(pieces)]


def nested(row: list[Exp]) -> list[Exp]:
    """Return a row with each fence, what it encloses and the fence that closes it made one expression."""
    at = next((place for place, exp in enumerate(row) if exp.form in ("prefix", "postfix")), None)
    if at is None:
        if any(exp.form == "infix" for exp in row):
            return [delimited("", "", row)]
        return row
    before, fence, after = row[:at], row[at], row[at + 1 :]
    if fence.form == "postfix":
        return [delimited("", fence.sign, before), *nested(after)]
    depth = 0
    for place, exp in enumerate(after):
        if exp.form == "prefix":
            depth += 1
        elif exp.form == "postfix":
            if depth == 0:
                inside = delimited(fence.sign, exp.sign, _inner(after[:place]))
                return nested([*before, inside, *after[place + 1 :]])
            depth -= 1
    return [*before, delimited(fence.sign, "", _inner(after))]


def _inner(row: list[Exp]) -> list[Exp]:
    """Return what stands between two fences; bars in the middle stay bars."""
    if any(exp.form in ("prefix", "postfix") for exp in row):
        return nested(row)
    return row


def delimited(opening: str, closing: str, row: list[Exp]) -> Exp:
    """Return what stands between two fences as one expression; a matrix has an environment of its own."""
    if len(row) == 1 and row[0].rows is not None:
        columns, lines = row[0].rows
        name = _MATRICES.get((opening, closing))
        if name is not None and not columns.strip("c"):
            return Exp([literal(environment(name, "", lines))])
    inside: Pieces = row[0].bare or [] if len(row) == 1 and row[0].bare and opening else []
    for exp in [] if inside else row:
        inside += [SPACE, _fence("\\middle", exp.sign), SPACE] if exp.form == "infix" else exp.pieces
    pieces = [_fence("\\left", opening), SPACE, *inside, SPACE, _fence("\\right", closing)]
    tail = [command(symbols.COMMANDS.get(closing, closing))] if closing not in symbols.DELIMITERS else []
    exp = Exp([*pieces, *tail])
    exp.bare = None if opening or closing else inside
    return exp


def _fence(name: str, sign: str) -> Piece:
    delimiter = symbols.DELIMITERS.get(sign, ".")
    return command(name + delimiter) if delimiter[0] == "\\" else literal(name + delimiter)


def environment(name: str, columns: str, lines: list[str]) -> str:
    """Return the lines of a table inside its environment."""
    body = "".join([line + "\n" for line in lines])
    return f"\\begin{{{name}}}{columns}\n{body}\\end{{{name}}}"


def characters(text: str) -> Pieces:
    """Return the characters of a formula as TeX."""
    pieces: Pieces = []
    for letter in text:
        name = symbols.COMMANDS.get(letter)
        if name is not None:
            pieces.append(command(name) if name != "/" else literal(name))
        elif not letter.isascii() and (style := symbols.alphabet(letter)):
            plain = [command(style), group([literal(unicodedata.normalize("NFKC", letter))])]
            pieces += plain if letter < "\u2150" and style == "\\mathcal" else [group(plain)]
        elif letter == "\xa0":
            pieces.append(literal("~"))
        elif letter == " ":
            pieces.append(command("\\ "))
        else:
            pieces.append(literal(letter))
    return pieces
