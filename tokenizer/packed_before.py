"""Tokens packed before: `pack --update` copies those of a text that the result there holds, and encodes the others.

A text is known by its document's key and its hash (`tokenizer.packed_documents`). The order of a split is that of a
hash, so the documents of shard j of n lay in about the same part of the old shards, and only those are looked through:
memory is bounded by a few shards. What is not found there (a new text, a document that moved to another split, another
seed of the order) is encoded, and so is what a damaged file held: copying changes no byte of the result.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from corpus import storage
from corpus.arrays.lookup import index_in_sorted
from corpus.errors import CorruptError
from corpus.stage.manifest import Manifest, Part
from tokenizer.arrays import TokenCounts, TokenIds
from tokenizer.encode import TextEncoder
from tokenizer.hf_json import TOKENIZER
from tokenizer.megatron import read_index
from tokenizer.packed_documents import PackedDocuments, read_documents

MARGIN = 1  # shards on either side that are looked through too: borders move as texts come and go


@dataclass(frozen=True, kw_only=True, slots=True)
class OldShard:
    """One shard that was packed before: its documents, ordered by key, and where their tokens lie in its ids."""

    documents: PackedDocuments
    starts: npt.NDArray[np.int64]
    lengths: TokenCounts  # `<|endoftext|>` included
    ids: TokenIds


@dataclass(kw_only=True)
class PackedBefore:
    """Result of an earlier `pack` with the same tokenizer and code, below `base`."""

    base: str
    manifest: Manifest
    _open: dict[str, OldShard | None] = field(default_factory=dict)  # by the name of its ids; None: damaged

    def shards_near(self, split: str, number: int, of: int) -> list[OldShard]:
        """Return the old shards that may hold documents of shard `number` of so many of a split."""
        parts = [part for part in self.manifest.parts if part.role == split]
        if not of:
            return []
        first = number * len(parts) // of - MARGIN
        last = -(-(number + 1) * len(parts) // of) + MARGIN
        near = parts[max(first, 0) : last]
        self._open = {part.name: self._open[part.name] for part in near if part.name in self._open}
        for part in near:
            if part.name not in self._open:
                self._open[part.name] = self._read(part)
        return [shard for part in near if (shard := self._open[part.name]) is not None]

    def _read(self, part: Part) -> OldShard | None:
        """Return a shard of which every file is what the manifest says, else None."""
        stem = part.name.removesuffix(".bin")
        stated = {other.name: other for other in self.manifest.parts}
        try:
            index, documents = (stated[f"{stem}.{suffix}"] for suffix in ("idx", "docs"))
            for other in (index, documents):
                if storage.sha256_file(storage.join(self.base, other.path)) != other.sha256:
                    return None
            known = read_index(storage.join(self.base, index.path))
            rows = read_documents(storage.join(self.base, documents.path), len(known.lengths))
            with storage.open_read(storage.join(self.base, part.path)) as source:
                raw = source.read()
        except (KeyError, OSError, CorruptError):
            return None
        if hashlib.sha256(raw).hexdigest() != part.sha256:
            return None
        by_key = np.argsort(rows["key"], kind="stable")
        return OldShard(
            documents=rows[by_key],
            starts=known.starts[by_key],
            lengths=known.lengths[by_key],
            ids=np.frombuffer(raw, known.id_type),
        )


def packed_before(base: str, manifest: Manifest, *, tokenizer: str, revision: int) -> PackedBefore | None:
    """Return an earlier result, None when its tokens are of another code or tokenizer; tokenizer: the text of ours."""
    own = hashlib.sha256(tokenizer.encode()).hexdigest()
    same = any(part.name == TOKENIZER and part.sha256 == own for part in manifest.parts)
    if manifest.revision != revision or not same:
        return None
    return PackedBefore(base=base, manifest=manifest)


def old_tokens(shards: Sequence[OldShard], documents: PackedDocuments) -> list[TokenIds | None]:
    """Return the ids of each document, without `<|endoftext|>`, None for those whose text no shard holds."""
    found: list[TokenIds | None] = [None] * len(documents)
    for shard in shards:
        if not len(shard.documents):
            continue
        at = index_in_sorted(documents["key"], shard.documents["key"])
        for row in np.flatnonzero((at >= 0) & (shard.documents[at] == documents)).tolist():
            start = shard.starts[at[row]]
            found[row] = shard.ids[start : start + shard.lengths[at[row]] - 1]
    return found


def encoded_or_copied(
    encoder: TextEncoder, texts: Sequence[bytes], known: Sequence[TokenIds | None]
) -> tuple[TokenIds, TokenCounts]:
    """Return the ids of all texts behind one another, and each text's number of ids; known: those that are copied."""
    unknown = [place for place, ids in enumerate(known) if ids is None]
    ids, lengths = encoder.encode([texts[place].decode() for place in unknown])
    if len(unknown) == len(texts):
        return ids, lengths
    pieces = [np.empty(0, np.uint16) if own is None else own for own in known]
    for place, own in zip(unknown, np.split(ids, np.cumsum(lengths)[:-1]), strict=False):
        pieces[place] = own
    return np.concatenate(pieces), np.array([len(piece) for piece in pieces], np.int64)


def check_copied(encoder: TextEncoder, texts: Sequence[bytes], known: Sequence[TokenIds | None]) -> None:
    """Hold tokens that were packed before against ours; raises CorruptError at any difference."""
    copied = [(text.decode(), ids) for text, ids in zip(texts, known, strict=False) if ids is not None]
    ids, lengths = encoder.encode([text for text, _ in copied])
    for (text, old), own in zip(copied, np.split(ids, np.cumsum(lengths)[:-1]), strict=False):
        if own.tolist() != old.tolist():
            raise CorruptError(
                f"the tokens that were packed before for a text that starts with {text[:80]!r} are others than its "
                "tokenizer's; nothing was committed. Run `corpuscle pack` into a new directory"
            )
