"""The languages of a record: of its title, and of the text that is printed, each by `corpus.text.detection`."""

from collections.abc import Iterable, Sequence

from corpus.records import BlockKind, Record
from corpus.text.abstracts import printed_parts
from corpus.text.detection import SAMPLE, detect, detect_all

__all__ = ["SAMPLE", "detect", "detect_all", "languages_of", "main_text"]

_NO_PROSE = frozenset({BlockKind.HEADING, BlockKind.FORMULA})


def languages_of(records: Sequence[Record]) -> tuple[list[str], list[str]]:
    """Return `title_language` and `text_language` of each record."""
    titles = detect_all([record.title or record.vernacular_title for record in records])
    return titles, detect_all([main_text(record) for record in records])


def main_text(record: Record) -> str:
    """Return the beginning of the abstract that is printed, else of the body: what `text_language` is decided from."""
    return _beginning(part.text for part in printed_parts(record.abstracts)) or _beginning(
        block.text for block in record.body if block.kind not in _NO_PROSE
    )


def _beginning(pieces: Iterable[str]) -> str:
    """Return pieces, joined by spaces, until there are characters enough."""
    text = ""
    for piece in pieces:
        text = f"{text} {piece[:SAMPLE]}" if text else piece[:SAMPLE]
        if len(text) >= SAMPLE:
            return text[:SAMPLE]
    return text
