"""`dedup` of JSON lines, and text-dedup on the same texts: `python -m tests.benchmarks.dedup_files --documents 100000`.

Made-up abstracts (`tests.benchmarks.assemble`) go into some `.jsonl.zst` files with an id, a year and some more
fields; `corpuscle dedup` runs on them as a command, with start and all. What counts is the CPU seconds of its process
tree; peak memory is that of the largest process, and what is written is what lies there at the end. With `--peer
PYTHON`, an environment of its own with text-dedup 0.4, that tool gets the texts as one Parquet file, as in the other
benchmark; it searches and filters, does not verify, and writes Arrow. The work of each document is told apart from the
start by a run on next to no documents.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import Process
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.stage.manifest import read_manifest
from tests.benchmarks.assemble import FEW, PEER, PEER_SETTINGS, PROGRAM, cpu_seconds, rehearsed

FILES = 4
SETTINGS: dict[str, tuple[str, ...]] = {
    "dedup, drop": (),
    "dedup, tag": ("--duplicates", "tag"),
    "dedup, 2 workers": ("--workers", "2"),
}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a way took for all of the texts."""

    seconds: float
    written: int  # bytes that lie there at the end
    left: int | None  # documents kept
    peak: int | None  # memory of the largest process [10^6 bytes]


def write_lines(texts: pa.ChunkedArray, folder: Path) -> int:
    """Write texts as JSON lines over some files; return the bytes before they are packed."""
    folder.mkdir(parents=True)
    size, whole = -(-len(texts) // FILES), 0
    for number in range(FILES):
        lines = bytearray()
        for place, text in enumerate(texts.slice(number * size, size).to_pylist(), number * size):
            row = {
                "id": f"doc-{place}",
                "text": text,
                "year": 1980 + place % 45,
                "source": "made",
                "meta": {"n": place},
            }
            lines += json.dumps(row, ensure_ascii=False).encode() + b"\n"
        whole += len(lines)
        with pa.CompressedOutputStream(pa.OSFile(str(folder / f"part-{number}.jsonl.zst"), "wb"), "zstd") as sink:
            sink.write(lines)
    return whole


def make(num_texts: int, folder: Path) -> None:
    """Write the input of all ways."""
    texts = rehearsed(num_texts, "same").texts()
    size = write_lines(texts, folder / "in")
    pq.write_table(pa.table({"text": texts}), folder / "texts.parquet")
    print(f"{len(texts):,} texts, {size / 1e6:,.0f} MB of JSON lines in {FILES} files", flush=True)


def measure(num_texts: int, folder: Path, settings: dict[str, tuple[str, ...]], peer: str | None) -> dict[str, Cost]:
    """Return what each way takes on so many texts."""
    making = Process(target=make, args=(num_texts, folder))  # whose memory a command started here does not inherit
    making.start()
    making.join()
    costs: dict[str, Cost] = {}
    for number, (name, options) in enumerate(settings.items()):
        output = folder / f"out-{number}"
        command = [*PROGRAM, "dedup", str(folder / "in"), "--output", str(output), *options]
        seconds = cpu_seconds(command)
        written = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
        peak = json.loads((output / "run.json").read_text())["peak_memory_mb"]
        left = read_manifest(str(output), "dedup").books.kept
        costs[name] = Cost(seconds=seconds, written=written, left=left, peak=peak)
    if peer:
        places = ["--data_files", str(folder / "texts.parquet"), "--output", str(folder / "peer")]
        seconds = cpu_seconds([peer, *PEER, *PEER_SETTINGS, *places, "--cache_dir", str(folder / "cache")])
        written = sum(path.stat().st_size for path in (folder / "peer").rglob("*") if path.is_file())
        costs["text-dedup"] = Cost(seconds=seconds, written=written, left=None, peak=None)
    return costs


def report(num_texts: int, few: dict[str, Cost], many: dict[str, Cost]) -> None:
    """Print a line for each way."""
    print(f"{'CPU seconds':20}{'start':>8}{'whole':>9}{'µs a text':>11}{'ratio':>8}", end="")
    print(f"{'written MB':>12}{'kept':>11}{'peak MB':>9}")
    first = next(iter(many.values()))
    for name, cost in many.items():
        work = (cost.seconds - few[name].seconds) / max(1, num_texts - FEW) * 1e6
        kept = "-" if cost.left is None else f"{cost.left:,}"
        ratio = cost.seconds / first.seconds
        print(f"{name:20}{few[name].seconds:8.1f}{cost.seconds:9.1f}{work:11.1f}{ratio:8.1f}", end="")
        print(f"{cost.written / 1e6:12,.0f}{kept:>11}{cost.peak or '-':>9}")
    print(f"load {os.getloadavg()[0]:.1f}")


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="dedup of JSON lines, in CPU seconds")
    parser.add_argument("--documents", type=int, default=100_000, help="texts, about (default: %(default)s)")
    parser.add_argument("--ways", type=int, default=len(SETTINGS), help="so many of ours: drop, tag, 2 workers")
    parser.add_argument("--peer", help="interpreter of an environment that holds text-dedup")
    arguments = parser.parse_args(argv)
    chosen = dict(list(SETTINGS.items())[: arguments.ways])
    with tempfile.TemporaryDirectory() as folder:
        few = measure(FEW, Path(folder) / "few", chosen, arguments.peer)
        many = measure(arguments.documents, Path(folder) / "many", chosen, arguments.peer)
    report(arguments.documents, few, many)


if __name__ == "__main__":
    main()
