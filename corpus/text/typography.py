"""Typography folded away: CO₂, NF‑κB, naïve or ﬁbrin of one text are CO2, NF-kappaB, naive and fibrin of its copy.

One table for all who compare texts; no text is ever changed by it. A fold is a character and what it stands for. Those
of Unicode's compatibility forms (full-width, ligatures, sub- and superscripts, letters of formulas) and of letters with
accents are read off `unicodedata`; the rest stand here, and a new one is a line here:

- `SIGNS`: signs that have an ASCII form of several characters: ± is +/-, ≤ is <=.
- `GREEK`: Greek letters by their names, as NLM wrote them for decades: α is alpha. A micro sign or mu before a letter
  is a unit: µg is microg.
- `SAME`: characters drawn alike, or of no meaning: dashes but the long one, marks of width nought, º for °, Cyrillic
  letters that are drawn like Latin ones (СО2 in a Russian journal's English abstract).

Three rules look at the neighbours. A raised digit behind a digit stays raised (10⁵ is 10^5 and never 105; cm² is cm2);
a lowered digit or a fraction there is set off with `_` (2½ is 2_1/2). ß is ss behind a vowel (Straße), else a beta that
was typed in haste (TGF-ß). Nothing else is guessed: k for κ, a for α and u for µ are told by `corpus.dedup.wording`,
which has the other text beside it; markup left over (&beta;, `$\\beta$`) there too.

True differences stay: α and β, µg and mg, −5 and 5, ≠ and =, й and и (other letters in Russian), the long dash between
words. Text in ASCII is its own fold.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

SIGNS: Final[Mapping[str, str]] = {
    **{"±": "+/-", "→": "->", "⇒": "=>"},
    **dict.fromkeys("≤≦⩽≲", "<="),
    **dict.fromkeys("≥≧⩾≳", ">="),
    **dict.fromkeys("≈∼≃≅∽", "~"),
}
MU: Final = "μ"
SHARP_S: Final = "ß"
_NAMES: Final = (  # the fifteenth is drawn like o, and nearly always is one
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi o pi rho sigma tau upsilon phi chi psi "
    "omega"
)
GREEK: Final[Mapping[str, str]] = {
    **dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _NAMES.split(), strict=True)),
    **dict(zip("ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ", _NAMES.title().split(), strict=True)),
    "ς": "sigma",
}
SAME: Final[Mapping[str, str]] = {
    **dict.fromkeys("‐‑‒–−⁃﹣－", "-"),
    **dict.fromkeys("⁄∕", "/"),
    **dict.fromkeys("⋅∙", "·"),
    **dict.fromkeys("ʼʻ", "'"),
    **dict.fromkeys("º˚∘", "°"),
    **{"×": "x", "✕": "x", "∗": "*", "⁎": "*", "∶": ":", "〜": "~"},
    # Latin letters that Unicode does not take apart, and letters drawn like Greek ones.
    **{"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ħ": "h", "Ħ": "H", "ŧ": "t"},
    **{"ı": "i", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "þ": "th", "Þ": "Th", "Ŧ": "T", "ŋ": "ng", "Ŋ": "Ng"},
    **{"ẞ": SHARP_S, "µ": MU, "ɑ": "α", "ɣ": "γ", "ɛ": "ε", "ɸ": "φ", "ĸ": "κ", "∆": "Δ", "ꞵ": "β", "ꞷ": "ω"},
    # Cyrillic letters drawn like Latin ones, small or capital.
    **dict(zip("авекмнорстухіѕјһ", "abekmhopctyxisjh", strict=True)),
    **dict(zip("АВЕКМНОРСТУХІЅЈҺ", "ABEKMHOPCTYXISJH", strict=True)),
    # What no reader sees: soft hyphens, marks of width nought and of direction, forms of a sign, trade marks.
    **dict.fromkeys(map(chr, (0xAD, 0x34F, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F))), ""),
    **dict.fromkeys(map(chr, (*range(0x2060, 0x2065), *range(0xFE00, 0xFE10), 0xFEFF)), ""),
    **dict.fromkeys("®™℠", ""),
}
_BARS: Final = frozenset(map(chr, range(0x334, 0x339)))  # strokes through a sign: ≠ is no =
ACCENTS: Final = frozenset(map(chr, range(0x300, 0x370))) - _BARS
RAISED: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"
LOWERED: Final = "₀₁₂₃₄₅₆₇₈₉"
# Where Unicode's own forms are read off: signs and letters up to Kanji, units in a square, Latin ligatures, small and
# full-width forms, letters of formulas.
_SOURCES: Final = (
    range(0xA0, 0x3000),
    range(0x3371, 0x33E0),
    range(0xFB00, 0xFB07),
    range(0xFE50, 0xFE70),
    range(0xFF01, 0xFF5F),
    range(0x1D400, 0x1D800),
)
_WHOLE: Final = re.compile(r"[a-zA-Z0-9/°α-ωΑ-Ω]+|[ !-/:-@\[-`{-~]", re.ASCII)
_AFTER_DIGIT: Final = re.compile(rf"(?<=[0-9０-９𝟎-𝟿])(?:([{RAISED}])|(?=[{LOWERED}¼-¾⅐-⅟↉①-⑳]))")
_UNIT: Final = re.compile(f"{MU}(?=[A-Za-zα-ωΑ-Ω])")
_SHARP: Final = re.compile(f"(?i:(?<=[aeiouy])){SHARP_S}")


def unicode_form(character: str) -> str | None:
    """Return what Unicode says that a character stands for, without accents; None where it says nothing of use."""
    parts = unicodedata.normalize("NFKD", character)
    if _BARS.intersection(parts):
        return None
    plain = "".join(SAME.get(part, part) for part in parts if part not in ACCENTS)
    if plain[:1].isalpha() and "/" in plain:  # ℅ is a word, and c/o two
        return None
    return plain if plain != character and _WHOLE.fullmatch(plain) else None


@cache
def folds() -> Mapping[str, str]:
    """Return all folds but `SIGNS` and `GREEK`: what each character stands for, by the character."""
    points = (chr(point) for source in _SOURCES for point in source)
    found = {point: form for point in points if (form := unicode_form(point)) is not None}
    # In the order of weight: what is written here is meant, an accent without a letter has none to change.
    return {**dict.fromkeys(ACCENTS, ""), **found, **SAME}


def fold(text: str) -> str:
    """Return a text without its typography: two texts that differ in nothing else are equal."""
    if text.isascii():
        return text
    text = _UNIT.sub("micro", fold_scripts(text))
    return unicodedata.normalize("NFC", text.translate(_table("signs")))


def fold_scripts(text: str) -> str:
    """Return a text without its typography, but with Greek letters and signs such as ≤ as they are; ß in Latin."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text).translate(_table("unseen"))
    text = _AFTER_DIGIT.sub(lambda found: f"^{found[1]}" if found[1] else "_", text)
    text = text.translate(_table("folds"))
    if SHARP_S in text:
        text = _SHARP.sub("ss", text).replace(SHARP_S, "β")
    return unicodedata.normalize("NFC", text)


@cache
def _table(which: str) -> dict[int, str]:
    """Return the folds of one step for `str.translate`."""
    chosen: Iterable[tuple[str, str]] = folds().items()
    if which == "unseen":
        chosen = ((character, form) for character, form in chosen if not form)
    elif which == "signs":
        chosen = {**SIGNS, **GREEK}.items()
    return {ord(character): form for character, form in chosen}
