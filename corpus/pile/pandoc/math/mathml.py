"""MathML to TeX as pandoc 2.9 writes it: groups in braces, `\\left` and `\\right` around what fences enclose."""

import re
from collections.abc import Callable

from corpus.pile.pandoc.math import symbols
from corpus.pile.pandoc.math.rows import Exp, characters, delimited, environment, grouped, nested
from corpus.pile.pandoc.math.tex import SPACE, Pieces, command, group, literal, render, space, width_of_space
from corpus.pile.pandoc.tree import Node

_SCRIPTS = frozenset({"msub", "msup", "msubsup", "mover", "munder", "munderover"})
_BLANK = frozenset({"mspace", "maligngroup", "malignmark"})
_COLUMNS = {"left": "l", "right": "r"}


def to_tex(node: Node) -> str:
    """Return a formula as TeX, "" for one with an element that lacks a part, which pandoc leaves out whole."""
    try:
        pieces = grouped(_row(node.elements(), {}), whole=True)
    except _IncompleteError:
        return ""
    return render(pieces).lstrip(" ")


class _IncompleteError(ValueError):
    """A fraction, root or script without all of its parts, or with too many."""


def _parts(node: Node) -> list[Node]:
    """Return the children of an element that must have a fixed number of them."""
    parts = node.elements()
    if len(parts) != (3 if node.name in ("msubsup", "munderover") else 2):
        raise _IncompleteError(f"<{node.name}> has {len(parts)} parts")
    return parts


_Inherited = dict[str, str]


def _unit(node: Node, around: _Inherited) -> Exp:
    """Return an element as one expression."""
    row = _one(node, around, "prefix")
    if len(row) == 1:
        return row[0]
    return Exp(grouped(row))


def _row(nodes: list[Node], around: _Inherited) -> list[Exp]:
    """Return elements in a row, with what fences enclose made one expression each."""
    start, end = 0, len(nodes)
    while start < end and nodes[start].name in _BLANK:
        start += 1
    while end > start and nodes[end - 1].name in _BLANK:
        end -= 1
    row: list[Exp] = []
    for at, node in enumerate(nodes):
        position = "prefix" if at <= start else "postfix" if at == end - 1 else "infix"
        row += _one(node, around, position)
    return nested([exp for exp in row if exp.pieces != [("group", [])]])


def _one(node: Node, around: _Inherited, position: str) -> list[Exp]:
    """Return one element of a row."""
    rule = _RULES.get(node.name)
    if rule is None:
        return [Exp([])]
    inherited = {**around, **node.attributes}
    return rule(node, inherited, position)


def _text_of(node: Node) -> str:
    return " ".join(re.split("[ \t\n\r]+", node.all_text().strip(" \t\n\r")))


def _identifier(node: Node, around: _Inherited, position: str) -> list[Exp]:
    text = _text_of(node)
    pieces: Pieces
    if text in symbols.OPERATORS:
        pieces = [command("\\" + text)]
        return [Exp(_styled(pieces, around), "operator")]
    pieces = characters(text)
    pieces = [group(pieces)] if len(pieces) > 1 else pieces
    return [Exp(_styled(pieces, around))]


def _styled(pieces: Pieces, around: _Inherited) -> Pieces:
    variant = around.get("mathvariant", "")
    style = symbols.STYLES.get(variant) if variant != around.get("style") else None
    if not style or not pieces:
        return pieces
    if len(pieces) == 1 and pieces[0] == ("group", pieces[0][-1]) and pieces[0][-1][:1] == [command(style)]:  # type: ignore[index]
        return pieces[0][-1]  # type: ignore[return-value]
    return [command(style), group(pieces)]


def _number(node: Node, around: _Inherited, position: str) -> list[Exp]:
    return [Exp(characters(_text_of(node)))]


