"""The conformance suite read by us and by our peers, as a score table: `python -m tests.benchmarks.conformance`.

Two scores. *exact* is ours alone: the share of files whose records are what the suite says, field by field. *text* is
neutral: it asks any reader's plain text whether every expected piece of text (title, abstract part, label, block,
caption, cell, note) is there. A file counts as right when

1. the reader gives text at all, without an error;
2. every piece stands in the text as a run of whole words (`peers_text.tokens` says what is a word and what is
   notation), so nothing is lost within it and nothing glued to it. Reference numbers and the marks of notes may stand
   between its words: to keep them is a matter of taste, to glue them to words or to leave empty brackets is not;
3. the pieces of title, abstract and body follow each other in the expected order (where captions, cells and back
   matter go is a matter of taste);
4. no piece of three words or more stands there more often than expected;
5. nothing is there that the suite calls no text (`absent` in the JSON: preambles of TeX, comments, other articles).

Not counted: capital letters, punctuation, kinds of blocks, depth, spans, keywords, ids, licences. Constructs that are
only about those have no text score. pandoc is read through its own document tree (`peers_pandoc`), so its writers cost
it nothing; "as The Pile ran it" is the same without the metadata. `--verbose` lists what each reader fails, and why.
"""

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from tests.benchmarks import peers_jats, peers_pandoc, peers_pubmed
from tests.benchmarks.peers_text import Extract, tokens
from tests.support.conformance_cases import COLLECTIONS, Case, cases, differences, read

_EMPTY_BRACKETS = re.compile(r"\[[\s,;–-]*\]|\([\s,;–-]*\)")
_MAX_CITED = 12  # tokens of citations between two words
_MARK_LENGTH = 3  # of a reference's number or a note's mark
_REPEATABLE = 3  # pieces of fewer words may well be said twice


@dataclass(frozen=True, kw_only=True, slots=True)
class Pieces:
    """The expected text of one file: what has an order, what may stand anywhere, and what may not be there."""

    ordered: tuple[str, ...]
    anywhere: tuple[str, ...]
    absent: tuple[str, ...]
    cited: frozenset[str]  # words of citations, which may stand between others


def pieces(case: Case) -> Pieces:
    """Return the pieces of text that a case expects; of an article with sub-articles, those of the article."""
    records = case.records if case.collection == "pubmed" else case.records[:1]
    ordered = [text for record in records for text in _ordered(record)]
    anywhere = [text for record in records for text in _anywhere(record)]
    others = filter(tokens, (text for record in case.records[len(records) :] for text in _ordered(record)))
    return Pieces(
        ordered=tuple(filter(tokens, ordered)),
        anywhere=tuple(filter(tokens, anywhere)),
        absent=(*case.absent, *others),
        cited=_cited(case) if records is not case.records else frozenset(),
    )


def _ordered(record: Mapping[str, Any]) -> Iterator[str]:
    yield record.get("title", "")
    for part in record.get("abstracts", ()):
        yield from (part.get("label", ""), part["text"])
    yield from (block[2] for block in record.get("body", ()))


def _anywhere(record: Mapping[str, Any]) -> Iterator[str]:
    for item in record.get("floats", ()):
        cells = [cell if isinstance(cell, str) else cell["text"] for row in item.get("rows", ()) for cell in row]
        yield from (item.get("label", ""), *item.get("caption", "").split("\n"), *cells, *item.get("footnotes", ()))
    for part in record.get("back", ()):
        yield from (part.get("title", ""), *part.get("text", "").split("\n"))


def _cited(case: Case) -> frozenset[str]:
    try:
        root = etree.fromstring(case.path.read_bytes(), etree.XMLParser(resolve_entities=False))
    except etree.XMLSyntaxError:
        return frozenset()
    links = [link for link in root.iter("{*}xref") if link.get("ref-type") in ("bibr", "fn", "table-fn", None)]
    words = {word for link in links for word in tokens("".join(str(text) for text in link.itertext()))}
    return frozenset(word for word in words if len(word) <= _MARK_LENGTH)


def judge(expected: Pieces, extract: Extract) -> str:
    """Return "" when a reader's text is right, else the first fault."""
    text = extract.text()
    said = tokens(text)
    place = 0
    for piece in expected.ordered:
        spans = find(tokens(piece), said, expected.cited)
        later = [end for start, end in spans if start >= place]
        if not later:
            return f"{'out of order' if spans else 'not there'}: {piece!r}"
        place = later[0]
    for piece in expected.anywhere:
        if not find(tokens(piece), said, expected.cited):
            return f"not there: {piece!r}"
    everything = [word for piece in (*expected.ordered, *expected.anywhere) for word in [*tokens(piece), "\0"]]
    for piece in (*expected.ordered, *expected.anywhere):
        words = tokens(piece)
        if len(words) >= _REPEATABLE and len(find(words, said)) > len(find(words, everything)):
            return f"twice: {piece!r}"
    if _EMPTY_BRACKETS.search(text) and not _EMPTY_BRACKETS.search("\n".join(expected.ordered)):
        return "empty brackets"
    wrong = [words for words in expected.absent if find(tokens(words), said)]
    return f"no text of this article: {wrong[0]!r}" if wrong else ""


