"""Tokens of TeX one after the other: the cursor that the reader of formulas goes by."""

import re
from typing import Final

_DIMENSION: Final = re.compile(r"pt|mm|cm|in|ex|em|mu|bp|pc|dd|cc|sp|plus|minus")


class TexCursor:
    """A place among the tokens of a formula, and what a command takes from there on."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def more(self) -> bool:
        """Say whether tokens are left."""
        return self._at < len(self._tokens)

    def take(self) -> str:
        """Return the next token, "" behind the last."""
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ""

    def _peek(self, *, behind_spaces: bool = True) -> str:
        while behind_spaces and self.more() and self._tokens[self._at] == " ":
            self._at += 1
        return self._tokens[self._at] if self.more() else ""

    def _optional(self) -> list[str] | None:
        if self._peek() != "[":
            return None
        self.take()
        found: list[str] = []
        while (token := self.take()) and token != "]":
            found.append(token)
        return found

    def _group_left(self) -> list[str]:
        """Take the tokens up to the brace that closes the group, without it."""
        found, open_groups = [], 1
        while self.more():
            open_groups += (self._tokens[self._at] == "{") - (self._tokens[self._at] == "}")
            if not open_groups:
                break
            found.append(self.take())
        return found

    def _raw(self) -> list[str]:
        """Take a group, or one token, as it was written."""
        if self._peek() != "{":
            return [self.take()]
        self.take()
        found = self._group_left()
        self.take()
        return found

    def _skip_length(self) -> None:
        """Read past a length: `1pt`, `-0.5em`, `.5\\baselineskip`."""
        while self._peek() in ("-", "=", "+"):
            self.take()
        if not re.match(r"[\d.]", self._peek()):
            return
        self.take()
        unit = self._peek()
        if unit.startswith("\\"):
            self.take()
        elif _DIMENSION.fullmatch("".join(self._tokens[self._at : self._at + 2])):
            self._at += 2
