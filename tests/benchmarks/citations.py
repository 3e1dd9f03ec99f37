"""What citations by number leave behind: `python -m tests.benchmarks.citations [--articles N] [--verbose]`.

In every link of an article that cites a reference by number, each number becomes 987; then the article is read, and
what comes out of that 987 is counted, in title, abstracts, body and captions. Which links cite is told without the
reader's code: those whose `rid` names a reference or whose `ref-type` says so, outside tables' cells, notes and the
back. What the columns mean:

- *numbers*: those put into links; a link "3–7" has two;
- *left*: of them, those that are in the text; *needed*: of these, those behind a word that cannot stand without
  them, as in "described by [5]" and "ref. 6", or before their verb, as in "Later, [5] reported";
- *broken*: pieces of text that no sentence has, such as " and." or "()", beyond those that the same line has when each
  of these links says "Doe" instead, which no reader takes for a number.
"""

import argparse
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from corpus.ncbi.jats.reader import read_article
from corpus.records import Record
from tests.benchmarks.fidelity import sample
from tests.support.real_articles import articles, plain

MARK = "987"
_OUTSIDE = frozenset(
    ["ref-list", "table", "fn", "fn-group", "table-wrap-foot", "back", "sub-article", "response", "sec-meta", "notes"]
)
_BY_NUMBER = re.compile(r"[\s\[(]*\d{1,3}[a-z]?(?:[\s,;:.–—‒‐‑−\-\[\]()]+\d{1,3}[a-z]?)*[\s,;:.–—‒‐‑−\-\[\]()]*")
_FOUND = re.compile(rf"(?<!\d){MARK}(?!\d)")
_NEEDS = re.compile(
    r"\b(?:in|by|from|of|with|to|see|on|per|than|refs?\.?|references?|and|or|nos?\.?|numbers?|citations?|also|both|"
    r"e\.g\.|cf\.|at|for|as|like|under|following|using|study|studies|equations?|eqs?\.?|via|between|while|whereas|"
    r"(?<=[rR]efer )the)[\s,]*"
    rf"[\[(]*\s?(?:{MARK}[a-z]?[\s,;:–—‒‐‑−\-\[\]()]*(?:(?:and|or|to)\s*[\[(]*)?)*$",
    re.IGNORECASE,
)
# The number is who did it: "Furthermore, [5] reported".
_SUBJECT = re.compile(rf"[\])]*(?:,? (?:and )?\[{MARK}\])* (?:reported|provides|conducted|are|all|used?|developed)\b")
BROKEN = {
    "and.": re.compile(r"\w[,\])]? (?:and|or|but|the|an|&)[.;:)](?=\s|$)"),
    # Particles of their verbs apart: "that a system is subject to.", "to: (a) train".
    "by.": re.compile(
        r"\w(?<!\bsubject)(?<!\bpart)(?<!\balong)(?<!\bappear)(?<!\bhave)(?<!\bwe) "
        r"(?:by|in|from|of|with|to|see|e\.g\.?|i\.e\.?|refs?|cf)\.?[.,;:)](?=\s|$)(?! \(a\))"
    ),
    "by and": re.compile(r"\w (?:by|from|of|with|see|refs?\.?),? (?:and|or)\b(?! (?:for|to|on|in|by|from|of|with))"),
    "and, and": re.compile(r"\b(?:and|or|see),? (?:and|or)\b(?!/)"),
    "()": re.compile(r"[(\[][\s,;.–-]*[)\]]"),
    "(,": re.compile(r"[(\[]\s*[,;](?=\s)|[,;]\s*[)\]]"),
    " ,": re.compile(r"(?<=\w) [,;](?=\s)"),
    ",,": re.compile(r"[,;] ?[,;](?=\s)|[,;] ?\.(?=\s|$)"),
    "..": re.compile(r"(?<!\.)\. ?\.(?![.\s]*\.)(?=\s|$)"),
    "^(": re.compile(r"\^\([,;\s()\[\]p.–-]"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """What one article's citations left: counts, and the places with what stands around them."""

    article: str
    numbers: int
    left: tuple[str, ...]
    needed: tuple[str, ...]
    broken: tuple[tuple[str, str], ...]  # kind and place


def measure(article: tuple[str, bytes]) -> Left:
    """Return what the citations of one article leave."""
    name, raw = article
    raw = plain(raw)
    root = etree.fromstring(raw, etree.XMLParser(remove_comments=True, remove_pis=True, huge_tree=True))
    links = list(_links(root))
    numbers = sum(map(_put_mark, links))
    lines = _lines(etree.tostring(root), name)
    for link in links:
        _put_name(link)
    named = _lines(etree.tostring(root), name)
    own = Counter(found[0] for line in named for found in _FOUND.finditer(line)).total()
    places = [(line, found) for line in lines for found in _FOUND.finditer(line)]
    return Left(
        article=name,
        numbers=numbers,
        left=tuple(_around(line, found) for line, found in places[own:]),
        needed=tuple(_around(line, found) for line, found in places if _is_needed(line, found)),
        broken=tuple(_broken_beyond(lines, named)),
    )


def _lines(raw: bytes, name: str) -> list[str]:
    """Return the lines of an article's text as we read it, scripts made plain."""
    record = read_article(raw, file=name)
    assert isinstance(record, Record), f"{name}: {record}"
    texts = [record.title, *(part.text for part in record.abstracts), *(block.text for block in record.body)]
    texts += [item.caption for item in record.floats]
    return [unicodedata.normalize("NFKC", text) for text in texts]


def _links(root: Any) -> Iterator[Any]:
    """Yield the links that cite by number, where a reader's text has them."""
    references = {str(ref.get("id")) for ref in root.iter("{*}ref")}
    for link in root.iter("{*}xref"):
        cites = link.get("ref-type") in ("bibr", "ref") or not references.isdisjoint((link.get("rid") or "").split())
        outside = any(etree.QName(outer).localname in _OUTSIDE for outer in link.iterancestors())
        if cites and not outside and _BY_NUMBER.fullmatch("".join(map(str, link.itertext()))):
            yield link


def _put_mark(link: Any) -> int:
    """Put the mark in place of all numbers of a link; return how many there are."""
    count = 0
    for element in link.iter():
        for field in ("text", "tail"):
            words = getattr(element, field)
            if words and not (field == "tail" and element is link):
                words, replaced = re.subn(r"\d+", MARK, words)
                setattr(element, field, words)
                count += replaced
    return count


def _put_name(link: Any) -> None:
    for child in list(link):
        link.remove(child)
    link.text = "Doe"


def _is_needed(line: str, found: re.Match[str]) -> bool:
    """Say whether a sentence cannot stand without a number."""
    return _NEEDS.search(line[: found.start()]) is not None or _SUBJECT.match(line, found.end()) is not None


def _broken_beyond(lines: list[str], named: list[str]) -> Iterator[tuple[str, str]]:
    """Yield kind and place of what is broken in lines, and not in the same lines with a name for each citation."""
    own = Counter(kind for kind, _ in _broken(named))
    for kind, place in _broken(lines):
        if own[kind]:
            own[kind] -= 1
        else:
            yield kind, place


def _broken(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        for kind, pattern in BROKEN.items():
            for found in pattern.finditer(line):
                yield kind, _around(line, found)


def _around(line: str, found: re.Match[str]) -> str:
    return line[max(0, found.start() - 60) : found.end() + 40]


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder of pubmed/ and pmc/")
    parser.add_argument("--articles", type=int, help="a sample of this many articles, drawn with a fixed seed")
    parser.add_argument("--processes", type=int, default=1, help="articles read at the same time")
    parser.add_argument("--verbose", action="store_true", help="print every number and every broken place")
    chosen = parser.parse_args()
    with ProcessPoolExecutor(chosen.processes) as pool:
        found = list(pool.map(measure, sample(articles(chosen.data), chosen.articles), chunksize=8))
    numbers, left = sum(item.numbers for item in found), sum(len(item.left) for item in found)
    needed = sum(len(item.needed) for item in found)
    print(f"{len(found):,} articles, {numbers:,} numbers in links that cite")
    print(f"left in the text: {left:,} ({100 * left / numbers:.3f} %), {needed:,} of them needed by their sentence")
    print(f"left, and not needed: {left - needed:,} ({100 * (left - needed) / numbers:.3f} %)")
    counts = Counter(kind for item in found for kind, _ in item.broken)
    print("broken:", ", ".join(f"{kind!r} {counts[kind]:,}" for kind in BROKEN), f"; all {counts.total():,}")
    for item in found if chosen.verbose else ():
        for kind, places in (("left", item.left), ("needed", item.needed)):
            print(*(f"{item.article}: {kind}: {place}" for place in places), sep="\n", end="\n" if places else "")
        for kind, place in item.broken:
            print(f"{item.article}: {kind}: {place}")


if __name__ == "__main__":
    main()
