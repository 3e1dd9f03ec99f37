"""Recall, precision and false merges, ours and the peers': `python -m tests.benchmarks.dedup_quality [--peers PYTHON]`.

Documents: real abstracts and full texts with seeded copies of them (`tests.support.dedup_truth`), the written set of
hard twins, and twins made from real abstracts (`tests.support.dedup_twins`). Truth: the exact Jaccard similarity of
all pairs, by a sparse matrix of Python-string shingles; with the words as documented for ours and datasketch (which
gets the shingles from outside), and runs of `\\w` for text-dedup and datatrove (which cut words themselves).

A tool merges a pair when it would keep one of the two: ours the verified pairs, datasketch the answers of
`MinHashLSH.query`, text-dedup and datatrove the pairs of a cluster. text-dedup and datatrove run in an environment
of their own, given with --peers (`pip install text-dedup 'datatrove[processing]' spacy`); without it they are left out.
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

from datasketch import MinHash, MinHashLSH

from tests.corpus.dedup.test_quality import THRESHOLD, Pairs, merged, no_notices
from tests.support.dedup_truth import (
    abstracts,
    documented_words,
    full_texts,
    plain_words,
    shingle_strings,
    true_pairs,
    with_copies,
)
from tests.support.dedup_twins import exchanged, hard_twins, swapped

Tool = Callable[[Sequence[str]], Pairs]


def ours(texts: Sequence[str]) -> Pairs:
    """Return the pairs that `assemble` would merge."""
    return merged(texts)[1]


def datasketch(texts: Sequence[str]) -> Pairs:
    """Return the pairs that `MinHashLSH` answers with, as its documentation shows it (K = 128, its own bands)."""
    sets = [{shingle.encode() for shingle in shingle_strings(documented_words(text))} for text in texts]
    sketches = MinHash.bulk(sets, num_perm=128)
    index = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    for number, sketch in enumerate(sketches):
        index.insert(number, sketch)
    return {(a, b) for a, sketch in enumerate(sketches) for b in index.query(sketch) if a < b}


def peer(python: str, name: str) -> Tool:
    """Return a tool that asks `peers_dedup.py` in another environment."""

    def run(texts: Sequence[str]) -> Pairs:
        lines = "".join(json.dumps(text) + "\n" for text in texts)
        script = Path(__file__).with_name("peers_dedup.py")
        done = subprocess.run([python, str(script), name], input=lines, capture_output=True, text=True, check=True)
        members: dict[str, list[int]] = {}
        for number, cluster in enumerate(done.stdout.split()):
            members.setdefault(cluster, []).append(number)
        return {pair for group in members.values() for pair in combinations(group, 2)}

    return run


def measure(name: str, tool: Tool, texts: Sequence[str], truth: dict[tuple[int, int], float]) -> str:
    """Return a line of the table: recall by similarity and precision on the copies, then false merges of twins."""
    start = time.process_time(), os.times().children_user
    found = tool(texts)
    seconds = time.process_time() - start[0] + os.times().children_user - start[1]
    cells = []
    for least in (0.8, 0.9):
        pairs = {pair for pair, score in truth.items() if score >= least}
        cells.append(f"{len(found & pairs) / len(pairs):.4f}")
    right = sum(pair in truth or texts[pair[0]].split() == texts[pair[1]].split() for pair in found)
    cells.append(f"{right / max(1, len(found)):.4f}")
    return f"| {name} | {' | '.join(cells)} | {seconds:.0f} |"


def false_merges(tool: Tool, pairs: Sequence[tuple[str, str]]) -> str:
    """Return how many of the pairs of twins are merged, of how many."""
    found = tool([text for pair in pairs for text in pair])
    return f"{sum((2 * k, 2 * k + 1) in found for k in range(len(pairs)))} of {len(pairs)}"


def similar(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs that reach the threshold; the others are no danger to anyone."""
    near = []
    for one, other in pairs:
        a, b = (shingle_strings(documented_words(text)) for text in (one, other))
        if len(a & b) >= THRESHOLD * len(a | b):
            near.append((one, other))
    return near


def main() -> None:
    """Read the command line, print both tables."""
    default = os.environ.get("CORPUSCLE_DATA") or Path(__file__).parents[3] / "shared" / "data"
    parser = argparse.ArgumentParser(description="Quality of deduplication, ours and the peers'")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder with pubmed/, pmc/ (%(default)s)")
    parser.add_argument("--every", type=int, default=1, help="take every n-th abstract (default: %(default)s)")
    parser.add_argument("--articles", type=int, default=None, help="take so many articles only (default: all)")
    parser.add_argument("--peers", help="python of an environment with text-dedup and datatrove")
    options = parser.parse_args()
    base = no_notices(abstracts(options.data))[:: options.every]
    texts = with_copies(base, seed=1) + with_copies(list(full_texts(options.data, options.articles)), seed=2, share=0.3)
    truth = {words: true_pairs(texts, words, THRESHOLD) for words in (documented_words, plain_words)}
    print(f"{len(texts):,} documents, {len(truth[documented_words]):,} pairs of {THRESHOLD} and more")
    tools: dict[str, tuple[Tool, Callable[[str], list[str]]]] = {
        "corpuscle": (ours, documented_words),
        r"corpuscle, \w words": (ours, plain_words),
        "datasketch MinHashLSH": (datasketch, documented_words),
    }
    if options.peers:
        for name in ("text-dedup", "datatrove"):
            tools[name] = peer(options.peers, name), plain_words
    print("| tool | recall, J ≥ 0.8 | J ≥ 0.9 | precision | CPU s |\n|---|---|---|---|---|", flush=True)
    for name, (tool, words) in tools.items():
        print(measure(name, tool, texts, truth[words]), flush=True)
    twins = {
        "written": [(one, other) for _, one, other in hard_twins()],
        "swapped": similar(list(swapped(base[::4]))),
    }
    free = list(exchanged(base[::4], seed=3))
    twins["exchanged, twice or more"] = similar([(one, other) for one, other, count in free if count > 1])
    twins["exchanged, once"] = similar([(one, other) for one, other, count in free if count == 1])
    print(f"\n| twins merged | {' | '.join(twins)} |\n|---|{'---|' * len(twins)}", flush=True)
    for name, (tool, _) in tools.items():
        if "words" not in name:
            print(f"| {name} | {' | '.join(false_merges(tool, pairs) for pairs in twins.values())} |", flush=True)


if __name__ == "__main__":
    main()
