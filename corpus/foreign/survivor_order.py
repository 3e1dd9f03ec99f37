"""Which of several duplicates stays, by rules that a user names: values of a document in, numbers that sort out.

`first`, `longest`, `newest:KEY`, `priority:KEY` or `priority:KEY=a,b,c`, one after the other; smaller numbers are
better, and what has no value, or one that is none of the kind, comes last. At the end the key of the document decides,
which is its file's place by name and its line, so no two are equal.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Literal

LAST: Final = (1 << 63) - 1  # of a document without a value
ValueKind = Literal["number", "date", "listed", "none"]
_FORMS: Final = "first, longest, newest:KEY, priority:KEY or priority:KEY=a,b,c"
_EPOCH: Final = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = 1_000_000
_LARGEST: Final = 1e300  # Python's own whole numbers have no end


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepRule:
    """One rule: what it goes by, the key it reads ("" for none), and the values in their order where they are named."""

    by: Literal["first", "longest", "newest", "priority"]
    key: str = ""
    values: tuple[str, ...] = ()


def parse_rule(text: str) -> KeepRule:
    """Return the rule of a text; raises ValueError for none."""
    by, _, key = text.partition(":")
    if text in ("first", "longest"):
        return KeepRule(by="first" if text == "first" else "longest")
    if by == "newest" and key:
        return KeepRule(by="newest", key=key)
    if by == "priority" and key:
        key, equals, values = key.partition("=")
        named = tuple(values.split(",")) if equals else ()
        if key and (not equals or all(named)):
            return KeepRule(by="priority", key=key, values=named)
    raise ValueError(f"expected {_FORMS}, got {text!r}")


def place_of(rule: KeepRule, value: Any, length: int) -> tuple[int, ValueKind]:
    """Return the number by which a document sorts, smaller is better, and of which kind its value was.

    length: of its text [bytes].
    """
    if rule.by in ("first", "longest"):
        return (-length if rule.by == "longest" else 0), "none"
    if rule.values:
        text = str(value)
        return (rule.values.index(text), "listed") if text in rule.values else (LAST, "none")
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST:  # NaN is not
        number = _ordered(float(value))
        return (-number if rule.by == "newest" else number), "number"
    moment = _moment(value) if rule.by == "newest" else None
    return (LAST, "none") if moment is None else (-moment, "date")


def mixed_kinds(kinds: Sequence[ValueKind]) -> bool:
    """Say whether values are of kinds that cannot be compared: numbers beside dates."""
    return {"number", "date"} <= set(kinds)


def _ordered(number: float) -> int:
    """Return a whole number of 64 bits that sorts as the floating-point numbers do."""
    (bits,) = struct.unpack("<q", struct.pack("<d", number + 0.0))  # -0.0 and 0.0 are equal
    return int(bits) if bits >= 0 else -int(bits & 0x7FFF_FFFF_FFFF_FFFF)


def _moment(value: Any) -> int | None:
    """Return a date or time as microseconds since the year 1, UTC where it names no zone; None for what is none."""
    if isinstance(value, str):
        value = _read_date(value.strip())
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    else:
        return None
    try:
        passed = moment - _EPOCH
    except OverflowError:
        return None
    return (passed.days * 86_400 + passed.seconds) * _MICROSECOND + passed.microseconds


def _read_date(text: str) -> datetime | None:
    """Return the date or time that an ISO 8601 text says: 2024, 2024-05, 2024-05-31, 2024-05-31T12:00:00Z."""
    plain = text.isascii() and len(text) in (4, 7) and text.replace("-", "").isdecimal()
    try:
        return datetime.fromisoformat(f"{text}-01-01" if plain and len(text) == 4 else f"{text}-01" if plain else text)
    except ValueError:
        return None
