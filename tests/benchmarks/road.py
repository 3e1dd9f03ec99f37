"""Every stage on real files, and the parsers and signatures beside their peers: `python -m tests.benchmarks.road`.

Raw PubMed and PMC files below one folder go in. Out come two tables: what each stage of `corpuscle` costs with one
worker, as a command of its own (CPU seconds of all its processes, peak memory of the largest), and what one thread
costs for the work that pubmed_parser and datasketch do as well. Sizes are uncompressed: XML for `extract`,
Parquet columns for the stages behind it. Peers run in the same process on the same bytes, ours first.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pubmed_parser  # type: ignore[import-untyped]
import pyarrow.parquet as pq

from corpus.ncbi.archives.gzip_stream import chunks
from corpus.ncbi.jats.reader import read_article
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Record
from corpus.stage.manifest import SPLITS, read_manifest
from tests.benchmarks import dedup

MB = 1e6
NUM_ARTICLES = 300  # articles that both JATS parsers read, spread evenly over all
_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one command cost: CPU seconds of all its processes, peak memory of its largest, seconds on the clock."""

    cpu: float
    clock: float
    peak_mb: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table of stages."""

    stage: str
    input_mb: float
    num_records: int
    cost: Cost


def run_stage(*arguments: str) -> Cost:
    """Run one verb of `corpuscle` and return what it cost; raises SystemExit when it fails."""
    command = [str(Path(sys.executable).with_name("corpuscle")), *arguments]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # wait4 gives the usage of the command and of all children that it waited for.
    _, status, usage = os.wait4(process.pid, 0)
    clock = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"`corpuscle {' '.join(arguments[:1])}` ended with {process.returncode}; its error is above")
    return Cost(cpu=usage.ru_utime + usage.ru_stime, clock=clock, peak_mb=usage.ru_maxrss * 1024 / MB)


def measure_stages(data: Path, output: Path) -> list[Row]:
    """Run the road from raw files to tokens with one worker, one command a stage."""
    places = {name: str(output / name) for name in ("records", "corpus", "tokenizer", "tokens")}
    raw = ("--pubmed", str(data / "pubmed"), "--pmc", str(data / "pmc"))
    commands = {
        "extract": (*raw, "--output", places["records"]),
        "assemble": ("--records", places["records"], "--output", places["corpus"]),
        "tokenizer": ("--corpus", places["corpus"], "--output", places["tokenizer"]),
        "pack": ("--corpus", places["corpus"], "--tokenizer", places["tokenizer"], "--output", places["tokens"]),
    }
    costs = {name: run_stage(name, *arguments) for name, arguments in commands.items()}
    records, corpus = (read_manifest(places[name]) for name in ("records", "corpus"))
    splits = {role: corpus.paths(places["corpus"], role) for role in SPLITS}
    sizes = {
        "extract": sum(xml_size(path) for path in raw_files(data)),
        "assemble": parquet_size(records.paths(places["records"], "records")),
        "tokenizer": parquet_size(splits["train"], source="pubmed"),
        "pack": parquet_size([path for paths in splits.values() for path in paths]),
    }
    counts = {"extract": records.books.read, "assemble": corpus.books.read, "pack": corpus.books.kept}
    counts["tokenizer"] = num_rows(splits["train"], "pubmed")
    return [
        Row(stage=name, input_mb=sizes[name] / MB, num_records=counts[name], cost=cost) for name, cost in costs.items()
    ]


def raw_files(data: Path) -> list[Path]:
    """Return the input files below a folder: PubMed files, tars and loose articles."""
    pubmed = sorted((data / "pubmed").rglob("*.xml.gz"))
    return pubmed + tars(data) + sorted((data / "pmc").rglob("*.xml"))


def tars(data: Path) -> list[Path]:
    """Return the tars of articles below a folder."""
    return sorted(path for path in (data / "pmc").rglob("*") if path.name.endswith(_TAR_ENDINGS))


def xml_size(path: Path) -> int:
    """Return the bytes of XML in a file: of the members of a tar, of a gzip file's content, or its own."""
    if path.name.endswith(_TAR_ENDINGS):
        with tarfile.open(path) as tar:
            return sum(member.size for member in tar if member.name.endswith(("xml", ".xml.gz")))
    if path.suffix == ".gz":
        with path.open("rb") as source:
            return sum(map(len, chunks(source)))
    return path.stat().st_size


def parquet_size(paths: Sequence[str], source: str | None = None) -> int:
    """Return the uncompressed bytes of Parquet files, or of the text of one source's rows."""
    if source is None:
        return sum(
            pq.ParquetFile(path).metadata.row_group(group).total_byte_size
            for path in paths
            for group in range(pq.ParquetFile(path).num_row_groups)
        )
    tables = (pq.read_table(path, columns=["text"], filters=[("source", "=", source)]) for path in paths)
    return sum(table.nbytes for table in tables)


def num_rows(paths: Sequence[str], source: str) -> int:
    """Return the number of rows of one source."""
    return sum(pq.read_table(path, columns=["source"], filters=[("source", "=", source)]).num_rows for path in paths)


