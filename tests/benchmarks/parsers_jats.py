"""The JATS half of `tests.benchmarks.parsers`: real articles, read by ours, the floor and the peers in turn.

The floor is `lxml.etree.fromstring` of each article and nothing more. pubmed_parser does what its README shows
(`parse_pubmed_xml` and `parse_pubmed_paragraph`, from files, as it wants them); an article it fails on is counted as
read. pandoc runs as a process per article, as The Pile ran it, on a part of the articles. All get plain XML.
"""

import contextlib
import io
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import pubmed_parser  # type: ignore[import-untyped]
from lxml import etree

from corpus.ncbi.jats.reader import read_parts
from corpus.ncbi.jats.vocabulary import JATS
from corpus.ncbi.markup.document import scan
from corpus.ncbi.markup.parse import is_well_formed
from corpus.records import Record
from corpus.storage import parquet
from corpus.storage.schema import schema_of, to_table
from tests.benchmarks.peers_pandoc import find_pandoc
from tests.benchmarks.timing import children_timed, print_timings, timed
from tests.support.real_articles import articles, plain

FLOOR, PEER, PANDOC = "floor: a tree each", "pubmed_parser", "pandoc"
OURS, WRITTEN = "ours", "ours, Parquet written"
CHECK, SCAN = "  libxml2's check, unproven", "  of it, the scan"
ROW_GROUP = 250
PANDOC_ARTICLES = 60


def compare_jats(data: Path, *, rounds: int, num_articles: int) -> Iterator[str]:
    """Measure everything about JATS; prints the table and yields lines for below it."""
    sample = [(name, plain(raw)) for name, raw in islice(articles(data), num_articles)]
    raws = [raw for _, raw in sample]
    with tempfile.TemporaryDirectory() as folder:
        paths = _write(sample, Path(folder))
        read_parts(raws[0], file="PMC1.1.xml")  # compiles the scan, or loads it from the cache
        works: dict[str, Callable[[], int]] = {
            FLOOR: lambda: sum(etree.fromstring(raw) is not None for raw in raws),
            OURS: lambda: _read(sample),
            CHECK: lambda: sum(is_well_formed(raw) for raw in raws),
            SCAN: lambda: sum(scan(raw, JATS) is not None for raw in raws),
            WRITTEN: lambda: _read_to_parquet(sample, f"{folder}/records.parquet"),
        }
        timings = timed(works, rounds=rounds)
        timings |= timed({PEER: lambda: _read_with_peer(paths)}, rounds=1)
        if pandoc := find_pandoc():
            some = paths[:: max(1, len(paths) // PANDOC_ARTICLES)]
            timings[PANDOC] = children_timed(PANDOC, len(some), lambda: _read_with_pandoc(some, pandoc))
    print_timings(list(timings.values()), floor=timings[FLOOR], peer=timings[PEER])
    if PANDOC in timings:
        yield f"ours is {timings[OURS].rate / timings[PANDOC].rate:.0f} times pandoc ({timings[PANDOC].rate:.1f}/CPU s)"
    yield f"ours takes {timings[FLOOR].rate / timings[OURS].rate:.2f} times the floor's time"


def _write(sample: Sequence[tuple[str, bytes]], folder: Path) -> list[Path]:
    paths = []
    for name, raw in sample:
        path = folder / name
        path.write_bytes(raw)
        paths.append(path)
    return paths


def _read(sample: Sequence[tuple[str, bytes]]) -> int:
    return sum(isinstance(read_parts(raw, file=name)[0], Record) for name, raw in sample)


def _read_to_parquet(sample: Sequence[tuple[str, bytes]], output: str) -> int:
    records = (part for name, raw in sample for part in read_parts(raw, file=name) if isinstance(part, Record))
    with parquet.open_writer(output, schema_of(Record)) as writer:
        while rows := list(islice(records, ROW_GROUP)):
            writer.write_table(to_table(rows, Record), row_group_size=len(rows))
    return len(sample)


def _read_with_peer(paths: Sequence[Path]) -> int:
    for path in paths:
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            pubmed_parser.parse_pubmed_xml(str(path))
            pubmed_parser.parse_pubmed_paragraph(str(path))
    return len(paths)


def _read_with_pandoc(paths: Sequence[Path], pandoc: str) -> None:
    for path in paths:
        command = [pandoc, "-f", "jats", "-t", "markdown", "--wrap=none", str(path), "-o", "/dev/null"]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL, timeout=120)
