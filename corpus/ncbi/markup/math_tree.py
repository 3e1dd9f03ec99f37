"""Formulas as a small tree, whatever they were written in: MathML comes in here, TeX in `corpus.ncbi.markup.tex`.

A `MathNode` has the name of a presentation element of MathML 3, as `mathml_elements.txt` lists them with what becomes
of each; content MathML is brought into that form. `corpus.ncbi.markup.math_line` writes it.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from corpus.ncbi.markup.document import Markup

MAX_DEPTH: Final = 100  # deeper, text is joined as it stands: recursion must not end the process
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class MathNode(Struct):
    """One element of a formula: a token with its text, or anything else with its children."""

    name: str
    text: str = ""
    children: Sequence["MathNode"] = ()
    attributes: Mapping[str, str] = _NONE


def _read_decisions() -> Mapping[str, str]:
    text = resources.files("corpus.ncbi.markup").joinpath("mathml_elements.txt").read_text(encoding="utf-8")
    rules = (line.partition("#")[0].split() for line in text.splitlines())
    return {rule[0]: rule[1] for rule in rules if rule}


DECISIONS: Final = _read_decisions()
"""What becomes of each presentation element, by its name."""

_WITH_ATTRIBUTES: Final = frozenset(["mfrac", "mfenced", "mspace", "menclose", "ms", "mglyph", "maction"])

# Content MathML: what stands between the operands, and functions with a name other than their element's.
_INFIX: Final = {
    **{"plus": "+", "minus": "−", "times": "·", "eq": "=", "neq": "≠", "lt": "<", "gt": ">", "leq": "≤", "geq": "≥"},
    **{"equivalent": "≡", "approx": "≈", "implies": "⇒", "in": "∈", "notin": "∉", "union": "∪", "intersect": "∩"},
    **{
        "subset": "⊆",
        "prsubset": "⊂",
        "setdiff": "∖",
        "and": "∧",
        "or": "∨",
        "xor": "⊻",
        "compose": "∘",
        "tendsto": "→",
    },
    **{"cartesianproduct": "×", "vectorproduct": "×", "scalarproduct": "·", "factorof": "|", "rem": " mod "},
}
_RELATIONS: Final = frozenset("=≠<>≤≥≡≈⇒∈∉⊆⊂→")
_CONSTANTS: Final = {
    **{"pi": "π", "infinity": "∞", "exponentiale": "e", "imaginaryi": "i", "eulergamma": "γ", "emptyset": "∅"},
    **{"naturalnumbers": "ℕ", "integers": "ℤ", "rationals": "ℚ", "reals": "ℝ", "complexes": "ℂ", "primes": "ℙ"},
}
_FUNCTIONS: Final = {"sum": "∑", "product": "∏", "int": "∫", "diff": "d", "partialdiff": "∂", "not": "¬", "forall": "∀"}
_CONTENT_TOKENS: Final = {"ci": "mi", "csymbol": "mi", "cn": "mn", "cs": "ms"}


def read_mathml(doc: Markup, element: int, depth: int = 0) -> MathNode:
    """Return a MathML element; it and all below it must have rows. White space between elements is layout."""
    name = doc.tag_names[element] or _name_of(doc, element)
    decision = DECISIONS.get(name, "")
    if depth > MAX_DEPTH:
        return MathNode("mtext", doc.own_text(element))
    if decision == "nothing":
        return MathNode(name)
    attributes = doc.attributes(element) if name in _WITH_ATTRIBUTES else _NONE
    text, nexts = doc.text, doc.nexts
    starts, ends = doc.starts, doc.ends
    child, stop, place = element + 1, nexts[element], starts[element]
    if child == stop:
        if name in _CONSTANTS:
            return MathNode("mi", _CONSTANTS[name])
        return MathNode(_CONTENT_TOKENS.get(name, name), text[place : ends[element]], attributes=attributes)
    parts: list[MathNode] = []
    while child < stop:
        if place < starts[child]:
            _add_stray(parts, text[place : starts[child]])
        parts.append(read_mathml(doc, child, depth + (1 if decision else 3)))  # content becomes several nodes
        place, child = ends[child], nexts[child]
    if place < ends[element]:
        _add_stray(parts, text[place : ends[element]])
    if decision == "row" and len(parts) == 1 and name != "mtd":
        return parts[0]
    return MathNode(name, children=parts, attributes=attributes) if decision else _content(name, parts)


def _add_stray(parts: list[MathNode], text: str) -> None:
    """Add text that stands between elements, where MathML has none."""
    if not text.isspace():
        parts.append(MathNode("mtext", text))


def _name_of(doc: Markup, element: int) -> str:
    """Return the local name of an element outside the vocabulary, as its tag says."""
    end = int(doc.rows[6, element])
    return doc.raw[doc.raw.rindex(b"<", 0, end) + 1 : end].decode().rpartition(":")[2]


def _content(name: str, parts: list[MathNode]) -> MathNode:
    """Return an element of content MathML (or an unknown one) in the terms of presentation."""
    if name in ("apply", "reln") and parts:
        return _applied(parts[0], parts[1:])
    if name == "cn":  # <cn type="rational">1<sep/>2</cn>
        return MathNode("mfrac", children=[part for part in parts if part.name != "sep"])
    if name in ("interval", "vector", "set", "list", "matrix", "matrixrow", "piecewise"):
        opening, closing = ("{", "}") if name == "set" else ("[", "]")
        return MathNode("mfenced", children=parts, attributes={"open": opening, "close": closing})
    if name in ("ci", "csymbol", "bvar", "lowlimit", "uplimit", "degree", "logbase", "condition", "lambda", "piece"):
        return _listed(parts)
    return MathNode("mrow", children=parts)


def _applied(operator: MathNode, operands: list[MathNode]) -> MathNode:
    """Return an operator or function with its operands."""
    name = operator.name
    if name == "divide" and len(operands) == 2:
        return MathNode("mfrac", children=operands)
    if name == "power" and len(operands) == 2:
        return MathNode("msup", children=operands)
    if name == "root":
        return MathNode("mroot" if len(operands) == 2 else "msqrt", children=operands[::-1])
    if (sign := _INFIX.get(name)) is not None:
        return _between(sign, operands)
    function = MathNode("mi", _FUNCTIONS.get(name, name)) if not (operator.text or operator.children) else operator
    return MathNode("mrow", children=[function, MathNode("mfenced", children=[_listed(operands)])])


def _between(sign: str, operands: list[MathNode]) -> MathNode:
    """Return operands with a sign between them (before a single one); what is no relation brackets sums."""
    shown: list[MathNode] = [MathNode("mo", sign)] if len(operands) == 1 else []
    for operand in operands:
        shown += [MathNode("mo", sign)] if len(shown) and operand is not operands[0] else []
        nested = operand.name == "mrow" and any(part.name == "mo" for part in operand.children)
        fenced = nested and sign not in _RELATIONS
        shown.append(MathNode("mfenced", children=[operand]) if fenced else operand)
    return MathNode("mrow", children=shown)


def _listed(parts: Sequence[MathNode]) -> MathNode:
    return MathNode("mfenced", children=list(parts), attributes={"open": "", "close": ""})
