"""Letters of a text as a reader sees them: the one table of what is folded in every text that a model reads.

A character is folded where it says nothing that its plain form does not say, and hurts: a search for "first" does not
find "ﬁrst", a tokenizer meets "cold‐adapted" in two spellings. What has a meaning stays: ² and ₂, − and –, α and a, the
accents of names, full-width forms in Chinese. `FOLDS` need no look at what stands around them; three kinds do:

- U+200C and U+200D join and part letters of Arabic and Indic scripts and pictures of people; elsewhere they go;
- letters of the Symbol font in private use (U+F061 for α) are that letter, but for bullets of other fonts at the
  start of a line;
- markup that was escaped once too often (`p &lt; 0.05`, `<b>Methods:</b>`) is read once more, if it is HTML's own.
"""

import html.entities
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

# Windows' own characters where a text says that it is Latin-1; those that it leaves open go. U+0085 is a line end.
_CONTROLS: Final = {
    chr(code): bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0) if code != 0x85
}
_UNSEEN: Final = (
    *(
        0xAD,
        0x34F,
        0x61C,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        0x180E,
        0x200B,
        0x200E,
        0x200F,
        0xFEFF,
        0xFFF9,
        0xFFFA,
        0xFFFB,
    ),
    *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10)),
)
SHORTENED: Final[Mapping[str, str]] = {
    **dict.fromkeys("‐‑", "-"),
    **{"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"},
    # Three of four articles, and all of NLM's own files, write the unit with the Greek letter.
    "µ": "μ",
    **dict.fromkeys(map(chr, _UNSEEN), ""),
}
"""Folds that take no more bytes than what they replace: for the kernel, which folds in place."""
FOLDS: Final[Mapping[str, str]] = {**SHORTENED, **_CONTROLS}

_PRIVATE: Final = 0xF000  # where Windows puts the characters of a symbol font
_SYMBOL_LETTERS: Final = dict(
    zip(
        map(chr, (*range(_PRIVATE + 0x41, _PRIVATE + 0x5B), *range(_PRIVATE + 0x61, _PRIVATE + 0x7B))),
        "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖαβχδεφγηιϕκλμνοπθρστυϖωξψζ",
        strict=True,
    )
)
_SYMBOL_SIGNS: Final = {
    chr(_PRIVATE + code): sign
    for code, sign in {
        **{
            code: chr(code)
            for code in (*range(0x20, 0x22), 0x23, *range(0x25, 0x27), *range(0x28, 0x2A), *range(0x2B, 0x2D))
        },
        **{code: chr(code) for code in (*range(0x2E, 0x40), 0x5B, 0x5D, 0x5F, *range(0x7B, 0x7E))},
        **{
            0x22: "∀",
            0x24: "∃",
            0x27: "∋",
            0x2A: "∗",
            0x2D: "−",
            0x40: "≅",
            0x5E: "⊥",
            0x7E: "∼",
            0xA2: "′",
            0xA3: "≤",
        },
        **{
            0xA4: "⁄",
            0xA5: "∞",
            0xAB: "↔",
            0xAC: "←",
            0xAD: "↑",
            0xAE: "→",
            0xAF: "↓",
            0xB0: "°",
            0xB1: "±",
            0xB2: "″",
        },
        **{
            0xB3: "≥",
            0xB4: "×",
            0xB5: "∝",
            0xB6: "∂",
            0xB7: "•",
            0xB8: "÷",
            0xB9: "≠",
            0xBA: "≡",
            0xBB: "≈",
            0xBC: "…",
        },
        **{
            0xC5: "⊕",
            0xC6: "∅",
            0xC7: "∩",
            0xC8: "∪",
            0xCE: "∈",
            0xCF: "∉",
            0xD1: "∇",
            0xD5: "∏",
            0xD6: "√",
            0xD7: "⋅",
        },
        **{0xE5: "∑", 0xF2: "∫"},
    }.items()
}
_SYMBOL: Final = re.compile(f"[{chr(_PRIVATE + 0x20)}-{chr(_PRIVATE + 0xFF)}]")
_BULLET: Final = re.compile(r"\s*.\s")

