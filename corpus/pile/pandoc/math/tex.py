"""TeX writer: commands, literal text, groups and wished-for spaces in, TeX with the spaces that are needed out."""

import re
from collections.abc import Iterable

# ("command", text), ("literal", text), ("group", pieces), ("space",)
Piece = tuple[object, ...]
Pieces = list[Piece]
SPACE: Piece = ("space",)
_NO_SPACE_BEFORE = ("^", "_", " ", "\\limits")


def command(text: str) -> Piece:
    """Return a command as a piece."""
    return ("command", text)


def literal(text: str) -> Piece:
    """Return text as a piece."""
    return ("literal", text)


def group(pieces: Pieces) -> Piece:
    """Return pieces in braces."""
    return ("group", pieces)


def render(pieces: Iterable[Piece]) -> str:
    """Return pieces as text."""
    text = ""
    for piece in reversed(list(pieces)):
        kind = piece[0]
        if kind == "space":
            if text and not text.startswith(_NO_SPACE_BEFORE):
                text = " " + text
        elif kind == "group":
            text = _braced(piece[1]) + text  # type: ignore[arg-type]
        else:
            text = _joined(str(piece[1]), text, is_command=kind == "command")
    return text


def _braced(pieces: Pieces) -> str:
    while len(pieces) == 1 and pieces[0][0] == "group":
        pieces = pieces[0][1]  # type: ignore[assignment]
    while pieces and pieces[0] == SPACE:
        pieces = pieces[1:]
    while pieces and pieces[-1] == SPACE:
        pieces = pieces[:-1]
    return "{" + render(pieces) + "}"


def _joined(own: str, rest: str, *, is_command: bool) -> str:
    """Return text before other text, parted where the two would become one command."""
    if not rest or (not own and not is_command):
        return own + rest
    if is_command:  # a space of no width is a command without a name
        apart = own != "\\ " and (rest[0].isalnum() or not rest[0].isascii())
    else:
        apart = own[0] == "\\" and own[-1].isalpha() and rest[0].isalpha()
    return own + " " + rest if apart else own + rest


# Widths of white space in formulas, and the TeX for them.
_UNITS = {"em": 1.0, "ex": 0.5, "pt": 10.0, "px": 1.0, "in": 0.1, "cm": 0.1, "mm": 0.1, "pc": 10.0}
_NAMED = {"veryverythin": 1, "verythin": 2, "thin": 3, "medium": 4, "thick": 5, "verythick": 6, "veryverythick": 7}
_SPACES = ((0, ""), (-3, "\\!"), (3, "\\,"), (4, "\\ "), (4.5, "\\ "), (5, "\\;"), (18, "\\quad"), (36, "\\qquad"))


def width_of_space(text: str) -> float:
    """Return a width as MathML states it, in em; 0 for one that cannot be read."""
    named = text.removeprefix("negative").removesuffix("mathspace")
    if named in _NAMED:
        return (-1 if text.startswith("negative") else 1) * _NAMED[named] / 18
    found = re.fullmatch(r"\s*(-?[0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*", text)
    if not found:
        return 0.0
    return float(found[1]) * _UNITS.get(found[2], 1.0)


def space(width: float) -> Pieces:
    """Return white space of a width in em."""
    units = width * 18
    for known, name in _SPACES:
        if abs(units - known) < 0.06:
            return [command(name)]
    return [command(f"\\mspace{{{round(units)}mu}}")]
