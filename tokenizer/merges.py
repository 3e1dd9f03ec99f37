"""BPE merges from a file of texts: gigatoken learns them, `min_frequency` is applied afterwards.

In: texts, each ended by the byte 0xFF, which UTF-8 never holds. Out: merges in the order learned, equal to
those of Hugging Face's BpeTrainer with the same minimum frequency (tested). gigatoken has no such limit and
goes on merging pairs that no longer occur at all. The count of the pair merged next never rises, for a merge
makes pairs that are at most as frequent as itself; so the limit is a cut, and bisection finds it.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import gigatoken
import numpy as np
from gigatoken.gigatoken_rs import pretokenized_counts

from tokenizer.config import NUM_BYTES
from tokenizer.hf_json import Merge, token_ids, tokenizer_json, without_special

SEPARATOR = b"\xff"
CHUNK_BYTES = 4 << 20


def learn_merges(path: str, *, num_merges: int, min_frequency: int) -> list[Merge]:
    """Return at most `num_merges` merges learned from a file of texts, fewer where no more pairs are frequent."""
    if num_merges == 0:
        return []
    with _quiet():
        source = gigatoken.TextFileSource([path], separator=SEPARATOR)
        _, merges = gigatoken.train_bpe(source, NUM_BYTES + num_merges, [])
        return merges[: num_frequent(path, merges, min_frequency)]


def num_frequent(path: str, merges: Sequence[Merge], min_frequency: int) -> int:
    """Return how many of the merges joined a pair that occurred at least `min_frequency` ≥ 1 times when joined."""
    # Two occurrences of a string that no token crosses are joined alike, step by step; so a pair that
    # would make a token a second time occurs nowhere, nor does any pair after it.
    merges = merges[: _num_distinct(merges)]
    if not merges or _occurs(path, merges, len(merges) - 1, min_frequency):
        return len(merges)
    low, high = 0, len(merges) - 1
    while low < high:
        middle = (low + high) // 2
        if _occurs(path, merges, middle, min_frequency):
            low = middle + 1
        else:
            high = middle
    return low


def _num_distinct(merges: Sequence[Merge]) -> int:
    """Return how many merges come before the first that makes a token which is there already."""
    made: set[bytes] = set()
    for number, (left, right) in enumerate(merges):
        if left + right in made:
            return number
        made.add(left + right)
    return len(merges)


def _occurs(path: str, merges: Sequence[Merge], number: int, times: int) -> bool:
    """Say whether the pair of a merge occurs so many times after the merges before it; stops once it has."""
    import awkward  # a quarter of a second to import; only who learns needs it

    tokenizer = gigatoken.Tokenizer.from_json(without_special(tokenizer_json(merges[:number])))
    ids_of = token_ids(merges[:number])
    left, right = (ids_of[side] for side in merges[number])
    found = 0
    for chunk in _chunks(path):
        words = pretokenized_counts(chunk, SEPARATOR)
        encoded = tokenizer.encode_batch([word for word, _ in words], parallel=False)
        ids = np.asarray(awkward.flatten(encoded))
        word_of = np.repeat(np.arange(len(words)), np.asarray(awkward.num(encoded)))
        pairs = (ids[:-1] == left) & (ids[1:] == right) & (word_of[:-1] == word_of[1:])
        counts = np.array([count for _, count in words], dtype=np.int64)
        found += int(counts[word_of[:-1][pairs]].sum())
        if found >= times:
            return True
    return False


def _chunks(path: str) -> Iterator[bytes]:
    """Yield the file in pieces of whole texts, about CHUNK_BYTES each."""
    rest = b""
    with open(path, "rb") as source:
        while block := source.read(CHUNK_BYTES):
            whole, separator, tail = block.rpartition(SEPARATOR)
            if separator:
                yield rest + whole
                rest = tail
            else:
                rest += tail
    if rest:
        yield rest


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence gigatoken's notes on both standard streams; a failure still comes as an exception."""
    sys.stdout.flush()
    sys.stderr.flush()
    with ExitStack() as stack, open(os.devnull, "wb") as nowhere:
        for stream in (1, 2):
            saved = os.dup(stream)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, stream)  # called first
            os.dup2(nowhere.fileno(), stream)
        yield
