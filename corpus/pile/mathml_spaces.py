"""Widths of white space in formulas, and the TeX for them."""

import re

from corpus.pile.pandoc.math.tex import Pieces, command

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
