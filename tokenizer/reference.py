"""Reference BPE, learning and encoding: slow and plain, the oracle of the tests for the fast code.

Follows Sennrich, Haddow and Birch (arXiv 1508.07909) on bytes, with GPT-2's split into words and Hugging
Face's rule for ties: of the pairs seen most often, the one whose two ids are lowest. Written from the
papers and the regex, not from the libraries. Letters and numbers are those of this Python's Unicode.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tokenizer.hf_json import Merge, token_ids

_SPACE = {*map(chr, range(0x09, 0x0E)), *"\x20\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"}
_SPACE |= {*map(chr, range(0x2000, 0x200B))}
_CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def split_words(text: str) -> list[str]:
    r"""Split as GPT-2 does: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ ."""
    words, start = [], 0
    while start < len(text):
        end = _word_end(text, start)
        words.append(text[start:end])
        start = end
    return words


def train(texts: Iterable[str], *, num_merges: int, min_frequency: int) -> list[Merge]:
    """Return at most `num_merges` merges, in the order learned."""
    counts = Counter(word for text in texts for word in split_words(text))
    words = {word: [bytes([byte]) for byte in word.encode()] for word in counts}
    ids = token_ids([])
    merges: list[Merge] = []
    while len(merges) < num_merges:
        pairs: Counter[Merge] = Counter()
        for word, tokens in words.items():
            for pair in pairwise(tokens):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], ids[pair[0]], ids[pair[1]]))
        if pairs[best] < min_frequency:
            break
        merges.append(best)
        ids[best[0] + best[1]] = len(ids)
        words = {word: _join(tokens, best) for word, tokens in words.items()}
    return merges


def encode(text: str, merges: Sequence[Merge]) -> list[bytes]:
    """Return the tokens of a text: in every word, the earliest learned pair is joined first."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    out: list[bytes] = []
    for word in split_words(text):
        tokens = [bytes([byte]) for byte in word.encode()]
        while known := [pair for pair in pairwise(tokens) if pair in ranks]:
            tokens = _join(tokens, min(known, key=ranks.__getitem__))
        out += tokens
    return out


def _word_end(text: str, start: int) -> int:
    for contraction in _CONTRACTIONS:
        if text.startswith(contraction, start):
            return start + len(contraction)
    first = start + 1 if text[start] == " " and start + 1 < len(text) else start
    kind = _kind(text[first])
    if kind != "space":
        return _run_end(text, first, kind)
    end = _run_end(text, start, "space")
    # Of several spaces before a word the last goes with the word, or stands alone.
    return end - 1 if end < len(text) and end - start > 1 else end


def _run_end(text: str, start: int, kind: str) -> int:
    end = start
    while end < len(text) and _kind(text[end]) == kind:
        end += 1
    return end


def _kind(letter: str) -> str:
    if letter in _SPACE:
        return "space"
    return {"L": "letter", "N": "number"}.get(unicodedata.category(letter)[0], "other")


def _join(tokens: list[bytes], pair: Merge) -> list[bytes]:
    """Join a pair wherever it occurs, from the left."""
    out: list[bytes] = []
    for token in tokens:
        if out and (out[-1], token) == pair:
            out[-1] += token
        else:
            out.append(token)
    return out
