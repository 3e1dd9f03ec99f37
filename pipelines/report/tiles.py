"""Tiles of a report: the few numbers of a stage that are seen first."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from rich.filesize import decimal

from corpus.stage.manifest import SPLITS, Manifest
from pipelines.inspection.summaries import number, short
from pipelines.report.elements import ReportTile

Timings = Sequence[dict[str, Any]]


def stage_tiles(manifest: Manifest, timings: Timings = ()) -> list[ReportTile]:
    """Return the tiles of a stage, none of one that has no number to be seen first; timings: of a training run."""
    if manifest.stage == "train":
        return list(_train(manifest, timings))
    return list(_TILES[manifest.stage](manifest)) if manifest.stage in _TILES else []


def _extract(manifest: Manifest) -> Iterator[ReportTile]:
    numbers, books = manifest.summary, manifest.books
    yield ReportTile(number=short(books.kept), label="records", note=f"of {books.read:,} read")
    for name in ("citations", "articles"):
        if name in numbers:
            yield ReportTile(number=short(numbers[name]), label=name)
    if "text_bytes" in numbers:
        yield ReportTile(number=decimal(numbers["text_bytes"]), label="text")
    yield ReportTile(number=short(books.read - books.kept), label="rejected", note="kept as dead letters")


def _tokenizer(manifest: Manifest) -> Iterator[ReportTile]:
    yield ReportTile(number=short(manifest.summary["vocab_size"]), label="entries")
    for source, rate in sorted(manifest.summary["bytes_per_token"].items()):
        yield ReportTile(number=number(rate), label="bytes a token", note=f"of {source}")


def _pack(manifest: Manifest) -> Iterator[ReportTile]:
    for split, numbers in sorted(manifest.summary["splits"].items(), key=lambda item: SPLITS.index(item[0])):
        note = f"{numbers['rows']:,} rows of {manifest.summary['seq_length']:,}"
        yield ReportTile(number=short(numbers["tokens"]), label=f"{split} tokens", note=note)


def _train(manifest: Manifest, timings: Timings) -> Iterator[ReportTile]:
    numbers = manifest.summary
    yield ReportTile(number=short(numbers["parameters"]), label="parameters")
    yield ReportTile(number=short(numbers["tokens"]), label="tokens seen", note=f"in {numbers['steps']:,} steps")
    first, last = numbers["first_loss"], numbers["last_loss"]
    yield ReportTile(number=f"{last:.3f}", label="training loss", note=f"from {first:.3f}")
    if numbers.get("validation_loss") is not None:
        yield ReportTile(number=f"{numbers['validation_loss']:.3f}", label="validation loss", note="nats a token")
    if speeds := [line["tokens_per_second"] for line in timings if "tokens_per_second" in line]:
        yield ReportTile(number=short(round(float(np.median(speeds)))), label="tokens a second", note="median")


_TILES: Final[dict[str, Callable[[Manifest], Iterator[ReportTile]]]] = {
    "extract": _extract,
    "tokenizer": _tokenizer,
    "pack": _pack,
}
