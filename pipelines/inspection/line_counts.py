"""Counts of a result of `dedup`, from its decisions and dead letters: by file and reason, clusters by size, scores."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from corpus.stage.manifest import Manifest
from corpus.storage import parquet

LARGEST_SHOWN: Final = 5
EXAMPLES_OF_A_REASON: Final = 3
SIZE_CLASSES: Final = (
    (2, "2"),
    (3, "3"),
    (4, "4–5"),
    (6, "6–10"),
    (11, "11–100"),
    (101, "101–1,000"),
    (1001, "> 1,000"),
)
_COLUMNS: Final = ("doc_id", "kept", "reason", "survivor", "score", "cluster", "cluster_size")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileBooks:
    """Lines or rows of one file: read = kept + letters, and duplicates too unless these are tagged."""

    read: int
    kept: int
    duplicates: int
    letters: int  # dead ones


@dataclass(frozen=True, kw_only=True, slots=True)
class LineCounts:
    """What became of all lines and rows; with `--duplicates tag` a document is kept and has a reason all the same."""

    kept: Mapping[str, int]  # by file
    reasons: Mapping[str, Mapping[str, int]]  # by file, then by reason of a decision
    letters: Mapping[str, Mapping[str, int]]  # by file, then by reason of a dead letter
    cluster_sizes: npt.NDArray[np.int64]  # [clusters of two or more], ascending, those of another corpus counted too
    largest: Sequence[tuple[str, int]]  # clusters, by their first document, with their sizes
    scores: npt.NDArray[np.float64]  # [near duplicates], exact Jaccard similarity with the matched document
    examples: Sequence[Mapping[str, Any]]  # some decisions of each reason

    def totals(self) -> dict[str, int]:
        """Return the decisions by reason, of all files, most frequent first."""
        total = sum(map(Counter, self.reasons.values()), Counter[str]())
        return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))

    def by_file(self, *, tagged: bool) -> dict[str, FileBooks]:
        """Return the books of each file; `tagged`: duplicates stay."""
        found = {}
        for file, kept in self.kept.items():
            gone, bad = (sum(by_file.get(file, {}).values()) for by_file in (self.reasons, self.letters))
            read = kept + bad + (0 if tagged else gone)
            found[file] = FileBooks(read=read, kept=kept, duplicates=gone, letters=bad)
        return found

    def size_classes(self) -> dict[str, tuple[int, int]]:
        """Return (clusters, documents) by the size of the cluster, of the classes that are met."""
        edges = [*(least for least, _ in SIZE_CLASSES), np.iinfo(np.int64).max]
        places = np.searchsorted(self.cluster_sizes, edges)
        sums = np.concatenate([[0], np.cumsum(self.cluster_sizes)])
        pairs = zip(SIZE_CLASSES, places, places[1:], strict=False)
        return {name: (int(b - a), int(sums[b] - sums[a])) for (_, name), a, b in pairs if b > a}


def count_lines(base: str, manifest: Manifest) -> LineCounts:
    """Count what `dedup` decided on each line or row below `base`."""
    kept, reasons, letters = dict[str, int](), dict[str, Counter[str]](), dict[str, Counter[str]]()
    scores, clusters, examples = [np.zeros(0)], [_sizes(_NOTHING)], dict[str, list[Mapping[str, Any]]]()
    for part in (part for part in manifest.parts if part.role == "decisions"):
        table = parquet.read_table(storage.join(base, part.path), columns=_COLUMNS)
        file = part.path.removeprefix("decisions/").removesuffix(".parquet")
        kept[file] = int(pc.sum(table.column("kept")).as_py() or 0)
        reasons[file] = counted(table.filter(pc.not_equal(table.column("reason"), "")).column("reason"))
        near = table.filter(pc.equal(table.column("reason"), "near_duplicate"))
        scores.append(near.column("score").drop_null().to_numpy())
        clusters.append(_sizes(table))
        for reason in reasons[file]:
            some = examples.setdefault(reason, [])
            own = table.filter(pc.equal(table.column("reason"), reason))
            some += own.slice(0, EXAMPLES_OF_A_REASON - len(some)).to_pylist()
    for path in manifest.paths(base, "rejects"):
        table = parquet.read_table(path, columns=["file", "reason"])
        for file in pc.unique(table.column("file")).to_pylist():
            own = table.filter(pc.equal(table.column("file"), file))
            letters.setdefault(file, Counter()).update(counted(own.column("reason")))
    found = _sizes(pa.concat_tables(clusters)).sort_by([("cluster_size", "descending"), ("cluster", "ascending")])
    first = found.slice(0, LARGEST_SHOWN)
    return LineCounts(
        kept=kept,
        reasons=reasons,
        letters=letters,
        cluster_sizes=np.sort(found.column("cluster_size").to_numpy().astype(np.int64)),
        largest=list(zip(*(first.column(name).to_pylist() for name in ("cluster", "cluster_size")), strict=True)),
        scores=np.concatenate(scores),
        examples=[row for reason in sorted(examples) for row in examples[reason]],
    )


_NOTHING: Final = pa.table({"cluster": pa.array([], pa.string()), "cluster_size": pa.array([], pa.int64())})


def counted(column: pa.Array | pa.ChunkedArray) -> Counter[str]:
    """Return how often each value of a column of words occurs."""
    return Counter({one["values"].as_py(): one["counts"].as_py() for one in pc.value_counts(column)})


def _sizes(table: pa.Table) -> pa.Table:
    """Return the clusters of two or more documents, each once, with their sizes."""
    named = table.filter(pc.greater(table.column("cluster_size"), 1)).select(["cluster", "cluster_size"])
    found = named.group_by("cluster").aggregate([("cluster_size", "max")])
    return pa.table([found.column(name) for name in ("cluster", "cluster_size_max")], schema=_NOTHING.schema)
