"""What `passages` takes, by the size of a corpus: `python -m tests.benchmarks.passages 25000 100000 [--corpus DIR]`.

Corpora of made-up abstracts (`tests.benchmarks.assemble`) in shards of 25,000, each as a command with start and all;
with `--corpus`, results of `extract` or of `assemble` as well. Every tenth abstract ends with one and the same
sentence. CPU seconds of the process tree, peak memory of the largest process.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from multiprocessing import Process
from pathlib import Path

import pyarrow as pa

from corpus.stage.manifest import Books, read_manifest
from corpus.stage.workspace import Receipt, plan_stage
from corpus.storage import parquet
from tests.benchmarks.assemble import PROGRAM, cpu_seconds, rehearsed

SHARD = 25_000  # documents
STOCK = "The authors declare that they have no competing interests."


def make(num_documents: int, folder: Path) -> None:
    """Write a corpus of so many documents, about."""
    texts = rehearsed(num_documents, "same").texts().to_pylist()
    workspace, _ = plan_stage(str(folder), stage="assemble", revision=1, config={"documents": num_documents}, inputs=[])
    parts = []
    for start in range(0, len(texts), SHARD):
        own = [f"{text} {STOCK}" if k % 10 == 0 else text for k, text in enumerate(texts[start : start + SHARD])]
        ids = [f"pmid:{start + k + 1}" for k in range(len(own))]
        name = f"train/part-{start:09d}.parquet"
        parquet.write_table(workspace.path(name), pa.table({"doc_id": ids, "text": own}))
        parts.append(workspace.measure(name, role="train", rows=len(own)))
    books = Books(read=len(texts), kept=len(texts))
    workspace.commit([Receipt(task="made", parts=tuple(parts), books=books)], summary={})


def measure(corpus: Path, output: Path) -> None:
    """Run the command on a corpus and print its line."""
    seconds = cpu_seconds([*PROGRAM, "passages", str(corpus), "--output", str(output)])
    summary = read_manifest(str(output), "passages").summary
    peak = json.loads((output / "run.json").read_text(encoding="utf-8"))["peak_memory_mb"]
    print(f"{summary['documents']:>11,}{summary['text_bytes'] / 1e6:>9,.0f}{summary['passages_read']:>13,}", end="")
    print(f"{summary['passages_found']:>10,}{seconds:>9.1f}{summary['text_bytes'] / 1e6 / seconds:>9.1f}{peak:>9}")


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="passages of many documents, by the size of a corpus")
    parser.add_argument("documents", type=int, nargs="*", help="sizes of made-up corpora")
    parser.add_argument("--corpus", action="append", default=[], help="also this result of extract or assemble")
    arguments = parser.parse_args(argv)
    print(f"{'documents':>11}{'MB':>9}{'passages':>13}{'frequent':>10}{'CPU s':>9}{'MB/CPU s':>9}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for number, size in enumerate(arguments.documents):
            place = Path(folder) / f"made-{number}"
            making = Process(target=make, args=(size, place))  # whose memory a command started here does not inherit
            making.start()
            making.join()
            measure(place, Path(folder) / f"out-{number}")
        for number, corpus in enumerate(arguments.corpus):
            measure(Path(corpus), Path(folder) / f"given-{number}")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
