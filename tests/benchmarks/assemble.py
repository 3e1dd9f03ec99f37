"""All of `assemble` beside text-dedup, on the same documents: `python -m tests.benchmarks.assemble --peer PYTHON`.

text-dedup 0.4.0 wants other versions of what this project uses, so it lives in an environment of its own (`python -m
venv peer && peer/bin/pip install text-dedup`), whose interpreter is `--peer`. Both run as commands with one worker, and
what counts is the CPU seconds of the command and its children. Documents are made up (`corpus.synthetic.rehearsal`),
as many as wanted. text-dedup gets the texts as one Parquet file and the same permutations, shingles and threshold; it
searches and filters, and does not verify. It runs twice: with the hash its users get (SHA-1, 64 bits) and, but for
`--hashes 1`, with its fastest (xxh3, 32 bits); its bands are its own choice, 9, which is less work than our 18. Ours
reads records, folds updates, renders, searches, verifies, resolves, and writes decisions and hashed shards. The cost
of starting is told apart by a run on next to no documents.

`same`: every citation has an abstract and none is revised, so both tools get just the same texts. `full`: articles of
31 kB, the same for both too. `mix`: 28 % of the citations have no abstract and 10 % come again in update files, which
is work for ours alone.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.stage.manifest import Books
from corpus.stage.workspace import Receipt, plan_stage
from corpus.storage import parquet
from corpus.synthetic.rehearsal.parts import RehearsedParts
from corpus.synthetic.rehearsal.statistics import CITATIONS_PER_PART, WITH_ABSTRACT
from corpus.text.render_batch import render_batch

GROUP_ROWS = 5000  # as `extract` writes citations
FEW = 5000  # documents of the run that tells what starting costs; of articles a tenth
KINDS = ("same", "full", "mix")
PEER = ("-m", "text_dedup.minhash", "--path", "parquet", "--split", "train", "--column", "text", "--num_proc", "1")
PEER_SETTINGS = ("--num_perm", "128", "--ngram", "5", "--threshold", "0.8", "--batch_size", "10000")
PEERS = {"text-dedup": (), "text-dedup, xxh3": ("--hash_func", "xxh3", "--hash_bits", "32")}
PROGRAM = (sys.executable, "-m", "pipelines.cli.process")


@dataclass(frozen=True, kw_only=True)
class Documents:
    """Made-up records of one kind of `KINDS`, and the texts in them."""

    parts: RehearsedParts
    kind: str

    def batches(self) -> Iterator[tuple[str, Iterator[pa.RecordBatch]]]:
        """Yield (stem, batches) of each part of records."""
        for number in range(len(self.parts.names)) if self.kind == "mix" else self._same():
            yield self.parts.names[number], self._batches(number, whole=self.kind == "mix")

    def texts(self) -> pa.ChunkedArray:
        """Return the texts of the articles, or of the citations that have an abstract, each once."""
        chunks = [
            render_batch(batch, floats="captions").texts
            for number in self._same()
            for batch in self._batches(number, whole=False)
        ]
        return pa.chunked_array(chunks)

    def _batches(self, number: int, *, whole: bool) -> Iterator[pa.RecordBatch]:
        for batch in self.parts.batches(number):
            yield batch if whole or self.kind == "full" else with_abstract(batch)

    def _same(self) -> Sequence[int]:
        """Return the numbers of the parts whose texts both tools get: of articles, or those before the updates."""
        if self.kind == "full":
            return [number for number, name in enumerate(self.parts.names) if name.startswith("articles")]
        return range(-(-self.parts.num_citations // CITATIONS_PER_PART))


def rehearsed(num_texts: int, kind: str) -> Documents:
    """Return documents of a kind with about so many texts."""
    num_citations = num_texts if kind == "full" else round(num_texts / WITH_ABSTRACT)
    num_articles = num_texts if kind == "full" else 0
    return Documents(parts=RehearsedParts(seed=5, num_citations=num_citations, num_articles=num_articles), kind=kind)


def with_abstract(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the records that have an abstract."""
    return batch.filter(pc.greater(pc.list_value_length(batch.column("abstracts")), 0))


