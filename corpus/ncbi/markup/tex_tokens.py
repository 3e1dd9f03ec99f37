r"""Tokens of TeX: source comes in, the formula's tokens go out, definitions applied and the publisher's wrapper gone.

A token is a command with its backslash, a number, one other character, or a run of white space as one space.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r"\\[A-Za-z@]+\*?|\\.|\s+|\d+\.\d+|\d+|\.\d+|#\d|.", re.DOTALL)
_COMMENT: Final = re.compile(r"(?<!\\)%[^\n]*(?:\n\s*|$)")
_BEGIN, _END = r"\begin{document}", r"\end{document}"
_MOST_TOKENS: Final = 20_000  # of a formula, definitions applied: a guard against definitions that double themselves
_COMMANDS: Final = frozenset(["newcommand", "renewcommand", "providecommand", "DeclareRobustCommand", "newcommandx"])
_OPERATORS: Final = frozenset(["DeclareMathOperator", "operatornamenew"])
_PLAIN: Final = frozenset(["def", "gdef", "edef", "xdef"])
_LETS: Final = frozenset(["let", "futurelet"])
_SCRIPTS: Final = {"\\textsuperscript": "^", "\\sp": "^", "\\textsubscript": "_", "\\sb": "_"}  # the signs by name
_SKIPPED: Final = {"newenvironment": 3, "renewenvironment": 3, "newtheorem": 2}


def body_of(source: str) -> str:
    r"""Return what stands between `\begin{document}` and its end, all of a source that has neither."""
    _, found, body = source.partition(_BEGIN)
    return body.partition(_END)[0] if found else source


def tokens_of(source: str) -> list[str]:
    """Return the tokens of a formula; comments go where the source still has its lines."""
    preamble, found, _ = source.partition(_BEGIN)
    definitions: dict[str, _Definition] = {}
    if found and ("\\newcommand" in preamble or "\\def" in preamble or "\\Declare" in preamble):
        _Expansion(_split(preamble), definitions).run()
    return _Expansion(_split(body_of(source)), definitions).run()


def _split(source: str) -> list[str]:
    if "\n" in source:
        source = _COMMENT.sub("", source)
    return [" " if token.isspace() else _SCRIPTS.get(token, token) for token in _TOKEN.findall(source)]


@dataclass(frozen=True, slots=True)
class _Definition:
    body: Sequence[str]
    num_arguments: int = 0
    default: Sequence[str] | None = None


class _Expansion:
    """One pass over tokens that takes out definitions and puts in what they stand for."""

    def __init__(self, tokens: list[str], definitions: dict[str, _Definition]) -> None:
        self._left = tokens[::-1]
        self._definitions = definitions

    def run(self) -> list[str]:
        """Return the tokens with definitions applied."""
        out: list[str] = []
        budget = _MOST_TOKENS
        while self._left and len(out) < _MOST_TOKENS:
            token = self._left.pop()
            name = token[1:].rstrip("*") if token[0] == "\\" else ""
            if self._defined(name):
                continue
            known = self._definitions.get(name)
            if known is None:
                out.append(token)
                continue
            found = self._applied(known) if budget > 0 else []
            budget -= len(found) + 1
            self._left += reversed(found)
        return out

    def _defined(self, name: str) -> bool:
        """Read the definition that a command begins; say whether it was one."""
        if name in _COMMANDS or name in _OPERATORS:
            self._define(operator=name in _OPERATORS)
        elif name in _PLAIN:
            self._define_plainly()
        elif name in _LETS:
            new = self._next()
            target = self._next()
            self._keep([new], _Definition([self._next() if target == "=" else target]))
        elif name in _SKIPPED:
            for _ in range(_SKIPPED[name]):
                self._optional()
                self._argument()
        else:
            return False
        return True

    def _define(self, *, operator: bool) -> None:
        names = self._argument()
        count, default = self._optional(), self._optional()
        body = self._argument()
        body = ["\\operatorname", "{", *body, "}"] if operator else body
        number = "".join(count or ())
        self._keep(names, _Definition(body, int(number) if number.isdecimal() and len(number) == 1 else 0, default))

    def _define_plainly(self) -> None:
        name, count = self._next(), 0
        while self._left and self._left[-1] != "{":
            count += self._left.pop().startswith("#")
        self._keep([name], _Definition(self._argument(), count))

    def _keep(self, names: Iterable[str], definition: _Definition) -> None:
        for name in names:
            if name.startswith("\\"):
                self._definitions[name[1:].rstrip("*")] = definition

    def _applied(self, definition: _Definition) -> list[str]:
        given: list[Sequence[str]] = []
        if definition.default is not None:
            given.append(self._optional() or definition.default)
        while len(given) < definition.num_arguments:
            given.append(self._argument())
        found: list[str] = []
        for token in definition.body:
            number = int(token[1:]) if token[0] == "#" and len(token) > 1 else 0
            found += given[number - 1] if 0 < number <= len(given) else [token]
        return found[:_MOST_TOKENS]

    def _next(self) -> str:
        while self._left and self._left[-1] == " ":
            self._left.pop()
        return self._left.pop() if self._left else " "

    def _argument(self) -> list[str]:
        """Take a group without its braces, or one token."""
        token = self._next()
        return list(self._until("{", "}")) if token == "{" else [token]

    def _optional(self) -> list[str] | None:
        token = self._next()
        if token == "[":
            return list(self._until("[", "]"))
        self._left.append(token)
        return None

    def _until(self, opening: str, closing: str) -> Iterator[str]:
        depth = 1
        while self._left:
            token = self._left.pop()
            depth += (token == opening) - (token == closing)
            if not depth:
                return
            yield token
