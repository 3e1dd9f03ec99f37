"""Splits and shards: where each document goes, a pure function of its key, its cluster and the text that is kept.

The split goes by a hash of the smallest id of the document's cluster: no resemblance crosses it, and as the corpus
grows a document moves only when its cluster gets another smallest id. A paper is held out whole: a new version of an
article stays where the old one was, and reviews and replies inside an article go with it. Validation is taken from the
low end of the hash and test from the high end, so that a larger share takes documents from train alone.

The order inside a split is a hash of the key that is one-to-one, and a shard is a range of it. The ranges are cut where
they hold equally much text: found on 2^20 bins of the hash, so the cut is off by the text of a bin at most, which is a
single document in corpora of up to some 200,000, and a five-hundredth of a shard with 48 million documents.

A split without documents has no shard: Hugging Face's datasets loads no dataset of which a split has no rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corpus.arrays.columns import doc_keys
from corpus.arrays.hashing import GOLDEN, splitmix64
from corpus.arrays.types import Keys, Numbers
from corpus.assemble import facts
from corpus.assemble.config import AssembleConfig
from corpus.dedup.resolve import Outcome
from corpus.records import article_keys, paper_keys
from corpus.stage.manifest import SPLITS
from corpus.storage import parquet

BIN_BITS: Final = 20  # 8 bytes a bin and split: 25 MB for any number of documents
_BIN_SHIFT: Final = np.uint64(64 - BIN_BITS)
_ORDER, _SPLIT = 1, 2  # two hashes of one key


@dataclass(frozen=True, kw_only=True, slots=True)
class Shards:
    """The shards of all splits, numbered through: those of train first, then validation's, then test's."""

    starts: tuple[tuple[int, ...], ...]  # of each split: the smallest order of each of its shards, ascending
    text_bytes: tuple[tuple[int, ...], ...]  # of each split: the text of each of its shards, in UTF-8 bytes

    @property
    def num_all(self) -> int:
        """Return the number of shards of all splits."""
        return sum(map(len, self.starts))

    def name(self, number: int) -> tuple[str, str]:
        """Return (split, file name) of a shard."""
        for split, starts in zip(SPLITS, self.starts, strict=True):
            if number < len(starts):
                return split, f"{split}/part-{number:05d}-of-{len(starts):05d}.parquet"
            number -= len(starts)
        raise AssertionError("a shard's number is below num_all")

    def numbers(self, order: Keys, split: npt.NDArray[np.uint8]) -> Numbers:
        """Return the number of the shard of each document, int64[num_docs]; split: positions in SPLITS."""
        number = np.zeros(len(order), np.int64)
        first = 0
        for code, starts in enumerate(self.starts):
            own = split == code
            number[own] = first - 1 + np.searchsorted(np.array(starts, np.uint64), order[own], side="right")
            first += len(starts)
        return number

    def facts(self) -> dict[str, int]:
        """Return the number of shards of each split and the text of the smallest and largest, for the manifest."""
        found: dict[str, int] = {}
        for split, sizes in zip(SPLITS, self.text_bytes, strict=True):
            if sizes:
                found[facts.shards(split)] = len(sizes)
                found[facts.shard_bytes(split, "min")] = min(sizes)
                found[facts.shard_bytes(split, "max")] = max(sizes)
        return found


def order_of(keys: Keys, seed: int) -> Keys:
    """Return the place of each document in the order of its split: one-to-one, so no two documents share one."""
    return _hashed(keys, seed, _ORDER)


def split_of(keys: Keys, outcome: Outcome, config: AssembleConfig) -> npt.NDArray[np.uint8]:
    """Return the split of each document as a position in SPLITS."""
    # A sub-article that resembles nothing goes with its article, wherever that is.
    clusters = outcome.clusters_of(np.where(outcome.are_alone(keys), article_keys(keys), keys))
    unit = (_hashed(paper_keys(clusters), config.seed, _SPLIT) >> np.uint64(11)).astype(np.float64) / 2**53
    validation, test = unit < config.validation, unit >= 1 - config.test
    return np.select([validation, test], [np.uint8(1), np.uint8(2)], np.uint8(0))


def plan_shards(paths: Iterable[str], outcome: Outcome, config: AssembleConfig) -> Shards:
    """Return the shards for the kept documents of some documents parts."""
    scales = Scales(config)
    for path in paths:
        table = parquet.read_table(path, columns=["doc_key", "length"])
        scales.add(doc_keys(table), table.column("length").to_numpy(), outcome)
    return scales.shards()


class Scales:
    """The text that is kept, by split and by bin of the order; 25 MB for any number of documents."""

    def __init__(self, config: AssembleConfig) -> None:
        """Begin with nothing."""
        self._config = config
        self._bytes = np.zeros(len(SPLITS) << BIN_BITS, np.int64)
        self._documents = np.zeros(len(SPLITS), np.int64)

    def add(self, keys: Keys, lengths: Numbers, outcome: Outcome) -> None:
        """Add documents, dropped ones too; lengths: of their texts in UTF-8 bytes."""
        if self._config.duplicates == "drop":
            kept = outcome.index_of(keys) < 0
            keys, lengths = keys[kept], lengths[kept]
        split = split_of(keys, outcome, self._config).astype(np.int64)
        bins = (order_of(keys, self._config.seed) >> _BIN_SHIFT).astype(np.int64)
        np.add.at(self._bytes, split << BIN_BITS | bins, lengths)
        self._documents += np.bincount(split, minlength=len(SPLITS))

    def shards(self) -> Shards:
        """Return the shards for the documents added, each of `shard_mb` of text at most, or a document more.

        A corpus of no documents has one, of train, so that its columns can be read.
        """
        documents = self._documents if self._documents.any() else (1, 0, 0)
        wanted = self._config.shard_mb * 1_000_000
        cuts = [
            cut(weights, -(-int(weights.sum()) // wanted)) if count else ((), ())
            for weights, count in zip(self._bytes.reshape(len(SPLITS), -1), documents, strict=True)
        ]
        starts = [tuple(place << int(_BIN_SHIFT) for place in places) for places, _ in cuts]
        return Shards(starts=tuple(starts), text_bytes=tuple(tuple(sizes) for _, sizes in cuts))


def cut(weights: Numbers, num_shards: int) -> tuple[Sequence[int], Sequence[int]]:
    """Return (first bins, weights) of so many ranges of bins, at least one, of weights as equal as bins allow.

    Each border is the one nearest to its place, so a range is off by the weight of the heaviest bin at most.
    """
    num_shards = max(1, num_shards)
    ends = np.concatenate([[0], np.cumsum(weights)])
    goals = np.arange(num_shards) * int(ends[-1]) // num_shards
    after = np.clip(np.searchsorted(ends, goals), 1, len(weights))
    before_is_nearer = goals - ends[after - 1] <= ends[after] - goals
    places = np.minimum(np.where(before_is_nearer, after - 1, after), len(weights) - 1)
    sizes = np.diff(np.append(ends[places], ends[-1]))
    return places.tolist(), sizes.tolist()


def _hashed(keys: Keys, seed: int, purpose: int) -> Keys:
    salt = splitmix64(np.array([(seed + purpose * int(GOLDEN)) % 2**64], np.uint64))
    return splitmix64(splitmix64(keys ^ salt) + GOLDEN)
