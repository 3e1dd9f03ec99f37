"""A corpus of other people's texts for `dedup`, with planted copies, in every form; and the truth about its pairs.

MedQuAD's answers and the texts of the other question sets are read where they lie beside the repository. The truth
knows nothing of `corpus.dedup`: words and shingles are plain Python's, and every pair that shares one is counted.
"""

import gzip
import json
import lzma
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.dedup_truth import MIN_SHINGLES, documented_words, shingle_strings, with_copies
from tests.support.qa_data import QA_DATA

FORMS = ("a.jsonl", "deep/er/b.jsonl.gz", "deep/c.jsonl.zst", "d.ndjson", "deep/e.parquet")
Pairs = dict[tuple[int, int], float]


def qa_texts() -> list[str]:
    """Return texts of MedQuAD and the other question sets, in the order of their files; natural duplicates and all."""
    lines = lzma.decompress((QA_DATA / "medquad_part.jsonl.xz").read_bytes()).splitlines()
    texts = [json.loads(line)["answer"] for line in lines]
    abstracts = json.loads((QA_DATA / "pubmedqa_cv500.json").read_text()).values()
    texts += ["\n".join(asked["CONTEXTS"]) for asked in abstracts]
    for name in ("medqa_dev.jsonl", "medqa_train_part.jsonl"):
        texts += [json.loads(line)["question"] for line in (QA_DATA / name).open()]
    return [text for text in texts if text]


def planted(*, every: int = 1, seed: int = 3) -> list[str]:
    """Return every so manieth text of the question sets, and edited copies of a third of them."""
    return with_copies(qa_texts()[::every], seed=seed, share=0.3)


def write_corpus_files(base: Path, texts: Sequence[str], forms: Sequence[str] = FORMS) -> None:
    """Write documents `d0`, `d1`, … in runs over files of some forms, with fields of all kinds beside."""
    rows = [
        {"id": f"d{number}", "text": text, "year": 1990 + number % 30, "meta": {"n": number, "tags": ["a", "β"]}}
        for number, text in enumerate(texts)
    ]
    size = -(-len(rows) // len(forms))
    for number, form in enumerate(forms):
        write_rows(base / form, rows[number * size : (number + 1) * size])


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows in the form that a path's name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        table = pa.Table.from_pylist(list(rows)).replace_schema_metadata({"made": "by a test"})
        pq.write_table(table, path, row_group_size=100, compression="snappy")
        return
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if path.suffix == ".gz":
        lines = gzip.compress(lines)
    elif path.suffix == ".zst":
        lines = pa.Codec("zstd").compress(lines, asbytes=True)
    path.write_bytes(lines)


def read_lines(path: Path) -> list[bytes]:
    """Return the lines of a file of them, with their ends."""
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    elif path.suffix == ".zst":
        with pa.CompressedInputStream(pa.BufferReader(raw), "zstd") as stream:
            raw = stream.read()
    return raw.splitlines(keepends=True)


def jaccard_pairs(texts: Sequence[str], threshold: float) -> Pairs:
    """Return the similarity of every pair that reaches a threshold and of every pair of equal texts, by brute force."""
    words = [documented_words(text) for text in texts]
    shingles = [shingle_strings(one) if one else set() for one in words]
    holders: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(shingles):
        for shingle in one:
            holders[shingle].append(number)
    common = Counter(pair for numbers in holders.values() for pair in combinations(numbers, 2))
    found: Pairs = {}
    for (a, b), shared in common.items():
        score = shared / (len(shingles[a]) + len(shingles[b]) - shared)
        large = min(len(shingles[a]), len(shingles[b])) >= MIN_SHINGLES
        if words[a] == words[b] or (large and score >= threshold):
            found[a, b] = 1.0 if words[a] == words[b] else score
    return found


def left_out(num_docs: int, pairs: Pairs) -> set[int]:
    """Return who goes when documents are decided from first to last: who is like one that is kept, or equal to any."""
    kept: set[int] = set()
    near: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for (a, b), score in pairs.items():
        near[b].append((a, score))
    for number in range(num_docs):
        if not any(other in kept or score == 1.0 for other, score in near[number]):
            kept.add(number)
    return set(range(num_docs)) - kept


def clusters_of(pairs: Pairs) -> Iterator[set[int]]:
    """Yield the sets of documents that pairs hold together."""
    of: dict[int, set[int]] = {}
    for a, b in pairs:
        joined = of.get(a, {a}) | of.get(b, {b})
        of |= dict.fromkeys(joined, joined)
    yield from {id(one): one for one in of.values()}.values()
