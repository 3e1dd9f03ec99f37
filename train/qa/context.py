"""Passages of a corpus for each question, by BM25 over the words of the question alone (MIRAGE's rule).

    score(q, d) = Σ over the words of q   ln(1 + (N − n + ½) / (n + ½)) · f / (f + k₁ (1 − b + b |d| / mean))

with N passages, of which n hold the word, and f of it in d of |d| words: Lucene's BM25 (Kamphuis et al. 2020, table 1),
k₁ = 1.5, b = 0.75. A document is cut into passages at its paragraphs; the best passage of each of the best documents
is taken.

The corpus is read twice, for the counts and for the scores, and never held: memory is that of one batch of documents
and its scores for all questions. The questions are known before, so no index is needed, which would grow with the
corpus (8 bytes a distinct word of a passage, about 8 GB for ten million abstracts).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray
from scipy import sparse

from corpus.errors import UsageError
from corpus.qa.question import Question
from corpus.stage.manifest import Manifest
from corpus.stage.progress import progress
from corpus.storage import parquet

K1, B = 1.5, 0.75
PASSAGE_WORDS = 200  # a paragraph that is longer stays whole up to twice as many, then it is cut
_BATCH = 2048  # documents at a time
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


class Evidence(Struct, frozen=True, kw_only=True, gc=False):
    """A passage that stood before a question, one row each."""

    task: str  # of the question
    id: str  # of the question
    rank: int  # from 1, the best
    doc_id: str  # of the document in the corpus
    score: float  # BM25 of the passage
    text: str  # the passage as the model read it


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusCounts:
    """What BM25 needs to know of all passages."""

    passages: int
    mean_words: float  # of a passage
    holders: NDArray[np.float64]  # passages that hold each word of the questions


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; a hyphen joins: `il-6` is a word."""
    return _WORD.findall(text.lower())


def passages_of(text: str) -> Iterator[str]:
    """Yield a document's passages: paragraphs together up to `PASSAGE_WORDS` words; nothing is left out."""
    held: list[str] = []
    count = 0
    for paragraph in filter(str.strip, text.split("\n")):
        for piece in _pieces(paragraph):
            size = len(piece.split())
            if held and count + size > PASSAGE_WORDS:
                yield "\n".join(held)
                held, count = [], 0
            held.append(piece)
            count += size
    if held:
        yield "\n".join(held)


def find_evidence(questions: Sequence[Question], corpus: str, manifest: Manifest, *, documents: int) -> list[Evidence]:
    """Return the best passages of a corpus's training split for each question, best first; scores
    that are equal to nine digits are in the order of document ids.

    Fewer than `documents` where fewer share a word with the question. Raises UsageError for a corpus without text.
    """
    asked = [words_of(one.text) for one in questions]
    terms = {word: number for number, word in enumerate(sorted({word for words in asked for word in words}))}
    paths = manifest.paths(corpus, "train")
    counts = _counted(paths, terms)
    if not counts.passages:
        raise UsageError(f"{corpus}: its training split holds no text to search; give another --context")
    idf = np.log1p((counts.passages - counts.holders + 0.5) / (counts.holders + 0.5))
    weights = _matrix([[terms[word] for word in words] for words in asked], len(terms))
    weights = weights.multiply(idf[None]).tocsr()
    best: list[list[tuple[float, str, str]]] = [[] for _ in questions]
    for ids, texts in _batches(paths, "second pass"):
        _take_best(best, weights, _tallied(ids, texts, terms), counts, documents)
    return [
        Evidence(task=one.task, id=one.id, rank=rank, doc_id=document, score=-below, text=text)
        for one, found in zip(questions, best, strict=True)
        for rank, (below, document, text) in enumerate(found, 1)
    ]


def with_evidence(questions: Sequence[Question], evidence: Iterable[Evidence]) -> list[Question]:
    """Return questions with their passages in the place of their context, the best last.

    A prompt that is too long loses its beginning: so the best stays.
    """
    texts: dict[str, list[str]] = {}
    for one in evidence:
        texts.setdefault(one.id, []).append(one.text)
    return [structs.replace(one, context="\n".join(reversed(texts.get(one.id, [])))) for one in questions]