def write_records(documents: Documents, folder: Path) -> None:
    """Commit the records as the result of `extract`."""
    workspace, _ = plan_stage(str(folder), stage="extract", revision=1, config={"pile": False}, inputs=[])
    made, text_bytes = [], 0
    for name, batches in documents.batches():
        path = f"records/{name}.parquet"
        table = pa.Table.from_batches(batches)
        with parquet.open_writer(workspace.path(path), table.schema) as writer:
            writer.write_table(table, row_group_size=GROUP_ROWS)
        text_bytes += sum(render_batch(batch, floats="captions").texts.nbytes for batch in table.to_batches())
        made.append(workspace.measure(path, role="records", rows=table.num_rows))
    total = sum(part.rows for part in made)
    receipt = Receipt(task="extract", parts=tuple(made), books=Books(read=total, kept=total))
    workspace.commit([receipt], summary={"text_bytes": text_bytes})


def cpu_seconds(command: list[str]) -> float:
    """Return the CPU seconds of a command and its children; what it says is shown when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} … failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(documents: Documents, peers: dict[str, list[str]], folder: Path) -> tuple[int, dict[str, float]]:
    """Return the number of texts, and the CPU seconds of each way; peers: the command of each."""
    folder.mkdir()
    write_records(documents, folder / "records")
    texts = documents.texts()
    pq.write_table(pa.table({"text": texts}), folder / "texts.parquet")
    ours = [*PROGRAM, "assemble", "--records", str(folder / "records"), "--output", str(folder / "corpus")]
    seconds = {"ours": cpu_seconds(ours)}
    for number, (name, command) in enumerate(peers.items()):
        places = ("--data_files", str(folder / "texts.parquet"), "--output", str(folder / f"peer{number}"))
        cache = ("--cache_dir", str(folder / f"cache{number}"))
        seconds[name] = cpu_seconds([*command, *places, *cache])
    return len(texts), seconds


def compare(num_texts: int, *, kind: str, peers: dict[str, list[str]], folder: Path) -> None:
    """Measure one kind of documents and print its table."""
    few_texts = FEW // 10 if kind == "full" else FEW
    kinds = {size: rehearsed(size, kind) for size in (few_texts, num_texts)}
    few, start = measure(kinds[few_texts], peers, folder / "few")
    many, whole = measure(kinds[num_texts], peers, folder / "many")
    records = kinds[num_texts].parts.num_records if kind == "mix" else many
    print(f"\n{kind}: {many:,} texts of {records:,} records")
    print(f"{'CPU seconds':18}{'start':>8}{'whole':>9}{'µs a text':>11}{'ratio':>8}{'without the start':>19}")
    work = {name: (whole[name] - start[name]) / (many - few) * 1e6 for name in whole}
    for name, seconds in whole.items():
        ratios = f"{seconds / whole['ours']:8.1f}{work[name] / work['ours']:19.1f}"
        print(f"{name:18}{start[name]:8.1f}{seconds:9.1f}{work[name]:11.1f}{ratios}")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="assemble and text-dedup on the same documents, in CPU seconds")
    parser.add_argument("--documents", type=int, default=40_000, help="texts, about (default: %(default)s)")
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all", help="see above (default: all)")
    parser.add_argument("--peer", help="interpreter of an environment that holds text-dedup")
    parser.add_argument("--hashes", type=int, choices=(1, 2), default=2, help="1: with text-dedup's own hash only")
    arguments = parser.parse_args()
    chosen = list(PEERS.items())[: arguments.hashes] if arguments.peer else []
    peers = {name: [arguments.peer, *PEER, *PEER_SETTINGS, *settings] for name, settings in chosen}
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS if arguments.kind == "all" else (arguments.kind,):
            place = Path(folder) / kind
            place.mkdir()
            # An article is as long as 24 abstracts.
            num_texts = arguments.documents // 24 if kind == "full" else arguments.documents
            compare(num_texts, kind=kind, peers=peers, folder=place)


if __name__ == "__main__":
    main()