def _operator(node: Node, around: _Inherited, position: str) -> list[Exp]:
    sign = _text_of(node)
    if not sign and "fence" in node.attributes:
        return [Exp([])]
    if len(sign) != 1 and sign not in (":=",):
        name = "\\" + sign if sign in symbols.OPERATORS else ""
        return [Exp([command(name)] if name else [command("\\operatorname"), group(characters(sign))], "operator")]
    if sign in symbols.INVISIBLE:
        return [Exp([])]
    form = ""
    if node.attributes.get("stretchy", "true") == "true" and "script" not in around:
        form = "prefix" if sign in symbols.PREFIX else "postfix" if sign in symbols.POSTFIX or sign == "~" else ""
        if sign in symbols.BARS:
            form = around.get("form", position)
    pieces = characters(sign)
    if sign in symbols.SPACED:
        pieces = [SPACE, *pieces, SPACE]
    exp = Exp(pieces, "limits" if sign in symbols.LIMITS else "symbol", sign=sign, form=form)
    exp.accent = around.get("accent", "true") == "true"
    return [exp]


def _words(node: Node, around: _Inherited, position: str) -> list[Exp]:
    text = node.all_text().strip(" \t\n\r")
    if len(text) == 1 and text in _WIDTHS and node.get("mathvariant") not in symbols.TEXT_STYLES:
        return [Exp(space(_WIDTHS[text]))]
    name = symbols.TEXT_STYLES.get(node.get("mathvariant"), "\\text")
    return [Exp([command(name), group([literal(_escaped_text(text))])])]


_WIDTHS = {"\xa0": 4 / 18, "\u2009": 3 / 18, "\u200a": 2 / 18, "\u2003": 1.0, "\u2002": 0.5, "\u200b": 0.0, " ": 4 / 18}
_IN_TEXT = {" ": "\\ ", "\xa0": "~", "%": "\\%", "_": "\\_", "&": "\\&", "#": "\\#", "$": "\\$", "{": "\\{", "}": "\\}"}
_IN_TEXT |= {"\u200b": "", "\\": "\\textbackslash{}", "^": "\\^{}", "~": "\\textasciitilde{}"}


def _escaped_text(text: str) -> str:
    return "".join([_IN_TEXT.get(letter, letter) for letter in text])


def _space(node: Node, around: _Inherited, position: str) -> list[Exp]:
    return [Exp(space(width_of_space(node.get("width") or "0em")))]


def _mrow(node: Node, around: _Inherited, position: str) -> list[Exp]:
    row = _row(node.elements(), around)
    return row if len(row) == 1 else [Exp(grouped(row))]


def _style(node: Node, around: _Inherited, position: str) -> list[Exp]:
    variant = node.get("mathvariant")
    style = symbols.STYLES.get(variant) if variant != around.get("style") else None
    inside = {name: value for name, value in around.items() if name != "mathvariant"}
    row = _row(node.elements(), {**inside, "style": variant} if variant else inside)
    if style is None:
        return row if len(row) == 1 else [Exp(grouped(row))]
    return [Exp([command(style), group(grouped(row))])]


def _fraction(node: Node, around: _Inherited, position: str) -> list[Exp]:
    parts = [group(_unit(child, around).pieces) for child in _parts(node)]
    return [Exp([command("\\frac"), *parts])]


def _root(node: Node, around: _Inherited, position: str) -> list[Exp]:
    if node.name == "msqrt":
        return [Exp([command("\\sqrt"), group(grouped(_row(node.elements(), around)))])]
    base, index = (_unit(child, around).pieces for child in _parts(node))
    return [Exp([command(f"\\sqrt[{render(index)}]"), group(base)], fancy=True)]


def _script(node: Node, around: _Inherited, position: str) -> list[Exp]:
    """Return sub- and superscripts, accents and limits."""
    inside = {name: value for name, value in around.items() if name != "mathvariant"}
    low = {**inside, "script": ""}  # fences do not grow in a script
    units = [_unit(child, low if at else inside) for at, child in enumerate(_parts(node))]
    base, *scripts = units
    marks = ["_", "^"] if len(scripts) == 2 else ["^" if node.name in ("msup", "mover") else "_"]
    if node.name.startswith("msu"):
        pieces = [group(base.pieces)] if base.fancy else list(base.pieces)
    elif base.kind in ("limits", "operator"):
        pieces = [*base.pieces, command("\\limits")]
    else:
        return [Exp(_stacked(base, scripts, marks, inside), fancy=True)]
    for mark, script in zip(marks, scripts, strict=False):
        pieces += [literal(mark), group(script.pieces)]
    return [Exp(pieces, fancy=True)]


