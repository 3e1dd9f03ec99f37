"""Formulas and raised or lowered characters as readable text on one line.

Sub- and superscripts come in as the text of a `sup` or `sub` run, formulas as MathML elements or TeX source;
plain Unicode goes out. Charges, powers and chemical indices get their Unicode scripts (10⁵, Ca²⁺, H₂O), because
"105", "Ca2+" and "CO2" lose or blur what was written; other runs keep their letters behind `^` or `_`.
MathML is written linearly with the fewest brackets that keep its meaning; nothing is evaluated or reordered.
"""

import re
from collections.abc import Callable

from corpus.ncbi.markup.document import Markup

_DIGITS = "0123456789+-()"
_UP = str.maketrans(_DIGITS + "−–n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾⁻⁻ⁿ")
_DOWN = str.maketrans(_DIGITS + "−–", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎₋₋")

# A sign leads or ends a run (−5, 2+); between digits it is a range (1-3) and has no script form.
_UP_RUN = re.compile(r"[+\-−–]*\d*[+\-−–]*|n|n[+\-−–]\d+|\(\d*[+\-−–]\)")
_DOWN_RUN = re.compile(r"[+\-−–]?\d+|[+\-−–]|\(\d+\)")
_ORDINAL = re.compile(r"st|nd|rd|th", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_OPEN_SCRIPT = re.compile(r"[\^_]\w+$")
_MAX_DEPTH = 150

# What a vocabulary must name, besides `math` as a detailed element, for `linear_math` to know the constructs.
MATHML = (
    *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mfrac", "msqrt", "mroot", "mfenced"),
    *("mtable", "mtr", "mlabeledtr", "mspace", "annotation", "annotation-xml"),
)


def script(run: str, *, raised: bool, before: str = "", after: str = "") -> str:
    """Return a raised (or lowered) run as text; `before` and `after` are the texts that touch it.

    White space around the run stays around it.
    """
    core = run.strip()
    if not core:
        return run
    lead, trail = run[: len(run) - len(run.lstrip())], run[len(run.rstrip()) :]
    shape, table = (_UP_RUN, _UP) if raised else (_DOWN_RUN, _DOWN)
    if shape.fullmatch(core):
        return lead + core.translate(table) + trail
    if not any(letter.isalnum() for letter in core):
        return run  # p53-/-, ®, *, °
    if raised and _ORDINAL.fullmatch(core) and before[-1:].isdigit():
        return run
    mark = "^" if raised else "_"
    touches_word = not trail and after[:1].isalnum()
    if _WORD.fullmatch(core) and not touches_word:
        return f"{lead}{mark}{core}{trail}"
    return f"{lead}{mark}({core}){trail}"


def tex_source(source: str) -> str:
    r"""Return TeX without the wrapper that publishers add: preamble, `\begin{document}`, dollar signs."""
    _, found, body = source.partition(r"\begin{document}")
    if found:
        source = body.partition(r"\end{document}")[0]
    source = " ".join(source.split())
    for mark in ("$$", "$"):
        if len(source) >= 2 * len(mark) and source.startswith(mark) and source.endswith(mark):
            return source[len(mark) : -len(mark)].strip()
    return source


def linear_math(doc: Markup, element: int) -> str:
    """Return a MathML element as one line of text; `element` and all below it must have rows (`MATHML`).

    Scripts follow `script`; fractions are `a/b` with brackets around what is longer than one token; roots
    are `√(x)`; table cells are parted by `, ` and rows by `; `. Annotations (a second copy) are left out.
    """
    return _Linear().text(doc, element, 0)


class _Linear:
    """The walk over one formula, one method a construct."""

    def __init__(self) -> None:
        self._rules: dict[str, Callable[[list[str]], str]] = {
            "msub": lambda part: _attach(part, "sub"),
            "msup": lambda part: _attach(part, "sup"),
            "msubsup": lambda part: _attach(part, "sub", "sup"),
            "munder": lambda part: _attach(part, "sub"),
            "mover": lambda part: _attach(part, "sup"),
            "munderover": lambda part: _attach(part, "sub", "sup"),
            "mfrac": lambda part: "/".join(_bracketed(piece) for piece in part),
            "msqrt": lambda part: f"√({_joined(part)})",
            "mroot": lambda part: f"√[{_joined(part[1:])}]({_joined(part[:1])})",
            "mtable": lambda part: "; ".join(filter(None, part)),
            "mtr": lambda part: ", ".join(filter(None, part)),
            "mlabeledtr": lambda part: ", ".join(filter(None, part)),
            "mspace": lambda part: " ",
        }

    def text(self, doc: Markup, element: int, depth: int) -> str:
        """Return one element's text without its tail."""
        name = doc.tag_names[element]
        if depth > _MAX_DEPTH:
            return " ".join(doc.own_text(element).split())
        if name in ("annotation", "annotation-xml"):
            return ""
        children = doc.children(element)
        if not children:
            own = doc.own_text(element)
            return " " if name == "mspace" or own.isspace() else " ".join(own.split())
        # White space between MathML elements is layout; any other text there is kept.
        parts: list[str] = []
        pos = doc.starts[element]
        for child in children:
            _add_token(parts, doc.text[pos : doc.starts[child]])
            parts.append(self.text(doc, child, depth + 1))
            pos = doc.ends[child]
        _add_token(parts, doc.text[pos : doc.ends[element]])
        if name == "mfenced":
            return _fenced(doc.attributes(element), parts)
        return self._rules.get(name, _joined)(parts)


def _add_token(parts: list[str], text: str) -> None:
    if token := " ".join(text.split()):
        parts.append(token)


def _attach(parts: list[str], *kinds: str) -> str:
    """Return a base with its scripts; missing or surplus parts are joined as they stand."""
    if len(parts) != len(kinds) + 1:
        return _joined(parts)
    base, *runs = parts
    return base + "".join(script(run, raised=kind == "sup") for run, kind in zip(runs, kinds, strict=True))


def _bracketed(piece: str) -> str:
    """Return a piece of a fraction, in brackets when it is more than one token."""
    single = re.fullmatch(r"[\w.,⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ₀₁₂₃₄₅₆₇₈₉]*", piece)
    return piece if single else f"({piece})"


def _fenced(attributes: dict[str, str], parts: list[str]) -> str:
    marks = attributes.get("separators", ",").strip()[:1]
    inner = f"{marks} ".join(parts) if marks else _joined(parts)
    return attributes.get("open", "(") + inner + attributes.get("close", ")")


def _joined(parts: list[str]) -> str:
    """Return tokens side by side; words (sin, log, mtext) keep a space from what would extend them."""
    text, last = "", ""
    for part in parts:
        touches = text[-1:].isalnum() and part[:1].isalnum()
        if touches and (_ends_word(last) or _starts_word(part) or _OPEN_SCRIPT.search(text)):
            text += " "
        text += part
        last = part or last
    return text


def _ends_word(text: str) -> bool:
    return len(text) > 1 and text[-1].isalpha() and text[-2].isalpha()


def _starts_word(text: str) -> bool:
    return len(text) > 1 and text[0].isalpha() and text[1].isalpha()
