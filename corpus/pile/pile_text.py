"""The Pile's text of one record: what its scripts make of the XML, or the reason for which they leave it out."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class PileText:
    """The text of one record; `reason` is "" when The Pile keeps it, else a word of `PileDrop`."""

    text: str = ""
    reason: str = ""