def print_stages(rows: Sequence[Row]) -> None:
    """Print the table of stages."""
    heads = ("input MB", "records", "CPU s", "clock s", "MB/CPU s", "rec/CPU s", "peak MB")
    print(f"{'stage':10}" + "".join(f"{head:>11}" for head in heads))
    for row in rows:
        cpu = row.cost.cpu
        print(
            f"{row.stage:10}{row.input_mb:11.1f}{row.num_records:11,}{cpu:11.1f}{row.cost.clock:11.1f}"
            f"{row.input_mb / cpu:11.2f}{row.num_records / cpu:11,.0f}{row.cost.peak_mb:11.0f}"
        )


def cpu_seconds(work: Callable[[], int]) -> tuple[float, int]:
    """Return the CPU seconds of one call in this process, and the number of records that it returns."""
    start = time.process_time()
    count = work()
    return time.process_time() - start, count


def compare_pubmed(data: Path) -> None:
    """Print records per CPU second of ours and of pubmed_parser on all PubMed files."""
    paths = [str(path) for path in sorted((data / "pubmed").rglob("*.xml.gz"))]

    def ours() -> int:
        return sum(isinstance(item, Record) for path in paths for item in read_pubmed(path))

    def peer() -> int:
        return sum(1 for path in paths for _ in pubmed_parser.parse_medline_xml(path))

    print_ratio("PubMed", ours, peer, sum(xml_size(Path(path)) for path in paths))


def compare_jats(data: Path) -> None:
    """Print articles per CPU second of ours and of pubmed_parser on the same articles, as files on disk."""
    articles = list(spread(some_articles(data), NUM_ARTICLES))
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, raw in articles:
            path = Path(folder, name)
            path.write_bytes(raw)
            try:
                parse_with_peer(str(path))
            except (AttributeError, KeyError, IndexError, TypeError, ValueError, SyntaxError):
                continue  # neither side is timed on what the peer cannot read
            paths.append(path)
        print(f"JATS: pubmed_parser fails on {len(articles) - len(paths)} of {len(articles)} articles, left out below")

        def ours() -> int:
            return sum(isinstance(read_article(path.read_bytes(), file=path.name), Record) for path in paths)

        def peer() -> int:
            for path in paths:
                parse_with_peer(str(path))
            return len(paths)

        print_ratio("JATS", ours, peer, sum(path.stat().st_size for path in paths))


def parse_with_peer(path: str) -> None:
    """Read an article's front matter and paragraphs as pubmed_parser's README does."""
    pubmed_parser.parse_pubmed_xml(path)
    pubmed_parser.parse_pubmed_paragraph(path, all_paragraph=True)


def some_articles(data: Path) -> Iterator[tuple[str, bytes]]:
    """Yield file name and bytes of every article below a folder."""
    for path in tars(data):
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.name.endswith((".xml", ".nxml")) else None
                if content is not None:
                    yield Path(member.name).name, content.read()
    for path in sorted((data / "pmc").rglob("*.xml")):
        yield path.name, path.read_bytes()


def spread(items: Iterator[tuple[str, bytes]], count: int) -> Iterator[tuple[str, bytes]]:
    """Yield about `count` items, evenly over all."""
    everything = list(items)
    return iter(everything[:: max(1, len(everything) // count)])


def print_ratio(name: str, ours: Callable[[], int], peer: Callable[[], int], size: int) -> None:
    """Print both rates and how many times less CPU ours takes for a record."""
    seconds, count = cpu_seconds(ours)
    peer_seconds, peer_count = cpu_seconds(peer)
    for label, spent, records in (("ours", seconds, count), ("pubmed_parser", peer_seconds, peer_count)):
        print(
            f"  {name}, {label:16}{records:8,} records{records / spent:12,.0f}/CPU s{size / spent / MB:8.1f} MB/CPU s"
        )
    print(f"{name}: {peer_seconds / peer_count / (seconds / count):.1f} times the speed of pubmed_parser")


def measure(data: Path, output: Path) -> None:
    """Print both tables."""
    print("The road, one worker, each stage a command of its own:")
    print_stages(measure_stages(data, output))
    print("\nBeside pubmed_parser, one thread, same files:")
    compare_pubmed(data)
    compare_jats(data)
    print("\nBeside datasketch, one thread, same abstracts:")
    dedup.measure(list(dedup.abstracts(data)))


def main() -> None:
    """Read the command line and measure."""
    default = os.environ.get("CORPUSCLE_DATA") or Path(__file__).parents[3] / "shared" / "data"
    parser = argparse.ArgumentParser(description="What every stage costs on real files, and the ratio to its peers")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder with pubmed/ and pmc/")
    parser.add_argument("--output", type=Path, help="where the stages write; default: a folder that is removed")
    arguments = parser.parse_args()
    if not raw_files(arguments.data):
        parser.error(f"{arguments.data} has no files in pubmed/ and pmc/; give the folder that has with --data")
    if arguments.output:
        measure(arguments.data, arguments.output)
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(arguments.data, Path(folder))


if __name__ == "__main__":
    main()