_FOLDED: Final = re.compile(f"[{''.join(map(re.escape, FOLDS))}]")
_JOINER: Final = re.compile("[\u200c\u200d]+")
# Arabic and its kin, Syriac to N'Ko, the scripts of India and around it, Mongolian.
_JOINED: Final = (
    (0x0600, 0x0900),
    (0x0900, 0x1000),
    (0x1000, 0x10A0),
    (0x1780, 0x18B0),
    (0xA840, 0xABFF),
    (0xFB50, 0xFDFF),
)

_ENTITY: Final = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));")
_MOST_ESCAPES: Final = 3  # how often a text may have been escaped
_TAG: Final = re.compile(
    r"<(/?)(b|i|u|em|strong|italic|bold|underline|sup|sub|small|big|sc|span|font|p|div|li|ul|ol|a)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_BREAK: Final = re.compile(r"<br\s?/?>", re.IGNORECASE)
_SCRIPT: Final = re.compile(r"<(su[pb])>([^<>]*)</\1>", re.IGNORECASE)
_LINES: Final = frozenset(["p", "div", "li", "ul", "ol"])
_DIGITS: Final = "0123456789+-−()"
_RAISED: Final = str.maketrans(_DIGITS, "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾")
_LOWERED: Final = str.maketrans(_DIGITS, "₀₁₂₃₄₅₆₇₈₉₊₋₋₍₎")
_PLAIN_SCRIPT: Final = re.compile(r"[+\-−]?\d+[+\-−]?|[+\-−]")


def tidy_letters(text: str, *, markup: bool = True) -> str:
    """Return a text in Unicode NFC with its letters folded; `markup`: escaped HTML is read once more."""
    if markup and ("&" in text or "<" in text):
        text = _read_again(text)
    if text.isascii():
        return text
    text = _FOLDED.sub(lambda found: FOLDS[found[0]], text)
    if "\u200c" in text or "\u200d" in text:
        text = _JOINER.sub(_joiner, text)
    if _SYMBOL.search(text):
        text = _SYMBOL.sub(_symbol, text)
    return unicodedata.normalize("NFC", text)


def _joiner(found: re.Match[str]) -> str:
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    return found[0] if _may_join(before) and (not after or _may_join(after) or after.isspace()) else ""


def _may_join(letter: str) -> bool:
    """Say whether a joiner behind this character shows: a letter of a joining script, or a picture."""
    if not letter:
        return False
    code = ord(letter)
    return any(first <= code < last for first, last in _JOINED) or unicodedata.category(letter) in ("So", "Sk")


def _symbol(found: re.Match[str]) -> str:
    character, start = found[0], found.start()
    if character in _SYMBOL_SIGNS:
        return _SYMBOL_SIGNS[character]
    at_start = not found.string[:start].rpartition("\n")[2].strip()
    if at_start and _BULLET.match(found.string, start):
        return character
    return _SYMBOL_LETTERS.get(character, character)


def _read_again(text: str) -> str:
    """Return a text whose entities and tags came out as characters as what they stand for."""
    for _ in range(_MOST_ESCAPES):
        read = _ENTITY.sub(_entity, text) if "&" in text else text
        if read == text:
            break
        text = read
    if "<" not in text:
        return text
    text = _BREAK.sub(" ", text)
    tags = {(closing, name.lower()) for closing, name in _TAG.findall(text)}
    whole = {name for closing, name in tags if closing and ("", name) in tags}
    if not whole:
        return text
    text = _SCRIPT.sub(_script, text)
    return _TAG.sub(lambda found: _tag(found, whole), text)


def _entity(found: re.Match[str]) -> str:
    if name := found[3]:
        return html.entities.html5.get(f"{name};", found[0])
    code = int(found[1]) if found[1] else int(found[2], 16)
    allowed = (code >= 0x20 and code != 0x7F and not 0xD800 <= code < 0xE000) and code <= 0x10FFFF
    return chr(code) if allowed else found[0]


def _script(found: re.Match[str]) -> str:
    raised, run = found[1].lower() == "sup", found[2].strip()
    if _PLAIN_SCRIPT.fullmatch(run):
        return run.translate(_RAISED if raised else _LOWERED)
    if not any(letter.isalnum() for letter in run):
        return run
    return ("^" if raised else "_") + (run if run.isalnum() else f"({run})")


def _tag(found: re.Match[str], whole: set[str]) -> str:
    name = found[2].lower()
    if name not in whole:
        return found[0]
    return " " if name in _LINES else ""