@dataclass(frozen=True, kw_only=True, slots=True)
class _PassageBatch:
    """Passages of a batch of documents: where each is from, its words, and how often it holds each word asked for."""

    ids: list[str]
    texts: list[str]
    lengths: NDArray[np.float64]
    counts: sparse.csr_matrix  # (passages, terms)


def _tallied(ids: Sequence[str], texts: Sequence[str], terms: Mapping[str, int]) -> _PassageBatch:
    owners, passages = list[str](), list[str]()
    rows, lengths = list[list[int]](), list[int]()
    for document, text in zip(ids, texts, strict=True):
        for passage in passages_of(text):
            words = words_of(passage)
            owners.append(document)
            passages.append(passage)
            lengths.append(len(words))
            rows.append([terms[word] for word in words if word in terms])
    return _PassageBatch(
        ids=owners, texts=passages, lengths=np.array(lengths, np.float64), counts=_matrix(rows, len(terms))
    )


def _counted(paths: Sequence[str], terms: Mapping[str, int]) -> CorpusCounts:
    holders, passages, words = np.zeros(len(terms)), 0, 0.0
    for ids, texts in _batches(paths, "first pass"):
        tally = _tallied(ids, texts, terms)
        holders += np.asarray((tally.counts > 0).sum(axis=0)).ravel()
        passages += len(tally.ids)
        words += float(tally.lengths.sum())
    return CorpusCounts(passages=passages, mean_words=words / max(1, passages), holders=holders)


def _take_best(
    best: list[list[tuple[float, str, str]]],
    weights: sparse.csr_matrix,
    tally: _PassageBatch,
    counts: CorpusCounts,
    documents: int,
) -> None:
    """Bring the best documents of each question up to date with a batch; a document counts by its best passage."""
    if not tally.ids:
        return
    held = tally.counts.tocoo()
    norms = K1 * (1 - B + B * tally.lengths / counts.mean_words)
    shares = sparse.csr_matrix((held.data / (held.data + norms[held.row]), (held.row, held.col)), shape=held.shape)
    scores = (weights @ shares.T).tocsr()
    for number, found in enumerate(best):
        begin, end = scores.indptr[number], scores.indptr[number + 1]
        mine: dict[str, tuple[float, str, str]] = {document: (below, document, text) for below, document, text in found}
        for place, value in zip(scores.indices[begin:end], scores.data[begin:end], strict=True):
            one = (-round(float(value), 9), tally.ids[place], tally.texts[place])
            if one < mine.get(tally.ids[place], (0.0, "", "")):
                mine[tally.ids[place]] = one
        best[number] = sorted(mine.values())[:documents]


def _matrix(rows: Sequence[Sequence[int]], width: int) -> sparse.csr_matrix:
    """Return how often each row holds each number below `width`, as a matrix (rows, width)."""
    owner = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    columns = np.array([number for row in rows for number in row], np.int64)
    return sparse.csr_matrix((np.ones(len(columns)), (owner, columns)), shape=(len(rows), width))


def _batches(paths: Sequence[str], label: str) -> Iterator[tuple[list[str], list[str]]]:
    with progress(f"evidence, {label}", len(paths), "shards") as shown:
        for path in paths:
            for batch in parquet.iter_batches(path, ["doc_id", "text"], _BATCH, batch_bytes=64_000_000):
                yield batch.column("doc_id").to_pylist(), batch.column("text").to_pylist()
            shown.advance()


def _pieces(paragraph: str) -> list[str]:
    words = paragraph.split()
    if len(words) <= 2 * PASSAGE_WORDS:
        return [paragraph.strip()]
    return [" ".join(words[start : start + PASSAGE_WORDS]) for start in range(0, len(words), PASSAGE_WORDS)]
