"""Scripts and accents of formulas: a base and what stands above, below or beside it, as text."""

import re
from typing import Final

from corpus.ncbi.markup.scripts import MARKS, SUBSCRIPTS, SUPERSCRIPTS, script

# Accents by the character that stands above a letter, for several letters by a word.
OVER: Final = {
    **dict.fromkeys("^ˆ∧⌃\u0302", ("\u0302", "hat")),
    **dict.fromkeys("~˜∼\u0303", ("\u0303", "tilde")),
    **dict.fromkeys("¯ˉ‾-−–—_―\u0304\u0305", ("\u0304", "bar")),
    **dict.fromkeys("→⃗⇀\u20d7", ("\u20d7", "vec")),
    **dict.fromkeys("←↼\u20d6", ("\u20d6", "vec")),
    **dict.fromkeys("↔\u20e1", ("\u20e1", "vec")),
    **dict.fromkeys("˙.·⋅•∙\u0307", ("\u0307", "dot")),
    **dict.fromkeys(("¨", "..", "\u0308"), ("\u0308", "ddot")),
    **dict.fromkeys(("...", "⃛"), ("\u20db", "dddot")),
    **dict.fromkeys("ˇ\u030c", ("\u030c", "check")),
    **dict.fromkeys("˘\u0306", ("\u0306", "breve")),
    **dict.fromkeys("´\u0301", ("\u0301", "acute")),
    **dict.fromkeys("`\u0300", ("\u0300", "grave")),
    **dict.fromkeys("˚∘°\u030a", ("\u030a", "ring")),
    **dict.fromkeys("⌢⏜\u0311", ("\u0311", "arc")),
}
UNDER: Final = {
    **dict.fromkeys("_¯‾-−–—\u0332", ("\u0332", "underline")),
    **dict.fromkeys("~˜∼\u0330", ("\u0330", "undertilde")),
    **dict.fromkeys("→\u20ef", ("\u20ef", "undervec")),
}
_RAISED_ACCENTS: Final = frozenset("^ˆ~˜¯‾")  # as `msup`; a raised minus is a charge
BRACES: Final = frozenset("⏞⏟⎴⎵︷︸⏠⏡︵︶")

_LETTER: Final = re.compile(rf"([^\W\d_][{MARKS}]*)((?:[{SUPERSCRIPTS}{SUBSCRIPTS}]|[_^](?:\w+|\([^()]*\)))*)")
_SIGNS: Final = "=<>≤≥≈≠∼≡∝→+−±∓×·⋅∕/*∗"
_METASTABLE: Final = re.compile(r"\d{2,3}m")


def is_accent(name: str, run: str) -> bool:
    """Say whether what stands above a base, by the name of its element, may be an accent."""
    return "over" in name or (name.endswith("sup") and run in _RAISED_ACCENTS)


def accented(base: str, mark: str, word: str) -> str:
    """Return a base with an accent: a mark on a single letter, with or without scripts; else a word around it."""
    base = base.strip()
    if found := _LETTER.fullmatch(base):
        return found[1] + mark + found[2]
    if len(base) == 1:
        return base + mark
    return f"{word}({base})"


def scripted(base: str, run: str, kind: str, *, fraction: bool = False) -> str:
    """Return a base with one more script; a base of several terms stands in brackets."""
    if not run:
        return base
    again = (
        f"[{SUPERSCRIPTS}]$|\\^(?:\\w+|\\([^()]*\\))$" if kind == "sup" else f"[{SUBSCRIPTS}]$|_(?:\\w+|\\([^()]*\\))$"
    )
    if fraction or _has_terms(base) or (re.search(again, base) and any(letter.isalnum() for letter in run)):
        base = f"({base})"
    raised = kind == "sup"
    nucleus = "X" if raised and not base and _METASTABLE.fullmatch(run) else ""  # ⁹⁹ᵐTc, whose base comes behind it
    return base + script(run, raised=raised, before=base if raised else "", after=nucleus)


def _has_terms(text: str) -> bool:
    """Say whether a sum or product stands outside the brackets of a base; a relation in one is a slip of markup."""
    depth, found, text = 0, False, text.strip()
    if text[:1] == text[-1:] and text[:1] in ("|", "‖"):
        return False
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if depth < 0:
            return False
        found = found or (depth == 0 and letter in "+−±-×·/∕")
        if depth == 0 and letter in "=<>≤≥≈":
            return False
    return found and depth == 0 and len(text) > 1
