"""Difference of two corpora, `diff`: how many documents came, went, changed or moved, why, and some of each."""

from collections import Counter
from collections.abc import Iterator, Sequence

from corpus.assemble.change_feed import changes_between, counts_text, write_delta
from corpus.assemble.changes import Change, ChangeKind
from corpus.storage import parquet
from corpus.storage.schema import to_table
from pipelines.inspection.summaries import summary_line

SHOWN = 5


def diff_text(old: str, new: str, *, feed: str | None = None, delta: str | None = None) -> str:
    """Return what a corpus has become, for reading; `feed`: a Parquet file to write, `delta`: a directory of shards.

    Raises UsageError for what is no corpus.
    """
    changes = changes_between(old, new)
    lines = [f"{old} → {new}: {counts_text(changes)}", *_reasons(changes), *_examples(changes)]
    if feed:
        parquet.write_table(feed, to_table(changes, Change))
        lines.append(f"{feed}: {len(changes):,} rows")
    if delta:
        lines.append(summary_line(write_delta(changes, old=old, corpus=new, output=delta), delta))
    return "\n".join(lines)


def _reasons(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each way in which documents came, went or moved, the most frequent first."""
    ways: Counter[tuple[str, str, str]] = Counter()
    for one in changes:
        before, after = one.old_split or one.old_reason, one.new_split or one.new_reason
        ways[one.change, before, after] += 1
    for (change, before, after), count in sorted(ways.items(), key=lambda way: (-way[1], way[0])):
        yield f"  {count:>9,} {change:<8} {before} → {after}"


def _examples(changes: Sequence[Change]) -> Iterator[str]:
    for kind in ChangeKind:
        own = [one.doc_id for one in changes if one.change == kind]
        if own:
            more = f" and {len(own) - SHOWN:,} more" if len(own) > SHOWN else ""
            yield f"  {kind}: {', '.join(own[:SHOWN])}{more}"
