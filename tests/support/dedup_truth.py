"""Documents with seeded copies, and the exact Jaccard similarity of all their pairs: the truth of the dedup tests.

Nothing of `corpus.dedup` is used here. Words are read in plain Python, shingles are Python strings (held as XXH3-64 of
them), and the pairs come from one product of a sparse matrix, so every pair that shares a shingle has its exact
similarity.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from scipy.sparse import csr_array

from corpus.arrays.lookup import index_in_sorted
from corpus.ncbi.jats.reader import read_parts
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Record
from corpus.text.render import render
from tests.corpus.dedup.test_shingles import reference_segments
from tests.support.real_articles import articles, plain

SHINGLE_WORDS = 5
MIN_SHINGLES = 8  # pairs of shorter documents are duplicates only when they are equal, and are left out
EDITS = ("replace", "delete", "truncate", "boilerplate")
BOILERPLATES = (
    "Copyright 1980 by the publisher and the authors. All rights reserved; reproduction needs permission in writing.",
    "This is an open access article distributed under the terms of the Creative Commons Attribution License.",
    "Trial registration: the protocol was registered before enrolment began, and there was no external funding.",
)


def abstracts(data: Path) -> Iterator[str]:
    """Yield the text of every citation with an abstract, by the default profile."""
    for path in sorted((data / "pubmed").rglob("*.xml.gz")):
        for record in read_pubmed(str(path)):
            if isinstance(record, Record) and any(part.type == "main" and part.text for part in record.abstracts):
                yield render(record)


def full_texts(data: Path, limit: int | None = None) -> Iterator[str]:
    """Yield the text of the real articles, by the default profile."""
    for name, raw in islice(articles(data), limit):
        parts = read_parts(plain(raw), file="", offset=0, position=0, name=name)
        if isinstance(parts, list) and isinstance(parts[0], Record) and parts[0].body:
            yield render(parts[0])


def edited(rng: random.Random, text: str, kind: str, vocabulary: Sequence[str]) -> str:
    """Return a copy: 0.2 to 6 % of the words replaced or left out, or 60 to 97 % of the text, or a line added."""
    if kind == "boilerplate":
        return f"{text}\n\n{rng.choice(BOILERPLATES)}"
    pieces = re.split(r"(\s+)", text)
    places = range(0, len(pieces), 2)
    if kind == "truncate":
        return "".join(pieces[: 2 * int(len(places) * rng.uniform(0.60, 0.97))])
    for place in rng.sample(places, max(1, round(len(places) * rng.uniform(0.002, 0.06)))):
        pieces[place] = rng.choice(vocabulary) if kind == "replace" else ""
    return "".join(pieces)


def with_copies(texts: list[str], *, seed: int, share: float = 1.0) -> list[str]:
    """Return the texts, and behind them a copy of each and a second one of every third; fewer by `share`."""
    rng = random.Random(seed)
    vocabulary = [word for text in rng.sample(texts, min(500, len(texts))) for word in text.split()]
    copied = [text for number, text in enumerate(texts) for _ in range(2 if number % 3 == 0 else 1)]
    return texts + [edited(rng, text, rng.choice(EDITS), vocabulary) for text in copied if rng.random() < share]


def documented_words(text: str) -> list[str]:
    """Return the words of a text as `corpus.dedup.shingle_kernels` says them, read by the plain Python of the tests."""
    lower = pc.utf8_normalize(pc.utf8_lower(pa.array([text])), form="NFC")[0].as_py()
    return ["".join(segment + mark for segment, mark in word) for word in reference_segments(lower)]


def plain_words(text: str) -> list[str]:
    r"""Return the words of a text as the peers read them: runs of `\w` in lower case."""
    return re.findall(r"\w+", text.lower())


def shingle_strings(words: list[str]) -> set[str]:
    """Return the word 5-shingles as strings; all words as one where there are fewer than five."""
    return {" ".join(words[k : k + SHINGLE_WORDS]) for k in range(max(1, len(words) - SHINGLE_WORDS + 1))}


def _numbers(shingles: set[str]) -> npt.NDArray[np.uint64]:
    """Return 64-bit hashes of strings: those of all full texts, 20 million, take 160 MB and the strings gigabytes."""
    return np.fromiter((xxhash.xxh3_64_intdigest(shingle.encode()) for shingle in shingles), np.uint64, len(shingles))


def true_pairs(
    texts: Sequence[str], words_of: Callable[[str], list[str]], threshold: float
) -> dict[tuple[int, int], float]:
    """Return all pairs of documents, a < b, with their exact similarity where it reaches the threshold."""
    sets = [_numbers(shingle_strings(words_of(text))) for text in texts]
    sizes = np.array([len(one) for one in sets])
    shingles, counts = np.unique(np.concatenate([*sets, np.zeros(0, np.uint64)]), return_counts=True)
    shared = shingles[counts > 1]
    places = [index_in_sorted(one, shared) for one in sets]
    rows = [found[found >= 0] for found in places]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    indices = np.concatenate([*rows, np.zeros(0, np.int64)])
    matrix = csr_array((np.ones(len(indices), np.int32), indices, starts), shape=(len(texts), max(1, len(shared))))
    common = (matrix @ matrix.T).tocoo()
    a, b, both = common.row, common.col, common.data
    keep = (a < b) & (np.minimum(sizes[a], sizes[b]) >= MIN_SHINGLES)
    a, b, both = a[keep], b[keep], both[keep]
    scores = both / (sizes[a] + sizes[b] - both)
    near = scores >= threshold
    return {(int(i), int(j)): float(s) for i, j, s in zip(a[near], b[near], scores[near], strict=True)}
