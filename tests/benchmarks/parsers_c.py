"""The reader of PubMed beside pubmedparser2, which is written in C: `python -m tests.benchmarks.parsers_c`.

Two real files go in, that of the 2020 baseline and the modern citations of the samples and of `derived` over and over;
CPU seconds of one process come out, both readers in turns on the same bytes, the best of some rounds. Ours reads all
fields and proves the file first; pubmedparser2 reads the ten paths below and writes them as tables of text. Its wheel
is built from source where none is served: that takes a C compiler and zlib.
"""

import argparse
import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pubmedparser  # type: ignore[import-not-found,import-untyped,unused-ignore]
from isal import igzip

from tests.benchmarks.parsers import PUBMED_FILE, read_as_stream
from tests.benchmarks.timing import timed

NUM_MODERN = 20_000
_CITATION, _FIRST, _LAST = "/PubmedArticle/MedlineCitation", b"<PubmedArticle>", b"</PubmedArticle>"
PATHS = {
    "root": "/PubmedArticleSet",
    "key": f"{_CITATION}/PMID",
    "Title": f"{_CITATION}/Article/ArticleTitle",
    "Abstract": f"{_CITATION}/Article/Abstract/AbstractText",
    "Journal": f"{_CITATION}/Article/Journal/Title",
    "Date": f"{_CITATION}/Article/Journal/JournalIssue/PubDate/{{Year,Month,Day}}",
    "Language": f"{_CITATION}/Article/Language",
    "PublicationType": f"{_CITATION}/Article/PublicationTypeList/PublicationType",
    "Mesh": f"{_CITATION}/MeshHeadingList/MeshHeading/DescriptorName",
    "Keyword": f"{_CITATION}/KeywordList/Keyword",
    "ArticleId": "/PubmedArticle/PubmedData/ArticleIdList/ArticleId",
}


def read_with_c(path: Path) -> int:
    """Read a file with pubmedparser2, one thread; return the number of titles that it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        pubmedparser.read_xml([str(path)], PATHS, folder, relative_to_default_data=False, n_threads=1)
        with Path(folder, "Title.tsv").open("rb") as table:
            return sum(1 for _ in table) - 1


def write_modern(data: Path, target: Path) -> None:
    """Write a set of NUM_MODERN citations or some more: those of the samples and of `derived`, over and over."""
    parts = list(_citations(data))
    times = -(-NUM_MODERN // sum(part.count(_FIRST) for part in parts))
    with igzip.open(target, "wb", compresslevel=2) as file:
        file.write(b'<?xml version="1.0" encoding="utf-8"?>\n<PubmedArticleSet>\n')
        for _ in range(times):
            file.writelines(parts)
        file.write(b"</PubmedArticleSet>\n")


def _citations(data: Path) -> Iterator[bytes]:
    for folder in ("derived", "samples"):
        for path in sorted((data / "pubmed" / folder).glob("*.xml.gz")):
            content = gzip.decompress(path.read_bytes())
            yield content[content.index(_FIRST) : content.rindex(_LAST) + len(_LAST)] + b"\n"


def main() -> None:
    """Read the command line and measure."""
    default = os.environ.get("CORPUSCLE_DATA") or Path(__file__).parents[3] / "shared" / "data"
    parser = argparse.ArgumentParser(description="The reader of PubMed beside one in C, in CPU seconds")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder with pubmed/")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed; the best counts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        modern = Path(folder, "modern.xml.gz")
        write_modern(arguments.data, modern)
        read_as_stream(modern)  # compiles the scan, or loads it from the cache
        print(f"{'':24}{'ours':>22}{'pubmedparser2':>22}{'CPU, ours to it':>17}")
        for name, path in (("baseline of 2020", arguments.data / PUBMED_FILE), ("modern", modern)):
            works: dict[str, Callable[[], int]] = {
                "ours": partial(read_as_stream, path),
                "c": partial(read_with_c, path),
            }
            found = timed(works, rounds=arguments.rounds)
            cells = "".join(f"{one.num_records:12,} {one.seconds:7.2f} s" for one in found.values())
            print(f"{name:24}{cells}{found['ours'].seconds / found['c'].seconds:17.2f}")


if __name__ == "__main__":
    main()
