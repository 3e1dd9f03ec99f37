r"""TeX's formulas as a `MathNode`: what authors write between dollar signs, and what publishers wrap around it.

A reader of the notation, no TeX machine: it knows the commands of LaTeX and AMS that show something, takes definitions
(`\newcommand`, `\def`) as they come, and reads past what only sets type. A command that it does not know leaves its
name. Unbalanced braces (Oxford's `}{}$…$`) close nothing. No source makes it fail.

Where an author wrote spaces around an operator they stay: `Q = V/W`. MathML has no such spaces, and gets none.
"""

import re
from typing import Final

from corpus.ncbi.markup.math_tree import MathNode
from corpus.ncbi.markup.tex_cursor import TexCursor
from corpus.ncbi.markup.tex_names import commands, symbols
from corpus.ncbi.markup.tex_tokens import body_of, tokens_of

__all__ = ["body_of", "read_tex"]

_ESCAPED: Final = {"|": "‖", **{letter: letter for letter in "{}%$&#_"}}
_GAPS: Final = frozenset([" ", "~"])
_THIN: Final = frozenset(",;:>/")
_SETTING: Final = frozenset("!-()[]'\"`=.^")  # of `\!`, `\(` and their like: nothing to be seen
_OPERATORS: Final = frozenset("=<>+−±×÷≤≥≈≠∼≡→←⇒∈∝∓⋅")
_SIGNS: Final = {"-": "−", "*": "∗", "'": "′"}
_ACCENTS: Final = {
    **{"'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307"},
    **{"c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "r": "\u030a", "k": "\u0328"},
}  # on the letter of a text that follows: caf\'e
_PER_EM: Final = {"mu": 18, "pt": 10, "px": 16, "ex": 2.3, "mm": 3.5, "cm": 0.35, "in": 0.14}
_MAX_DEPTH: Final = 40  # of groups and arguments: each takes several calls
_STOPS: Final = frozenset(["}", "&", "\\\\", "\\cr", "\\end", "\\tabularnewline"])


def read_tex(source: str) -> MathNode:
    """Return a formula in TeX, with or without preamble and dollar signs; an empty row for one that shows nothing."""
    tokens = [token for token in tokens_of(source) if token != "$"] if "\\text" not in source else tokens_of(source)
    reader = _TexReader(tokens)
    parts = [reader.grid(0)]
    while reader.more():  # a brace that closes nothing
        reader.take()
        parts.append(reader.grid(0))
    return MathNode("mrow", children=parts)


class _TexReader(TexCursor):
    """The walk over the tokens of one formula; `depth` counts the groups around a place."""

    def grid(self, depth: int) -> MathNode:
        r"""Return all up to a brace or `\end` that closes it: a row, or a table where `&` and `\\` part cells."""
        if depth > _MAX_DEPTH:
            return MathNode("mtext", "".join(self._group_left()))
        rows: list[list[MathNode]] = [[]]
        while True:
            rows[-1].append(MathNode("mrow", children=self._row(depth)))
            token = self._peek()
            if token == "&":
                self.take()
            elif token in ("\\\\", "\\cr", "\\tabularnewline"):
                self.take()
                self._optional()
                rows.append([])
            else:
                break
        if len(rows) > 1 and not any(cell.children for cell in rows[-1]):
            rows.pop()
        if len(rows) == 1 and len(rows[0]) == 1:
            return rows[0][0]
        return MathNode("mtable", children=[MathNode("mtr", children=row) for row in rows])

    def _row(self, depth: int) -> list[MathNode]:
        nodes: list[MathNode] = []
        if depth > _MAX_DEPTH:
            return [MathNode("mtext", "".join(self._group_left()))]
        while (token := self._peek()) and token not in _STOPS:
            if token in ("^", "_", "'"):
                nodes.append(self._scripts(nodes.pop() if nodes else MathNode("mrow"), depth))
            elif token in ("\\over", "\\choose", "\\atop", "\\above"):
                self.take()
                lower = MathNode("mrow", children=self._row(depth + 1))
                return [_stacked(token[1:], MathNode("mrow", children=nodes), lower)]
            elif (node := self._atom(depth)) is not None:
                nodes.append(node)
        return nodes

    def _scripts(self, base: MathNode, depth: int) -> MathNode:
        found: dict[str, list[MathNode]] = {"_": [], "^": []}
        while (token := self._peek()) in ("^", "_", "'"):
            self.take()
            found["^" if token == "'" else token].append(MathNode("mo", "′") if token == "'" else self._argument(depth))
        kinds = [kind for kind in "_^" if found[kind]]
        name = "msubsup" if len(kinds) == 2 else "msub" if kinds == ["_"] else "msup"
        return MathNode(name, children=[base, *(MathNode("mrow", children=found[kind]) for kind in kinds)])

    def _argument(self, depth: int) -> MathNode:
        """Return the group or the one token that a command or a script takes."""
        token = self._peek()
        if token == "{":
            return self._group(depth)
        if token[:1].isdigit() and len(token) > 1:  # x^10 is x¹0
            self._tokens[self._at : self._at + 1] = list(token)
        if not token or token in _STOPS or token in ("^", "_"):
            return MathNode("mrow")
        return (self._atom(depth + 1) if depth < _MAX_DEPTH else MathNode("mtext", self.take())) or MathNode("mrow")

    def _group(self, depth: int) -> MathNode:
        self.take()
        node = self.grid(depth + 1)
        if self._peek() == "}":
            self.take()
        return node

    def _atom(self, depth: int) -> MathNode | None:
        """Return what the next token begins, None for what shows nothing."""
        spaced_before = self._at > 0 and self._tokens[self._at - 1] == " "
        token = self._peek()
        if token == "{":
            return self._group(depth)
        self.take()
        if token[0] == "\\" and len(token) > 1:
            name = token[1:].rstrip("*") or token[1:]
            return self._command(name, depth, spaced=spaced_before)
        if token[0].isdigit() or (token[0] == "." and len(token) > 1):
            return MathNode("mn", token)
        if token == "~":
            return MathNode("mspace")
        if token in ("$", "#"):
            return None
        if token.isalpha():
            return MathNode("mi", token)
        return self._operator(token, spaced=spaced_before and self._peek(behind_spaces=False) == " ")

    def _operator(self, token: str, *, spaced: bool) -> MathNode:
        sign = _SIGNS.get(token, token)
        if sign in (",", ";") and self._peek(behind_spaces=False) == " ":
            return MathNode("mrow", children=[MathNode("mo", sign), MathNode("mspace")])
        return MathNode("mo", sign, attributes={"spaced": ""} if spaced and sign in _OPERATORS else {})

    def _command(self, name: str, depth: int, *, spaced: bool) -> MathNode | None:
        if not name[0].isalpha():
            return self._escape(name)
        if (character := symbols().get(name)) is not None:
            if character.isalpha():
                return MathNode("mi", character)
            return MathNode("mo", character, attributes={"spaced": ""} if spaced and character in _OPERATORS else {})
        for kind, read in _KINDS.items():
            if (rules := commands(kind).get(name)) is not None:
                return read(self, name, rules, depth)
        if (read_one := _READERS.get(name)) is not None:
            return read_one(self, name, (), depth)
        return MathNode("mi", name)

    def _escape(self, name: str) -> MathNode | None:
        if name in _ESCAPED:
            return MathNode("mo", _ESCAPED[name])
        if name in _GAPS:
            return MathNode("mspace")
        if name in _THIN:
            return MathNode("mspace", " ", attributes={"width": "thinmathspace"})
        return None if name in _SETTING else MathNode("mo", name)

    # Commands, one method a kind; `rules` is what the file says of the command

    def _function(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        return MathNode("mi", name)

    def _nothing(self, name: str, rules: tuple[str, ...], depth: int) -> None:
        if name.lower().startswith(("left", "right", "middle", "big")) and self._peek() == ".":
            self.take()

    def _font(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        node = _merged(self._argument(depth))
        if name in ("mathbb", "mathds") and len(node.text) == 1:
            node.text = commands("doublestruck").get(node.text, (node.text,))[0]
        return node

    def _words(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        parts: list[MathNode] = []
        text = accent = ""
        pieces = iter(self._raw())
        for token in pieces:
            if token == "$":
                parts += _spoken(text)
                text, inner = "", []
                for token in pieces:  # up to the dollar sign that closes it
                    if token == "$":
                        break
                    inner.append(token)
                parts.append(_TexReader(inner).grid(depth + 1))
            elif token.startswith("\\") and (name := token[1:].rstrip("*") or token[1:]) in _ACCENTS:
                accent = _ACCENTS[name]
            elif token.startswith("\\") and name:
                text += symbols().get(name, _ESCAPED.get(name, " " if name in _GAPS or name in _THIN else ""))
            elif token not in ("{", "}"):
                text, accent = text + (" " if token == "~" else token) + (accent if token.isalpha() else ""), ""
        parts += _spoken(text)
        return parts[0] if len(parts) == 1 else MathNode("mrow", children=parts)

    def _switch(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        return _merged(MathNode("mrow", children=self._row(depth + 1)))

    def _content(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        return self._argument(depth)

    def _skip(self, name: str, rules: tuple[str, ...], depth: int) -> None:
        for rule in "".join(rules):
            if rule == "?":
                self._optional()
            elif rule == "-":
                self._raw()
            else:
                self._skip_length()

    def _gap(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        return MathNode("mspace")

    def _thin(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        return MathNode("mspace", " ", attributes={"width": "thinmathspace"})

    def _width(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        width = re.fullmatch(r"\s*(-?[\d.]+)\s*([a-z]*).*", "".join(self._raw()), re.DOTALL)
        ems = float(width[1]) / _PER_EM.get(width[2], 1) if width and width[1].count(".") < 2 else 1
        return MathNode("mspace", " ", attributes={"width": f"{ems:.3f}em"})

    def _over(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        return MathNode("mover", children=[self._argument(depth), MathNode("mo", rules[0])])

    def _under(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        return MathNode("munder", children=[self._argument(depth), MathNode("mo", rules[0])])

    def _arrow(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        below = self._optional()
        above = self._argument(depth)
        under = _TexReader(below).grid(depth + 1) if below else MathNode("mrow")
        return MathNode("munderover", children=[MathNode("mo", rules[0]), under, above])

    # Commands with a method of their own

    def _frac(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        if name == "genfrac":
            opening, closing, line = "".join(self._raw()), "".join(self._raw()), "".join(self._raw())
            self._raw()
            upper, lower = self._argument(depth), self._argument(depth)
            inner = MathNode("mfrac", children=[upper, lower], attributes={"linethickness": line})
            return MathNode("mfenced", children=[inner], attributes={"open": opening, "close": closing})
        self._optional()
        upper, lower = self._argument(depth), self._argument(depth)
        return _stacked("choose" if name.endswith("binom") else "over", upper, lower)

    def _sqrt(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        degree = self._optional()
        inner = self._argument(depth)
        if degree is None:
            return MathNode("msqrt", children=[inner])
        return MathNode("mroot", children=[inner, _TexReader(degree).grid(depth + 1)])

    def _set(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        added, base = self._argument(depth), self._argument(depth)
        return MathNode("munder" if name == "underset" else "mover", children=[base, added])

    def _not(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        node = self._argument(depth)
        sign = commands("negated").get(node.text)
        return (
            MathNode("mo", sign[0] if sign else node.text + "\u0338", attributes=node.attributes) if node.text else node
        )

    def _tag(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        number = self._argument(depth)
        return MathNode("mrow", children=[MathNode("mspace"), MathNode("mfenced", children=[number])])

    def _environment(self, name: str, rules: tuple[str, ...], depth: int) -> MathNode:
        kind = "".join(self._raw()).rstrip("*")
        self._optional()
        if kind in ("array", "tabular", "alignedat", "alignat", "subarray") and self._peek() == "{":
            self._raw()
        table = self.grid(depth + 1)
        if self._peek() == "\\end":
            self.take()
            self._raw()
        fences = commands("fenced").get(kind)
        if fences is None:
            return table
        opening, closing = ["" if fence == "." else fence for fence in (fences or ("|", "|"))]
        if table.name != "mtable":
            table = MathNode("mtable", children=[MathNode("mtr", children=[table])])
        return MathNode("mrow", children=[MathNode("mo", opening), table, MathNode("mo", closing)])

    def _end(self, name: str, rules: tuple[str, ...], depth: int) -> None:
        self._raw()


_KINDS: Final = {
    "function": _TexReader._function,
    "nothing": _TexReader._nothing,
    "font": _TexReader._font,
    "words": _TexReader._words,
    "switch": _TexReader._switch,
    "group": _TexReader._content,
    "skip": _TexReader._skip,
    "gap": _TexReader._gap,
    "thin": _TexReader._thin,
    "over": _TexReader._over,
    "under": _TexReader._under,
    "arrow": _TexReader._arrow,
}
_READERS: Final = {
    **dict.fromkeys(["frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac", "genfrac"], _TexReader._frac),
    **dict.fromkeys(["binom", "dbinom", "tbinom"], _TexReader._frac),
    **dict.fromkeys(["overset", "underset", "stackrel", "atopset"], _TexReader._set),
    **dict.fromkeys(["mathbb", "mathds"], _TexReader._font),
    **dict.fromkeys(["hspace", "mspace"], _TexReader._width),
    "substack": _TexReader._content,
    "sqrt": _TexReader._sqrt,
    "not": _TexReader._not,
    "tag": _TexReader._tag,
    "begin": _TexReader._environment,
    "end": _TexReader._end,
    "bmod": lambda reader, name, rules, depth: MathNode("mtext", "mod"),
    "pmod": lambda reader, name, rules, depth: MathNode(
        "mfenced", children=[MathNode("mrow", children=[MathNode("mtext", "mod"), reader._argument(depth)])]
    ),
}


def _stacked(kind: str, upper: MathNode, lower: MathNode) -> MathNode:
    """Return two parts above each other: a fraction, or without a bar a binomial or a stack."""
    fraction = MathNode(
        "mfrac", children=[upper, lower], attributes={} if kind in ("over", "above") else {"linethickness": "0"}
    )
    return MathNode("mfenced", children=[fraction]) if kind == "choose" else fraction


def _merged(node: MathNode) -> MathNode:
    """Return a row with letters that stand side by side as one word: in upright type they are."""
    if node.name != "mrow":
        return node
    parts: list[MathNode] = []
    for child in node.children:
        before = parts[-1] if parts and parts[-1].name == "mi" and not child.children else None
        if before is not None and (child.name == "mi" or (child.name == "mn" and before.text.isupper())):  # CD4
            parts[-1] = MathNode("mi", parts[-1].text + child.text)
        else:
            parts.append(child)
    return parts[0] if len(parts) == 1 else MathNode("mrow", children=parts)


def _spoken(text: str) -> list[MathNode]:
    """Return words with the gaps around them, which count where there is text in a formula."""
    if not text.strip():
        return [MathNode("mspace")] if text else []
    before, after = text[0].isspace(), text[-1].isspace()
    text = text.replace("---", "—").replace("--", "–")
    return [*[MathNode("mspace")] * before, MathNode("mtext", text), *[MathNode("mspace")] * after]
