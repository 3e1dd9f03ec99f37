"""The page `passages.md`: the passages in most documents, for people."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from corpus.passages.rows import Passage

SHOWN: Final = 200  # passages of the page; the Parquet file has all
_LONGEST: Final = 240  # characters of one that are shown


def listing(passages: Sequence[Passage], summary: Mapping[str, Any]) -> str:
    """Return the page; passages in the order of the list."""
    return "\n".join([*_lines(passages, summary), ""])


def _lines(passages: Sequence[Passage], summary: Mapping[str, Any]) -> Iterator[str]:
    yield "# Passages in many documents"
    yield ""
    yield (
        f"{summary['documents']:,} documents with {summary['passages_read']:,} sentences and paragraphs; "
        f"{summary['passages_found']:,} of them differ and stand in {summary['min_documents']:,} documents or more."
    )
    shown = passages[:SHOWN]
    yield f"Here are the first {len(shown):,} of the {len(passages):,} in `passages.parquet`."
    if any(passage.rules for passage in passages):
        yield "`rule` is what the profile `clean` takes most occurrences by; – where most of them stay in its text."
        yield ""
        yield "| rule | passages here | documents of the most frequent |"
        yield "|---|---|---|"
        most = {passage.rule: passage.documents for passage in reversed(shown)}
        for rule, count in sorted(Counter(one.rule for one in shown).items(), key=lambda item: (-item[1], item[0])):
            yield f"| {rule or '–'} | {count} | {most[rule]:,} |"
    yield ""
    yield "| documents | times | as a line | rule | stay | passage | such as |"
    yield "|---|---|---|---|---|---|---|"
    yield from map(_row, shown)


def _row(one: Passage) -> str:
    text = " ".join(one.text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
    counts = f"{one.documents:,} | {one.occurrences:,} | {one.alone:,}"
    return f"| {counts} | {one.rule or '–'} | {one.stay:,} | {cut} | {', '.join(one.examples)} |"
