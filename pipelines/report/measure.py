"""Measurement of an assembled corpus for a report: counts of its decisions, and texts of a sample of its shards.

Decisions are read whole, but for the few columns that count. Texts are measured on some shards only: a shard is a
range of a hash of the ids, so a few of them are a random sample of the corpus, and a corpus of 120 GB has a report in a
minute.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.stage.manifest import Manifest
from corpus.stage.progress import progress
from corpus.storage import parquet

SHARDS_SAMPLED: Final = 4
EXAMPLES_OF_A_SOURCE: Final = 4
EXAMPLES_OF_A_REASON: Final = 3
EXAMPLE_CHARACTERS: Final = 1200
LICENSES_SHOWN: Final = 8
JOURNALS_SHOWN: Final = 15
_WORD: Final = r"\S+"
_SCORED: Final = ("near_duplicate", "exact_duplicate")

Figures = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class SampledShards:
    """Texts of some shards of a corpus, measured; mappings are by source."""

    num_shards: int  # read
    num_documents: int
    years: Mapping[str, Figures]  # [documents with a year]
    lengths: Mapping[str, Figures]  # [documents], words of the text, runs without white space
    text_bytes: int  # UTF-8 bytes of all texts measured
    journals: Sequence[tuple[str, Mapping[str, int]]]  # most documents first, with those of each source
    licenses: Mapping[str, Mapping[str, int]]  # most frequent first; the rest under "others"
    examples: Sequence[Mapping[str, Any]]  # rows of shards, the text cut


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionCounts:
    """Decisions on all records, counted."""

    by_source: Mapping[str, Mapping[str, int]]  # records by source, then by reason; kept ones under "kept"
    scores: Scores  # [near duplicates], exact Jaccard similarity with the matched document
    cluster_sizes: Figures  # [clusters with a duplicate that was dropped], the kept one included
    examples: Sequence[Mapping[str, Any]]  # some decisions of each reason


def sample_shards(base: str, manifest: Manifest) -> SampledShards:
    """Measure the texts of `SHARDS_SAMPLED` training shards (all, if there are fewer), evenly chosen."""
    paths = manifest.paths(base, "train")
    chosen = [paths[int(k)] for k in np.linspace(0, len(paths) - 1, min(SHARDS_SAMPLED, len(paths)))]
    years: dict[str, list[Figures]] = {}
    lengths: dict[str, list[Figures]] = {}
    licenses: dict[str, Counter[str]] = {}
    journals: dict[str, Counter[str]] = {}
    text_bytes = 0
    examples: list[Mapping[str, Any]] = []
    columns = ("doc_id", "source", "text", "license", "year", "journal")
    with progress("report: texts", len(chosen), "shards") as shown:
        for path in chosen:
            for batch in parquet.iter_batches(path, columns=columns):
                for source in pc.unique(batch.column("source")).to_pylist():
                    rows = batch.filter(pc.equal(batch.column("source"), source))
                    years.setdefault(source, []).append(rows.column("year").drop_null().to_numpy())
                    words = pc.count_substring_regex(rows.column("text"), _WORD).to_numpy()
                    lengths.setdefault(source, []).append(words.astype(np.int64))
                    text_bytes += int(pc.sum(pc.binary_length(rows.column("text"))).as_py() or 0)
                    journals.setdefault(source, Counter()).update(_counts(rows.column("journal")))
                    licenses.setdefault(source, Counter()).update(_counts(rows.column("license")))
                    missing = EXAMPLES_OF_A_SOURCE - sum(row["source"] == source for row in examples)
                    examples += [_cut(row) for row in rows.slice(0, missing).to_pylist()]
            shown.advance()
    return SampledShards(
        num_shards=len(chosen),
        num_documents=sum(map(len, (piece for pieces in lengths.values() for piece in pieces))),
        years={source: np.concatenate(pieces) for source, pieces in sorted(years.items())},
        lengths={source: np.concatenate(pieces) for source, pieces in sorted(lengths.items())},
        text_bytes=text_bytes,
        journals=largest_journals(journals),
        licenses={source: _most_frequent(counts) for source, counts in sorted(licenses.items())},
        examples=sorted(examples, key=lambda row: str(row["source"])),
    )


def read_decisions(base: str, manifest: Manifest) -> DecisionCounts:
    """Count the decisions of a corpus by source and reason, and collect what is known of duplicates."""
    by_source: dict[str, Counter[str]] = {}
    scores, clusters = [np.zeros(0)], [pa.array([], pa.string())]
    examples: dict[str, list[Mapping[str, Any]]] = {}
    paths = manifest.paths(base, "decisions")
    columns = ("doc_id", "source", "reason", "survivor", "score", "cluster")
    with progress("report: decisions", len(paths), "parts") as shown:
        for path in paths:
            table = parquet.read_table(path, columns=columns)
            for source in pc.unique(table.column("source")).to_pylist():
                reasons = table.column("reason").filter(pc.equal(table.column("source"), source))
                by_source.setdefault(source, Counter()).update(_counts(reasons))
            for row in _first_of_each_reason(table, examples):
                examples.setdefault(row["reason"], []).append(row)
            duplicates = table.filter(pc.is_in(table.column("reason"), pa.array(_SCORED)))
            near = pc.equal(duplicates.column("reason"), "near_duplicate")
            scores.append(duplicates.column("score").filter(near).drop_null().to_numpy())
            clusters.extend(duplicates.column("cluster").chunks)
            shown.advance()
    sizes = pc.value_counts(pa.concat_arrays(clusters)).field("counts").to_numpy() + 1
    return DecisionCounts(
        by_source={source: {name or "kept": counts[name] for name in counts} for source, counts in by_source.items()},
        scores=np.concatenate(scores),
        cluster_sizes=np.sort(sizes),
        examples=[row for reason in sorted(examples) for row in examples[reason]],
    )


def largest_journals(journals: Mapping[str, Counter[str]]) -> list[tuple[str, Mapping[str, int]]]:
    """Return the journals with most documents of all sources together; those without a name are none."""
    total = sum(journals.values(), Counter[str]())
    named = sorted(((name, count) for name, count in total.items() if name), key=lambda item: (-item[1], item[0]))
    return [
        (name, {source: counts[name] for source, counts in sorted(journals.items())})
        for name, _ in named[:JOURNALS_SHOWN]
    ]


def _first_of_each_reason(table: pa.Table, known: Mapping[str, Sequence[Any]]) -> Iterator[Mapping[str, Any]]:
    for reason in pc.unique(table.column("reason")).to_pylist():
        missing = EXAMPLES_OF_A_REASON - len(known.get(reason, ()))
        if reason and missing:
            yield from table.filter(pc.equal(table.column("reason"), reason)).slice(0, missing).to_pylist()


def _counts(column: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    return {count["values"].as_py(): count["counts"].as_py() for count in pc.value_counts(column)}


def _most_frequent(counts: Counter[str]) -> dict[str, int]:
    shown = dict(counts.most_common(LICENSES_SHOWN))
    rest = sum(counts.values()) - sum(shown.values())
    named = {name or "none stated": count for name, count in shown.items()}
    return named | ({"others": rest} if rest else {})


def _cut(row: Mapping[str, Any]) -> Mapping[str, Any]:
    text = row["text"]
    return {**row, "text": text[:EXAMPLE_CHARACTERS], "characters": len(text)}
