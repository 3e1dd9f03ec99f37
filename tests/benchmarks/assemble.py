"""All of `assemble` beside text-dedup, on the same documents: `python -m tests.benchmarks.assemble --peer PYTHON`.

text-dedup 0.4.0 wants other versions of what this project uses, so it lives in an environment of its own (`python -m
venv peer && peer/bin/pip install text-dedup`), whose interpreter is `--peer`. Both run as commands with one worker, and
what counts is the CPU seconds of the command and its children. Documents are made up (`corpus.rehearsal`), as many as
wanted. text-dedup gets the texts as one Parquet file and the same permutations, shingles and threshold; it searches
and filters, and does not verify. Ours reads records, folds updates, renders, searches, verifies, resolves, and writes
decisions and hashed shards. The cost of starting is told apart by a run on next to no documents.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from corpus import parquet
from corpus.clean_text import clean_texts
from corpus.manifest import Books
from corpus.record_parts import RecordParts
from corpus.rehearsal.parts import RehearsedParts
from corpus.workspace import Receipt, plan_stage

FEW = 5000  # documents of the run that tells what starting costs
PEER = ("-m", "text_dedup.minhash", "--path", "parquet", "--split", "train", "--column", "text", "--num_proc", "1")
PEER_SETTINGS = ("--num_perm", "128", "--ngram", "5", "--threshold", "0.8", "--batch_size", "10000")


def write_records(parts: RecordParts, folder: Path) -> None:
    """Commit the parts as the result of `extract`."""
    workspace, _ = plan_stage(str(folder), stage="extract", config={"pile": False}, inputs=[])
    made, text_bytes = [], 0
    for number, name in enumerate(parts.names):
        rows = 0
        path = f"records/{name}.parquet"
        batches = parts.batches(number)
        first = next(batches)
        with parquet.open_writer(workspace.path(path), first.schema) as writer:
            for batch in (first, *batches):
                writer.write_batch(batch)
                rows += batch.num_rows
                text_bytes += clean_texts(batch, floats="captions").texts.nbytes
        made.append(workspace.measure(path, role="records", rows=rows))
    total = sum(part.rows for part in made)
    receipt = Receipt(task="extract", parts=tuple(made), books=Books(read=total, kept=total))
    workspace.commit([receipt], summary={"text_bytes": text_bytes})


def write_texts(parts: RehearsedParts, path: Path) -> int:
    """Write the texts of the citations that have an abstract; return how many."""
    texts = []
    for number, name in enumerate(parts.names):
        if int(name[-4:]) <= -(-parts.num_citations // 30_000):  # a file of the baseline: each citation once
            for batch in parts.batches(number):
                has_text = pa.compute.list_value_length(batch.column("abstracts"))
                texts.append(clean_texts(batch, floats="captions").texts.filter(pa.compute.greater(has_text, 0)))
    table = pa.table({"text": pa.chunked_array(texts)})
    pq.write_table(table, path)
    return table.num_rows


def cpu_seconds(command: list[str]) -> float:
    """Return the CPU seconds of a command and its children; what it says is shown when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} … failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(documents: int, peer: str | None, folder: Path) -> dict[str, float]:
    """Return the CPU seconds of each way on so many documents."""
    folder.mkdir()
    parts = RehearsedParts(seed=5, num_citations=documents, num_articles=0)
    write_records(parts, folder / "records")
    count = write_texts(parts, folder / "texts.parquet")
    print(f"{documents:,} citations, {parts.num_records:,} records, {count:,} texts")
    program = [sys.executable, "-c", "import sys; from pipelines.cli import main; sys.exit(main())"]
    ours = [*program, "assemble", "--records", str(folder / "records"), "--output", str(folder / "corpus")]
    seconds = {"ours": cpu_seconds(ours)}
    if peer:
        places = ("--data_files", str(folder / "texts.parquet"), "--output", str(folder / "peer"))
        cache = ("--cache_dir", str(folder / "cache"))
        seconds["text-dedup"] = cpu_seconds([peer, *PEER, *PEER_SETTINGS, *places, *cache])
    return seconds


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="assemble and text-dedup on the same documents, in CPU seconds")
    parser.add_argument("--documents", type=int, default=40_000)
    parser.add_argument("--peer", help="interpreter of an environment that holds text-dedup")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = measure(FEW, arguments.peer, Path(folder) / "few")
        whole = measure(arguments.documents, arguments.peer, Path(folder) / "many")
    print(f"{'CPU seconds':14}{'start':>10}{'whole':>10}{'µs a document':>16}")
    for name, seconds in whole.items():
        work = (seconds - start[name]) / (arguments.documents - FEW) * 1e6
        print(f"{name:14}{start[name]:10.1f}{seconds:10.1f}{work:16.1f}")
    if "text-dedup" in whole:
        work = (whole["text-dedup"] - start["text-dedup"]) / (whole["ours"] - start["ours"])
        print(f"ratio: {whole['text-dedup'] / whole['ours']:.1f} as commands, {work:.1f} without the start")


if __name__ == "__main__":
    main()
