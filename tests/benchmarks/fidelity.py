"""How much of the text of real articles and citations readers keep: `python -m tests.benchmarks.fidelity`.

The 2,400 articles below one folder go in, each as plain XML (six are gzipped: peers get them unpacked). Every reader's
text is held against the XML by `tests.support.jats_oracle`, which shares no code with any of them. What the columns
mean:

- *failed*: articles that raise an error or take longer than a minute; their words and paragraphs count as lost;
- *words kept*: of the words of abstracts, body and captions (with labels), those that the output has, counted with
  their number. Left out by design: citations by number, notes, formulas, table cells, back matter, titles;
- *invented*: distinct words an article that are in the output and nowhere in the article: glued ("bodyThe", "105" for
  10⁵), cut in two, or transliterated. Notation is not held against anyone: see `peers_text`;
- *lost*, *misplaced*, *repeated*: paragraphs whose first long run of plain text is not in the output's body, is there
  only before its predecessor, or is in the output more often than in the article.

pandoc is read through its document tree with title and abstract from the metadata, its formulas left out; "as The Pile
ran it" is its body alone, as its command line prints it unless asked. pubmed_parser gives all it has: paragraphs,
captions, tables. `--articles N` takes a sample drawn with a fixed seed. `--pubmed` holds our titles and abstracts of
all citations against an oracle on the standard library (`tests.support.pubmed_oracle`) and prints the counts by kind.
`--folder DIR` reads, with our reader alone, every XML file below each folder of DIR that holds an `<article>`: sample
files of other projects, say. A `<root>` around the article is taken for a set. *mended* are files that are no
well-formed XML, read as lxml repairs them; *refused* give no record all the same. Both are printed with the reason.
"""

import argparse
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lxml import etree

from tests.benchmarks import peers_jats, peers_pandoc
from tests.support import pubmed_oracle
from tests.support.jats_oracle import SYMBOL, Score, compare, read_source
from tests.support.real_articles import articles, plain