def find(words: Sequence[str], said: Sequence[str], cited: frozenset[str] = frozenset()) -> list[tuple[int, int]]:
    """Return where a run of words stands in a text, as (start, end); words of citations may stand between."""
    return [(start, end) for start in range(len(said)) if (end := _match(words, said, start, cited))]


def _match(words: Sequence[str], said: Sequence[str], start: int, cited: frozenset[str]) -> int:
    place = start
    for index, word in enumerate(words):
        skipped = 0
        while index and place < len(said) and said[place] != word and said[place] in cited and skipped < _MAX_CITED:
            place, skipped = place + 1, skipped + 1
        if said[place : place + 1] == [word]:
            place += 1
        elif "".join(said[place : place + 2]) == word and said[place + 1] in cited:  # "34 b" for 34ᵇ
            place += 2
        else:
            return 0
    return place


def score(case: Case, read_text: Callable[[Case], Extract]) -> str:
    """Return "" when a reader's text of a case is right, else the fault."""
    try:
        return judge(pieces(case), read_text(case))
    except Exception as error:  # noqa: BLE001  # peers raise anything; an error is a fault like another
        return f"failed: {error!r}"[:200]


def readers() -> tuple[dict[str, dict[str, Callable[[Case], Extract]]], dict[str, str]]:
    """Return for each collection the readers of a case by name, and why others are missing."""
    jats, missing = peers_jats.readers()

    def of_file(read_file: peers_pubmed.ReadFile) -> Callable[[Case], Extract]:
        return lambda case: _joined(read_file(case.path))

    def of_article(read_article: peers_jats.Read) -> Callable[[Case], Extract]:
        if read_article is peers_jats.read_ours:
            return lambda case: peers_jats.read_ours(case.path.read_bytes(), file=case.file)
        return lambda case: read_article(case.path.read_bytes())

    return {
        "pubmed": {name: of_file(reader) for name, reader in peers_pubmed.readers().items()},
        "jats": {name: of_article(reader) for name, reader in jats.items()},
    }, missing


def _joined(extracts: Sequence[Extract]) -> Extract:
    return Extract(front=tuple(line for item in extracts for line in item.front))


def main() -> None:
    """Read the suite with every reader and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--verbose", action="store_true", help="list the files that each reader fails, with the fault")
    verbose = parser.parse_args().verbose
    by_collection, missing = readers()
    for collection in COLLECTIONS:
        print_table(collection, by_collection[collection], verbose=verbose)
    if (pandoc := peers_pandoc.find_pandoc()) is not None:
        print(f"pandoc is {peers_pandoc.version(pandoc)}")
    for name, reason in missing.items():
        print(f"{name}: {reason}")


def print_table(collection: str, by_name: Mapping[str, Callable[[Case], Extract]], *, verbose: bool) -> None:
    """Print one collection's groups: files, our exact score, then files whose text is right, reader by reader."""
    own = [case for case in cases() if case.collection == collection]
    wrong = {case.id for case in own if differences(case, read(case))}
    told = [case for case in own if (expected := pieces(case)).ordered or expected.anywhere]
    faults = {name: {case.id: score(case, reader) for case in told} for name, reader in by_name.items()}
    print(f"\n{collection:<16}{'files':>6}{'exact':>8}  {'texts':>6}" + "".join(f"{name:>28}" for name in by_name))
    for group in [*dict.fromkeys(case.group for case in own), "all"]:
        files = [case for case in own if group in (case.group, "all")]
        texts = [case for case in files if case in told]
        right = [sum(not found[case.id] for case in texts) for found in faults.values()]
        shares = "".join(f"{count:>21}{_share(count, len(texts)):>7}" for count in right)
        exact = sum(case.id not in wrong for case in files)
        print(f"{group:<16}{len(files):>6}{_share(exact, len(files)):>8}  {len(texts):>6}{shares}")
    for name, found in faults.items():
        for case_id, fault in found.items():
            if fault and verbose:
                print(f"  {name}: {case_id}: {fault}")


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.0f} %" if total else "–"


if __name__ == "__main__":
    main()
