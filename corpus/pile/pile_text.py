"""What The Pile's scripts make of one record: a `PileText`, and the reasons for which they leave one out."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class PileText:
    """The text of one record, and why it is left out: `drop` is "" or a word of `PileDrop`."""

    text: str = ""
    drop: str = ""
