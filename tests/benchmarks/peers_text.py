"""What a reader's text is to the benchmarks, and the one normalisation under which readers are compared.

`Extract` is the text of one article as one reader gives it. `tokens` turns any reader's text into words, so that no
reader is marked down for its notation:

- raised and lowered runs are the same whether written as Unicode scripts (10⁵, H₂O), as `10^5`, `10^(5)` or `H_(2)O`,
  or simply set beside their base (Ca2+); only a number raised or lowered beside a number stays apart from it, for
  "105" is not 10⁵;
- TeX and linear formulas are the same letters and numbers: `\\frac{a}{b}` and `a/b`, `\\alpha` and α;
- letters are compared in NFKC and lower case; white space, punctuation and the signs of markdown do not count.
"""

import re
import unicodedata
from dataclasses import dataclass

SCRIPT, END = "\x05", "\x06"  # around a raised or lowered run, for texts that know theirs

_UNICODE_SCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ]+|[₀₁₂₃₄₅₆₇₈₉₊₋₍₎]+")
_BRACED = re.compile(r"([\^_])\{([^{}]*)\}")
_BRACKETED = re.compile(r"[\^_]\(([^()]*(?:\([^()]*\)[^()]*)*)\)")
_BARE = re.compile(r"[\^_](?=[\w+−-])")
_NUMBERS_TOUCH = re.compile(rf"{SCRIPT}(?<=\d{SCRIPT})(?=\d)")
_FONT = re.compile(r"\\(?:text|textrm|textit|textbf|mathrm|mathit|mathbf|mathsf|operatorname)\s*\{([^{}]*)\}")
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_COMMAND_END = "\0"  # ends the name of a command before it
_FUNCTIONS = frozenset(["sin", "cos", "tan", "log", "ln", "exp", "max", "min", "lim", "det"])
_LETTERS = [chr(code) for code in range(ord("α"), ord("ω") + 1) if chr(code) != "ς"]
_GREEK = {unicodedata.name(letter).rpartition(" ")[2].lower(): letter for letter in _LETTERS}
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Extract:
    """Lines of text from one reader: title and abstract, body in its order, and what it gives apart from both."""

    front: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()

    def text(self) -> str:
        """Return all of it, one line a piece."""
        return "\n".join([*self.front, *self.body, *self.apart])


def tokens(text: str) -> list[str]:
    """Return the words of a text under the normalisation of this module."""
    return _WORD.findall(unicodedata.normalize("NFKC", _plain_scripts(_plain_tex(text))).lower())


def _plain_tex(text: str) -> str:
    if "\\" in text or "{" in text:
        text = _FONT.sub(f"{_COMMAND_END}\\1", text)
        while _BRACED.search(text):
            text = _BRACED.sub(rf"{SCRIPT}\2{END}", text)
        text = _COMMAND.sub(_command, text).replace("{", " ").replace("}", " ").replace(_COMMAND_END, "")
    return text


def _command(found: re.Match[str]) -> str:
    name = found[1]
    return f" {name} " if name in _FUNCTIONS else _GREEK.get(name, " ")


def _plain_scripts(text: str) -> str:
    """Return a text with its scripts set beside their bases, numbers parted from numbers."""
    text = _UNICODE_SCRIPT.sub(_plain_run, text)
    if "^" in text or "_" in text:
        text = _BARE.sub(SCRIPT, _BRACKETED.sub(rf"{SCRIPT}\1{END}", text))
    if SCRIPT in text:
        text = _NUMBERS_TOUCH.sub(" ", text).replace(SCRIPT, "")
    return text.replace(END, "")


def _plain_run(found: re.Match[str]) -> str:
    return f"{SCRIPT}{unicodedata.normalize('NFKC', found[0])}{END}"
