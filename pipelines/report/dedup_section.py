"""Section of a report about a result of `dedup`: decisions and dead letters to tiles, figures and tables."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from rich.filesize import decimal

from corpus.stage.manifest import Manifest
from pipelines.inspection.line_counts import LineCounts, count_lines
from pipelines.inspection.summaries import short
from pipelines.report import corpus_plots as plots
from pipelines.report.corpus_section import CorpusContents
from pipelines.report.elements import ReportFigure, ReportTable, ReportTile

FILES_SHOWN: Final = 30


def dedup_contents(base: str, manifest: Manifest) -> CorpusContents:
    """Return the tiles, the figures and the tables of a result of `dedup`; its texts are anyone's and not shown."""
    counts, tagged = count_lines(base, manifest), manifest.config["duplicates"] == "tag"
    examples = [
        (row["reason"], row["doc_id"], row["survivor"], "" if row["score"] is None else f"{row['score']:.3f}")
        for row in counts.examples
    ]
    head = ("reason", "document", "survivor", "Jaccard")
    return CorpusContents(
        tiles=list(_tiles(manifest, counts, tagged=tagged)),
        figures=list(_figures(manifest, counts, tagged=tagged)),
        tables={
            "duplicates": _duplicates(counts),
            "clusters by size": _clusters(counts),
            "largest clusters": _largest(counts),
            "files": _files(counts, tagged=tagged),
            f"some of what {_done(tagged=tagged)}": ReportTable(head=head, rows=examples, text=True),
        },
        texts=(),
    )


def _done(*, tagged: bool) -> str:
    return "was tagged" if tagged else "was left out"


def _tiles(manifest: Manifest, counts: LineCounts, *, tagged: bool) -> Iterator[ReportTile]:
    books, found = manifest.books, sum(counts.totals().values())
    letters = sum(sum(own.values()) for own in counts.letters.values())
    documents = books.read - letters
    yield ReportTile(number=short(books.kept), label="documents kept", note=f"of {books.read:,} lines and rows")
    share = f"{found / documents:.1%} of the documents" if documents else ""
    yield ReportTile(number=short(found), label=f"duplicates{', tagged' if tagged else ''}", note=share)
    inside = int(counts.cluster_sizes.sum())
    yield ReportTile(number=short(len(counts.cluster_sizes)), label="clusters", note=f"of {inside:,} documents")
    yield ReportTile(number=short(letters), label="dead letters", note="kept in rejects/")
    yield ReportTile(number=decimal(manifest.summary["text_bytes"]), label="text read")


def _figures(manifest: Manifest, counts: LineCounts, *, tagged: bool) -> Iterator[ReportFigure]:
    threshold, done = manifest.config["threshold"], "tagged" if tagged else "left out"
    letters = sum(map(Counter, counts.letters.values()), Counter[str]())
    if by_kind := {name: own for name, own in (("duplicates", counts.totals()), ("dead letters", letters)) if own}:
        kept = f"{manifest.books.kept:,} of {manifest.books.read:,} are kept; the axis counts in powers of ten."
        yield ReportFigure(svg=plots.fates_figure(by_kind, f"lines and rows {done}, by reason"), caption=kept)
    yield ReportFigure(
        svg=plots.collision_figure(threshold), caption="Exact comparison decides; this says what is compared."
    )
    if len(counts.cluster_sizes):
        yield ReportFigure(
            svg=plots.duplicates_figure(counts.cluster_sizes), caption="Documents of another corpus are counted too."
        )
    if len(counts.scores):
        yield ReportFigure(svg=plots.scores_figure(counts.scores, threshold, f"near-duplicates {done}"))


def _duplicates(counts: LineCounts) -> ReportTable:
    rows = [(reason, f"{count:,}") for reason, count in counts.totals().items()]
    return ReportTable(head=("reason", "documents"), rows=rows)


def _clusters(counts: LineCounts) -> ReportTable:
    rows = [(name, *(f"{one:,}" for one in numbers)) for name, numbers in counts.size_classes().items()]
    return ReportTable(head=("documents in a cluster", "clusters", "documents"), rows=rows)


def _largest(counts: LineCounts) -> ReportTable:
    return ReportTable(
        head=("first document", "documents"), rows=[(name, f"{size:,}") for name, size in counts.largest]
    )


def _files(counts: LineCounts, *, tagged: bool) -> ReportTable:
    """Return the files, those that lost most first."""
    rows = counts.by_file(tagged=tagged)
    order = sorted(rows, key=lambda file: (rows[file].kept - rows[file].read, file))
    shown = [
        (file, *(f"{one:,}" for one in (rows[file].read, rows[file].kept, rows[file].duplicates, rows[file].letters)))
        for file in order[:FILES_SHOWN]
    ]
    if len(order) > len(shown):
        shown.append((f"… {len(order) - len(shown):,} more", "", "", "", ""))
    return ReportTable(head=("file", "read", "kept", "duplicates", "dead letters"), rows=shown)
