"""Fields of one JSON line by their keys: the text, the id, what survivors are chosen by, and names that must be free.

A key `a.b` is the key of that very name, else `b` inside of the object `a`. A line is decoded by msgspec into the few
fields that are asked for; the rest of it is only checked to be JSON.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from corpus.foreign.rows import LineReject

ABSENT: Final = msgspec.UNSET
_BOM: Final = b"\xef\xbb\xbf"
_WORDS: Final = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
_NOTHING: Final = (None,) * 64  # values of rules that read no key
_SHOWN: Final = 12  # keys of a line that has not the one asked for


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldNames:
    """The keys that are read of every document."""

    text: str
    id: str  # "" for none
    more: tuple[str, ...] = ()  # by which survivors are chosen; "" for a rule that reads none
    free: tuple[str, ...] = ()  # that no document may have: tags are written there


class LineFaultError(ValueError):
    """A line that is no document; the text says what is wrong."""

    def __init__(self, reason: LineReject, detail: str, doc_id: str = "") -> None:
        """Take the reason, the detail for a person, and the id as far as it is known."""
        super().__init__(detail)
        self.reason, self.detail, self.doc_id = reason, detail, doc_id


class TakenNameError(ValueError):
    """A document has a field of the name of a tag already."""


@dataclass(frozen=True, slots=True)
class LineFields:
    """What one document says: its text, its id (None where it has none), and the values of further keys."""

    text: str
    id: str | None
    more: tuple[Any, ...]


class FieldReader:
    """Reads the fields of lines."""

    def __init__(self, names: FieldNames) -> None:
        """Prepare for some keys."""
        self._names = names
        asked = [names.text, names.id, *names.more, *names.free]
        tops = dict.fromkeys(top for name in asked if name for top in (name, name.partition(".")[0]))
        slots = {top: f"f{number}" for number, top in enumerate(tops)}
        made = [(slot, Any, ABSENT) for slot in slots.values()]
        kind = msgspec.defstruct("Line", made, rename={slot: top for top, slot in slots.items()}, gc=False)
        self._decode = msgspec.json.Decoder(kind).decode
        self._slots = slots
        self._text_slot, self._id_slot = slots[names.text], slots.get(names.id, "")
        self._are_plain = bool(names.id) and not any(names.more) and not names.free

    def read(self, line: bytes | memoryview, *, first: bool = False) -> LineFields:
        """Return the fields of a line; `first`: of its file, which a byte order mark may precede.

        Raises LineFaultError for what is no document, TakenNameError where a tag has no room.
        """
        if first and line[:3] == _BOM:
            line = line[3:]
        try:
            found = self._decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise LineFaultError(LineReject.BAD_JSON, f"no JSON object: {error}") from error
        names = self._names
        if self._are_plain:  # most lines of most corpora
            text, own = getattr(found, self._text_slot), getattr(found, self._id_slot)
            if type(text) is str and type(own) is str and own:
                return LineFields(text, own, _NOTHING[: len(names.more)])
        for name in names.free:
            if getattr(found, self._slots[name]) is not ABSENT:
                raise TakenNameError(name)
        own = self._get(found, names.id) if names.id else ABSENT
        doc_id = checked_id(own, names.id)
        text = self._get(found, names.text)
        if not isinstance(text, str):
            raise _no_text(text, names.text, line, doc_id)
        return LineFields(text, doc_id, tuple(self._get(found, name) if name else None for name in names.more))

    def _get(self, found: Any, name: str) -> Any:
        value = getattr(found, self._slots[name])
        if value is not ABSENT or "." not in name:
            return value
        top, *inner = name.split(".")
        value = getattr(found, self._slots[top])
        for step in inner:
            value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
        return value


def checked_id(value: Any, name: str) -> str | None:
    """Return an id as text, None where there is none; raises LineFaultError for one that is no text or number."""
    if value is None or value is ABSENT or value == "":
        return None
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise LineFaultError(LineReject.BAD_ID, f"{name} is {_WORDS.get(type(value), type(value).__name__)}, not an id")


def _no_text(value: Any, name: str, line: bytes | memoryview, doc_id: str | None) -> LineFaultError:
    if value is None:
        return LineFaultError(LineReject.NO_TEXT, f"{name} is null", doc_id or "")
    if value is ABSENT:
        held = ", ".join(list(msgspec.json.decode(line))[:_SHOWN]) or "nothing"
        return LineFaultError(LineReject.NO_TEXT, f"has no {name}, but {held}", doc_id or "")
    kind = _WORDS.get(type(value), type(value).__name__)
    return LineFaultError(LineReject.NOT_TEXT, f"{name} is {kind}, not a text", doc_id or "")


def plain_names(names: Sequence[str]) -> list[str]:
    """Return names without repeats and without empty ones, in their order."""
    return [name for name in dict.fromkeys(names) if name]