def _stacked(base: Exp, scripts: list[Exp], marks: list[str], around: _Inherited) -> Pieces:
    """Return something with things above and below it."""
    pieces = base.pieces
    for mark, script in sorted(zip(marks, scripts, strict=False), key=lambda pair: pair[0] == "_"):
        accent = symbols.ACCENTS.get(script.sign) if mark == "^" and script.accent else None
        if accent:
            pieces = [command(accent), group(pieces)]
        else:
            name = "\\overset" if mark == "^" else "\\underset"
            pieces = [command(name), group(_plain(script)), group(pieces)]
    return pieces


def _plain(script: Exp) -> Pieces:
    return [literal(script.sign)] if script.sign in symbols.ACCENTS and script.sign != "~" else script.pieces


def _fenced(node: Node, around: _Inherited, position: str) -> list[Exp]:
    opening, closing = around.get("open", "("), around.get("close", ")")
    separators = "".join(around.get("separators", ",").split())
    row: list[Exp] = []
    for at, child in enumerate(node.elements()):
        if at and separators:
            sign = separators[min(at, len(separators)) - 1]
            row.append(Exp(characters(sign), sign=sign, form="infix" if sign in symbols.BARS else ""))
        row.append(_unit(child, around))
    if "script" in around:
        return [Exp([group([*characters(opening), *grouped(row), *characters(closing)])])]
    if not opening and not closing:
        return [Exp(grouped(row))]
    if len(row) == 1 and row[0].rows is not None and (opening, closing) == ("{", "") and not row[0].rows[0].strip("l"):
        return [Exp([literal(environment("cases", "", row[0].rows[1]))])]
    bars = any(exp.form for exp in row)
    return [delimited(opening, closing, row if len(row) == 1 or bars else [Exp(grouped(row))])]


def _table(node: Node, around: _Inherited, position: str) -> list[Exp]:
    lines, columns = [], []
    usual = around.get("columnalign")
    for line in node.elements("mtr", "mlabeledtr"):
        cells = line.elements("mtd")
        columns.append([cell.get("columnalign") or line.get("columnalign") or usual for cell in cells])
        lines.append([_cell(cell, around) for cell in cells])
    width = max((len(line) for line in lines), default=0)
    letters = ""
    for at in range(width):
        stated = {_COLUMNS.get(line[at] or "", "c") for line in columns if at < len(line)}
        letters += stated.pop() if len(stated) == 1 else "c"
    filled = [_line([*line, *[[]] * (width - len(line))]) for line in lines]
    name = "aligned" if re.fullmatch("(?:rl)+", letters) else "array" if letters.strip("c") else "matrix"
    exp = Exp([literal(environment(name, f"{{{letters}}}" if name == "array" else "", filled))])
    exp.rows = (letters, filled)
    return [exp]


def _cell(cell: Node, around: _Inherited) -> Pieces:
    row = _row(cell.elements(), around)
    return grouped(row) if any(exp.pieces for exp in row) else []


def _line(cells: list[Pieces]) -> str:
    pieces = list(cells[0]) if cells else []
    for cell in cells[1:]:
        pieces += [SPACE, literal("&"), SPACE, *cell]
    return render([*pieces, SPACE, literal("\\\\")])


def _semantics(node: Node, around: _Inherited, position: str) -> list[Exp]:
    first = node.elements()[:1]
    return _one(first[0], around, position) if first else []


def _nothing(node: Node, around: _Inherited, position: str) -> list[Exp]:
    return [Exp([])]


_MathRule = Callable[[Node, _Inherited, str], list[Exp]]
_RULES: dict[str, _MathRule] = {
    **dict.fromkeys(_SCRIPTS, _script),
    "mi": _identifier,
    "mn": _number,
    "mo": _operator,
    "mtext": _words,
    "ms": _words,
    "mspace": _space,
    "mrow": _mrow,
    "mpadded": _mrow,
    "math": _mrow,
    "mstyle": _style,
    "mfrac": _fraction,
    "msqrt": _root,
    "mroot": _root,
    "mfenced": _fenced,
    "menclose": _mrow,
    "mtable": _table,
    "semantics": _semantics,
    "maligngroup": _nothing,
    "malignmark": _nothing,
}