SEED = 20_240_229
_MATH = re.compile(f"{peers_pandoc.MATH}[^{peers_pandoc.MATH}]*{peers_pandoc.MATH}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One reader on one article."""

    reader: str
    article: str
    score: Score
    failed: bool = False


def judge(article: tuple[str, bytes], names: Sequence[str]) -> list[Judged]:
    """Return the scores of the named readers on one article."""
    name, raw = article
    raw = plain(raw)
    source = read_source(raw)
    nothing = Score(words=source.words.total(), kept=0, paragraphs=len(source.runs), lost=source.runs)
    found: list[Judged] = []
    readers, _ = peers_jats.readers()
    for reader in names:
        try:
            extract = readers[reader](raw)
        except Exception:  # noqa: BLE001  # peers raise anything; the article is lost to them
            found.append(Judged(reader=reader, article=name, score=nothing, failed=True))
            continue
        text, body = (_MATH.sub(SYMBOL, part) for part in (extract.text(), "\n".join(extract.body)))
        found.append(Judged(reader=reader, article=name, score=compare(source, text=text, body=body)))
    return found


def sample(found: Iterable[tuple[str, bytes]], count: int | None) -> list[tuple[str, bytes]]:
    """Return all articles, or `count` of them drawn with a fixed seed."""
    everything = sorted(found)
    return everything if count is None else random.Random(SEED).sample(everything, min(count, len(everything)))


def print_table(judged: Sequence[Judged], names: Sequence[str]) -> None:
    """Print one line a reader."""
    head = f"{'words kept':>12}{'invented':>10}{'paragraphs':>12}{'lost':>8}{'misplaced':>11}{'repeated':>10}"
    print(f"{'reader':<28}{'articles':>9}{'failed':>8}{head}")
    for name in names:
        own = [item for item in judged if item.reader == name]
        words, kept = sum(item.score.words for item in own), sum(item.score.kept for item in own)
        counts = {fault: sum(len(getattr(item.score, fault)) for item in own) for fault in _FAULTS}
        paragraphs = sum(item.score.paragraphs for item in own)
        failed = sum(item.failed for item in own)
        print(
            f"{name:<28}{len(own):>9,}{failed:>8}{100 * kept / words:>11.3f}%{counts['invented']:>10,}{paragraphs:>12,}"
            f"{counts['lost']:>8,}{counts['misplaced']:>11,}{counts['repeated']:>10,}"
        )


_FAULTS = ("invented", "lost", "misplaced", "repeated")


def list_faults(judged: Sequence[Judged], name: str) -> Iterator[str]:
    """Yield every fault of one reader, article by article."""
    for item in judged:
        if item.reader == name:
            for fault in _FAULTS:
                for words in getattr(item.score, fault):
                    yield f"{item.article}: {fault}: {words}"


def measure_articles(data: Path, *, count: int | None, processes: int, verbose: str) -> None:
    """Read the articles with every reader and print the table."""
    readers, missing = peers_jats.readers()
    names = list(readers)
    start = time.perf_counter()
    work = partial(judge, names=names)
    chosen = sample(articles(data), count)
    with ProcessPoolExecutor(processes) as pool:
        judged = [item for items in pool.map(work, chosen, chunksize=4) for item in items]
    print_table(judged, names)
    print(f"{len(chosen):,} articles in {time.perf_counter() - start:.0f} s with {processes} processes")
    if (pandoc := peers_pandoc.find_pandoc()) is not None:
        print(f"pandoc is {peers_pandoc.version(pandoc)}")
    for name, reason in missing.items():
        print(f"{name}: {reason}")
    if verbose:
        print(*list_faults(judged, verbose), sep="\n")


def measure_citations(data: Path) -> None:
    """Hold our titles and abstracts of all citations against the oracle's and print the counts by kind."""
    counts: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    lines: list[str] = []
    for path in pubmed_oracle.files(data):
        for citation, faults in pubmed_oracle.compare_file(path):
            kinds = ["all citations and books", *citation.kinds()]
            counts.update(kinds)
            if faults:
                wrong.update(kinds)
                lines += [f"{path.name}: {citation.pmid}: {fault}" for fault in faults]
    print(f"{'PubMed':<52}{'read':>8}{'equal':>8}")
    for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        print(f"{kind:<52}{count:>8,}{count - wrong[kind]:>8,}")
    print(*lines, sep="\n")


def measure_folder(folder: Path) -> None:
    """Read the articles of each folder in a folder with our reader and print a line for each, then every fault."""
    head = f"{'words':>10}{'not kept':>10}{'invented':>10}{'paragraphs':>12}{'faults':>8}"
    print(f"{'':<28}{'files':>7}{'mended':>9}{'refused':>9}{head}")
    lines: list[str] = []
    for one in sorted(path for path in folder.iterdir() if path.is_dir()):
        paths = [path for path in sorted(one.rglob("*")) if path.suffix in (".xml", ".nxml")]
        found = [_judge_file(path) for path in paths if _ARTICLE.search(path.read_bytes())]
        judged = [item for item, _ in found if item is not None]
        words, kept = sum(item.score.words for item in judged), sum(item.score.kept for item in judged)
        invented = sum(len(item.score.invented) for item in judged)
        paragraphs = sum(item.score.paragraphs for item in judged)
        places = sum(len(getattr(item.score, fault)) for item in judged for fault in _FAULTS[1:])
        mended = sum(item is not None and bool(said) for item, said in found)
        print(
            f"{one.name:<28}{len(found):>7,}{mended:>9,}{len(found) - len(judged):>9,}{words:>10,}"
            f"{words - kept:>10,}{invented:>10,}{paragraphs:>12,}{places:>8,}"
        )
        lines += [*(said for _, said in found if said), *list_faults(judged, _OURS)]
    print(*lines, sep="\n")


_OURS = "corpuscle"
_ARTICLE = re.compile(rb"<article[\s>]")
_WRAPPER = re.compile(rb"<(/?)root\b")


def _judge_file(path: Path) -> tuple[Judged | None, str]:
    """Return the score of our reader on a file, and why the file was mended or refused, "" if it was not."""
    raw, said = _WRAPPER.sub(rb"<\1articles", path.read_bytes()), ""
    try:
        extract, source = peers_jats.read_ours(raw), read_source(raw)
    except (ValueError, etree.XMLSyntaxError) as error:
        said = f"{path}: {error}"
        raw = _mended(raw)
        try:
            extract, source = peers_jats.read_ours(raw), read_source(raw)
        except (ValueError, etree.XMLSyntaxError) as still:
            return None, f"{said}; mended: {still}"
    score = compare(source, text=extract.text(), body="\n".join(extract.body))
    return Judged(reader=_OURS, article=str(path), score=score), said


def _mended(raw: bytes) -> bytes:
    """Return XML as lxml repairs it, each attribute once and none whose prefix is not declared."""
    root = etree.fromstring(raw, etree.XMLParser(recover=True, huge_tree=True))
    for element in root.iter("*"):
        attributes = {name: value for name, value in element.items() if name[0] == "{" or ":" not in name}
        element.attrib.clear()
        for name, value in attributes.items():
            element.set(name, value)
    return etree.tostring(root, encoding="utf-8")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder of pubmed/ and pmc/")
    parser.add_argument("--articles", type=int, help="a sample of this many articles, drawn with a fixed seed")
    parser.add_argument("--processes", type=int, default=1, help="articles read at the same time")
    parser.add_argument("--verbose", default="", metavar="READER", help="list every fault of one reader")
    parser.add_argument("--pubmed", action="store_true", help="citations instead of articles")
    parser.add_argument("--folder", type=Path, help="a folder of folders with XML files, instead of the real articles")
    chosen = parser.parse_args()
    if chosen.folder:
        measure_folder(chosen.folder)
    elif chosen.pubmed:
        measure_citations(chosen.data)
    else:
        measure_articles(chosen.data, count=chosen.articles, processes=chosen.processes, verbose=chosen.verbose)


if __name__ == "__main__":
    main()
