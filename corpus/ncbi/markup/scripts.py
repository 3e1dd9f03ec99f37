"""Raised and lowered characters as text: the run of a `sup` or `sub` comes in, plain Unicode goes out.

Charges, powers and chemical indices get their Unicode scripts (10⁵, Ca²⁺, H₂O), because "105", "Ca2+" and "CO2" lose
or blur what was written; other runs keep their letters behind `^` or `_`. Some runs are no scripts but signs that an
author had no key for: a raised o behind a number is a degree (37 °C), a raised TM is ™. A decimal below the line has no
form in Unicode, and everybody writes PM2.5 and Ni0.5.
"""

import re
from functools import lru_cache
from typing import Final

NEIGHBOUR: Final = 16  # characters behind a run that `script` looks at
_DIGITS = "0123456789+-()"
_UP = str.maketrans(_DIGITS + "−–‐‑‒n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾⁻⁻⁻⁻⁻ⁿ")
_DOWN = str.maketrans(_DIGITS + "−–‐‑‒", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎₋₋₋₋₋")
SUPERSCRIPTS: Final = "²³¹⁰-ⁿ"  # ranges of a pattern
SUBSCRIPTS: Final = "₀-ₜ"
MARKS: Final = "\u0300-\u036f\u20d0-\u20f0"  # accents that combine with the letter before them

# A sign leads or ends a run (−5, 2+); between digits it is a range (1-3) and has no script form.
_SIGN = r"[+\-−–‐‑‒]"
_UP_RUN = re.compile(rf"{_SIGN}*\d*{_SIGN}*|n|n{_SIGN}\d+|\(\d*{_SIGN}\)")
_DOWN_RUN = re.compile(rf"{_SIGN}?\d+|{_SIGN}|\(\d+\)")
_SIGNED, _CHARGE = re.compile(rf"{_SIGN}\s?\d+"), re.compile(rf"\d?{_SIGN}{{1,2}}")
_METASTABLE = re.compile(r"(\d{2,3}) ?m")
_INNER_GAP = re.compile(rf"({_SIGN}) (\d+)|(\d+) ({_SIGN})")
_RADICAL = re.compile(rf"[•∙·]{_SIGN}|{_SIGN}[•∙·]")  # O₂•⁻
_ORDINAL = re.compile(r"st|nd|rd|th|er|[eè]re|i?[eè]me", re.IGNORECASE)
_DEGREE = re.compile(r"[oOº˚∘◦○]")
_OF_DEGREES = re.compile(r"\s?[CF](?![A-Za-z])")
_SCRIPTED = re.compile(f"[{SUPERSCRIPTS}]+|[{SUBSCRIPTS}]+")
_CHARGED = re.compile(rf"(\d+)([{SUPERSCRIPTS}]*[⁺⁻])")  # a charge set inside the index: HCO₃⁻
_WORD = re.compile(rf"(?:(?![{SUPERSCRIPTS}{SUBSCRIPTS}])\w[{MARKS}]*)+")
_DECIMAL = re.compile(r"\d*\.\d+")
_OF_DECIMAL = re.compile(r"(?:[A-Za-z]{2}|[A-Z]|[)\]])$")  # PM2.5, Ni0.5, but t_(50.82)
_INVISIBLE = re.compile("[\u200b\u2060-\u2064\ufeff]")
# Words that run into a script where a publisher's space was lost: WO₃films. Shorter ones may be a part of the name
# (VO₂max, H₂salen), unless they are these.
_LONG_WORD = 5
_SHORT_WORDS = frozenset(
    re.findall(
        r"\w+",
        "and are as at but by did film fold for from gas had has have in into is it its not of on or per than that the "
        "then to via was were when with",
    )
)
_NO_WORDS = frozenset(
    ["salen", "salan", "salphen", "salophen", "terpy", "dmphen", "phenyl", "systolic", "diastolic", "diast"]
)
_WORD_NEXT = "w "  # in place of what follows
_WITH_WORDS = re.compile(rf"[^\W_]|{_SIGN}$")
_FOLLOWING = re.compile(r"([a-z]+)(?![A-Za-z0-9_])")
# What a script belongs to although a space parts them, by what the script is.
_BASE_BELOW = re.compile(r"(?:^|[\s(\[/,×·])(?!(?:a|an|as|at|by|in|is|it|of|on|or|to|we|the|and|for|was|are|but|all)$)"
                         r"(?:[^\W\d_]{1,3}|\S*[A-ZΑ-Ω][^\W_]*|\S*[)\]])$")  # fmt: skip
_BASE_OF_POWER = re.compile(r"(?:^|[\s(\[/,×·])(?:10|[kcdmµμn]?m|[a-zα-ωRI])$|_\w+$")
_BASE_OF_UNIT = re.compile(r"(?:^|[\s(\[/,×·.\d])(?:10|e|[^\W\d_]{1,4})$")
_BASE_OF_CHARGE = re.compile(r"(?:^|[\s(\[/,×·])(?:[A-Z][a-z]?|[A-Z]\S{0,5})$|[₀-₉]$")
# Levels of a marker on cells, and endings of numbers.
_LEVEL: Final = re.compile(r"(?:hi|high|lo|low|int|dim|bright|med|neg|pos)\+?")
_SIGNS: Final = {"TM": "™", "(TM)": "™", "SM": "℠", "(R)": "®", "(r)": "®", "(C)": "©"}
# What closes a clause or sentence behind a run, by what follows: it was raised or lowered by oversight.
_CLOSING: Final = frozenset(",;:.")
_CLAUSE_ENDS: Final = re.compile(r"[\s)\]\x03]|\Z")
_SENTENCE_ENDS: Final = re.compile(r"\s+[^\W\d_a-zα-ω]|[)\]\x03]|\s*\Z")


def script_in_text(run: str, *, raised: bool, before: str, after: str) -> str:
    """Return a run of a sentence as text, with what closes a clause behind it: "CO₂," where "2," was lowered."""
    if run[-1:] in _CLOSING and _closes(run, after):
        return script(run[:-1], raised=raised, before=before, after=run[-1]) + run[-1]
    return script(run, raised=raised, before=before, after=after)


def script(run: str, *, raised: bool, before: str = "", after: str = "") -> str:
    """Return a raised (or lowered) run as text; `before` and `after` are the texts that touch it.

    White space around the run stays around it.
    """
    # What is seen of the neighbours is put so that the same runs are the same questions to the cache.
    first = after[:1]
    if first.isalnum():
        after = _WORD_NEXT if first.islower() and _is_word(after) else after[:2] if first.isupper() else first
    else:
        after = after[:3] if raised and first == " " else ""
    return _script(run, raised, before[-2:] if raised or "." in run else before[-1:], after)


def _closes(run: str, after: str) -> bool:
    """Say whether the mark that ends a run ends the clause around it: "CO_(2,)", but no "E_(int.)" within one."""
    core = run[:-1]
    if run[-1] == ".":
        return core[-1:].isalnum() and "." not in core and _SENTENCE_ENDS.match(after) is not None
    return core[-1:].isalnum() and _CLAUSE_ENDS.match(after) is not None


@lru_cache(maxsize=1 << 14)
def _script(run: str, raised: bool, before: str, after: str) -> str:
    core = run.strip()
    if not core:
        return run
    if not core.isascii() and _INVISIBLE.search(core):
        core = _INVISIBLE.sub("", core)
    lead, trail = run[: len(run) - len(run.lstrip())], run[len(run.rstrip()) :]
    if lead and before[-1:].isalnum() and not raised:
        lead = ""
    solid_before = before[-1:].isalnum() or before[-1:] in (")", "]")  # else a mark before a note: ¹significant
    if not trail and after == _WORD_NEXT and solid_before and _WITH_WORDS.search(core):
        trail = " "
    if (plain := _unmarked(core, raised, before, trail + after)) is not None:
        return lead + plain + trail
    mark = "_" if not raised else "" if before[-1:] == "^" else "^"  # 2^<sup>x</sup> says it twice
    touches_word = not trail and after[:1].isalnum()
    if _WORD.fullmatch(core) and not touches_word:
        return f"{lead}{mark}{core}{trail}"
    return f"{lead}{mark}({core}){trail}"


def _unmarked(core: str, raised: bool, before: str, after: str) -> str | None:
    """Return a run in Unicode's scripts, or as the sign that it is; None where it needs a mark."""
    shape, table = (_UP_RUN, _UP) if raised else (_DOWN_RUN, _DOWN)
    closed = _INNER_GAP.sub(r"\1\2\3\4", core) if " " in core else core
    if shape.fullmatch(closed):
        if raised and core == "0" and before[-1:].isdigit() and _OF_DEGREES.match(after):
            return "°"
        return closed.translate(table)
    if _SCRIPTED.fullmatch(core):  # ³ that was raised once more
        return core
    if raised:
        return _raised_sign(core, before, after)
    if not any(letter.isalnum() for letter in core):
        return f"_{core}" if core == "∞" else core
    if found := _CHARGED.fullmatch(core):
        return found[1].translate(_DOWN) + found[2]
    bare = _DECIMAL.fullmatch(core) and _OF_DECIMAL.search(before) and not after[:1].isdigit()
    return core if bare else None


def _raised_sign(core: str, before: str, after: str) -> str | None:
    """Return a raised run that is a sign of its own: a degree, a trade mark, an ending, a nucleus; None for others."""
    if _DEGREE.fullmatch(core):
        behind_number = before.rstrip()[-1:].isdigit()
        return "°" if behind_number or _OF_DEGREES.match(after) or not core.isascii() else None
    if core in _SIGNS:
        return _SIGNS[core]
    if not any(letter.isalnum() for letter in core):
        if _RADICAL.fullmatch(core):
            return core.translate(_UP)
        return "^∞" if core == "∞" and before[-1:].strip("^") else core  # p53-/-, ®, *
    if _ORDINAL.fullmatch(core) and before[-1:].isdigit():
        return core
    if (found := _METASTABLE.fullmatch(core)) and after[:1].isupper():
        return found[1].translate(_UP) + "ᵐ"  # ⁹⁹ᵐTc
    return None


def _is_word(text: str) -> bool:
    """Say whether a text behind a script begins with a word of its own."""
    found = _FOLLOWING.match(text)
    if found is None:
        return False
    word = found[1]
    return word in _SHORT_WORDS or (len(word) >= _LONG_WORD and word not in _NO_WORDS)


def stands_off(run: str, *, raised: bool, before: str, after: str) -> bool:
    """Say whether the space that ends `before` is layout, and the run belongs to the word before it: "10 ⁻⁸", "V _max".

    A raised number that touches a capital letter behind it is a nucleus (¹³C), and any other may be a note's.
    """
    if before[-1:] != " " or run[:1] == " ":
        return False
    base, core = before[:-1], run.strip()
    if not raised:
        return core[:1].isalnum() and _BASE_BELOW.search(base) is not None
    if _LEVEL.fullmatch(core):
        return base[-1:].isalnum() and any(letter.isupper() for letter in base.split()[-1])
    if after[:1].isalpha():
        return False
    if base[-1:].isdigit() and _ORDINAL.fullmatch(core):
        return True
    if core.isdecimal():
        return _BASE_OF_POWER.search(base) is not None
    if _SIGNED.fullmatch(core):
        return _BASE_OF_UNIT.search(base) is not None
    return _CHARGE.fullmatch(core) is not None and _BASE_OF_CHARGE.search(base) is not None
