"""Accounting of a result of `dedup`, `account DIR`: where every line went, by file and reason, and clusters by size."""

import shlex
from collections.abc import Iterator, Sequence

from corpus.stage.manifest import read_manifest
from pipelines.inspection.line_counts import LineCounts, count_lines
from pipelines.inspection.stages import inspect_path
from pipelines.inspection.summaries import books_text

FILES_SHOWN = 20


def line_accounts(result: str, document: str | None = None, *, full: bool = False) -> str:
    """Return the accounting of a result of `dedup`; of one document its row, its cluster and its pairs.

    `full` shows all files. Raises UsageError for a document that is not found.
    """
    if document is not None:
        return inspect_path(result, document)
    manifest = read_manifest(result, "dedup")
    counts = count_lines(result, manifest)
    tagged = manifest.config["duplicates"] == "tag"
    lines = [f"{result}: {books_text(manifest.books)}"]
    if tagged:
        lines.append("duplicates are tagged and stay: `kept` counts them too")
    lines += ["", *_files(counts, tagged=tagged, full=full), "", *_clusters(counts)]
    lines += [f"largest: {name}, {size:,} documents" for name, size in counts.largest[:1]]
    if counts.largest:
        lines.append(f"see one: corpuscle inspect {shlex.quote(result)} --id {shlex.quote(counts.largest[0][0])}")
    return "\n".join(lines)


def _files(counts: LineCounts, *, tagged: bool, full: bool) -> Iterator[str]:
    """Yield a line a file, those that lost most first, and one of all together."""
    letters = sorted({reason for found in counts.letters.values() for reason in found})
    reasons = [*counts.totals(), *letters]
    books = counts.by_file(tagged=tagged)
    rows = {
        file: [
            one.read,
            one.kept,
            *({**counts.reasons[file], **counts.letters.get(file, {})}.get(r, 0) for r in reasons),
        ]
        for file, one in books.items()
    }
    order = sorted(rows, key=lambda file: (books[file].kept - books[file].read, file))
    shown = order if full else order[:FILES_SHOWN]
    rest = [rows[file] for file in order[len(shown) :]]
    told = {file: rows[file] for file in shown}
    if rest:
        told[f"… {len(rest):,} more (--full)"] = [sum(column) for column in zip(*rest, strict=True)]
    told["in all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    yield from _columns(("file", "read", "kept", *reasons), told)


def _columns(head: Sequence[str], rows: dict[str, list[int]]) -> Iterator[str]:
    """Yield a table: names to the left, numbers to the right."""
    wide = max(len(head[0]), *map(len, rows))
    widths = [max(len(name), 9) for name in head[1:]]
    yield f"  {head[0]:<{wide}}" + "".join(f"  {name:>{width}}" for name, width in zip(head[1:], widths, strict=True))
    for name, numbers in rows.items():
        told = "".join(f"  {number:>{width},}" for number, width in zip(numbers, widths, strict=True))
        yield f"  {name:<{wide}}{told}"


def _clusters(counts: LineCounts) -> Iterator[str]:
    if not len(counts.cluster_sizes):
        yield "no two documents resemble each other"
        return
    total = int(counts.cluster_sizes.sum())
    yield f"{len(counts.cluster_sizes):,} clusters of {total:,} documents that resemble each other"
    rows = {name: [*numbers] for name, numbers in counts.size_classes().items()}
    yield from _columns(("documents in a cluster", "clusters", "documents"), rows)
