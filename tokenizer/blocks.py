"""Digests of blocks of token shards, `blocks.json`: they show within seconds that tokens are those that were packed.

`pack` writes the XXH3 (128 bits) of every MiB of every `.bin`; its own SHA-256 stands in the manifest. A reader hashes
all blocks of small shards, and of large ones the first, the last and some evenly between, always the same. An id beyond
the vocabulary is looked for in what was read. Against damage and mix-ups, as all our hashes, not against an opponent.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xxhash

from corpus import storage
from corpus.errors import CorruptError
from corpus.stage.manifest import Manifest, Part, read_manifest
from corpus.storage.json_files import BadJsonError, build, read_json
from tokenizer.arrays import id_type

BLOCKS = "blocks.json"
BLOCK_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 30  # read of all shards together at most, but for two blocks of each
_AGAIN = "put it back from a copy, or run `corpuscle pack` into a new directory"


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockDigests:
    """The file `blocks.json`: the XXH3 of each block of each token shard, by the shard's name."""

    block_bytes: int  # of every block but a shard's last [bytes]
    xxh3: Mapping[str, tuple[str, ...]]  # hexadecimal, in the order of the blocks


def block_digests(path: str) -> list[str]:
    """Return the digest of each block of a token shard, in order."""
    with storage.open_read(path) as source:
        return [xxhash.xxh3_128_hexdigest(block) for block in iter(lambda: source.read(BLOCK_BYTES), b"")]


def write_blocks(path: str, digests: Mapping[str, Sequence[str]]) -> None:
    """Write the digests of the blocks of all shards, by their names."""
    content = BlockDigests(block_bytes=BLOCK_BYTES, xxh3={name: tuple(own) for name, own in sorted(digests.items())})
    with storage.write_atomic(path) as sink:
        sink.write(json.dumps(asdict(content), indent=0, sort_keys=True).encode() + b"\n")


def check_tokens(tokens: str, splits: Sequence[str], *, whole: bool = False) -> int:
    """Hold the token shards of some splits of a `pack` against its digests; return the bytes that were read.

    `whole` reads every byte and holds it against the manifest's SHA-256, as is always done where `pack` wrote no
    digests of blocks (before 2026-12). Raises CorruptError, with file and byte, for content that was changed, a file
    that is missing or has another size, and an id that the vocabulary does not have.
    """
    manifest = read_manifest(tokens, "pack")
    parts = [part for part in manifest.parts if part.role in splits]
    stated = _read_blocks(tokens, manifest)
    vocabulary, read = int(manifest.summary["vocab_size"]), 0
    for part in parts:
        path = storage.join(tokens, part.path)
        size = storage.size(path) if storage.exists(path) else -1
        if size != part.bytes:
            found = "missing" if size < 0 else f"{size} bytes"
            raise CorruptError(f"{path}: {found}, the manifest says {part.bytes} bytes; {_AGAIN}")
        all_of_it = whole or stated is None
        if all_of_it and storage.sha256_file(path) != part.sha256:
            raise CorruptError(f"{path}: not the tokens that were packed (its SHA-256 is another); {_AGAIN}")
        numbers = chosen_blocks(part.bytes, None if all_of_it else SAMPLE_BYTES // len(parts))
        for number, block in _blocks(path, numbers):
            if stated is not None and xxhash.xxh3_128_hexdigest(block) != _digest(stated, part, number):
                at = number * BLOCK_BYTES
                raise CorruptError(f"{path}: not the tokens that were packed, in the block at byte {at:,}; {_AGAIN}")
            _check_ids(path, number, block, vocabulary)
            read += len(block)
    return read


def chosen_blocks(size: int, at_most: int | None) -> list[int]:
    """Return the numbers of the blocks of a shard of `size` bytes that are read: all, or about `at_most` bytes of it.

    The first and the last are among them, the others evenly between.
    """
    count = -(-size // BLOCK_BYTES)
    wanted = count if at_most is None else min(count, max(2, at_most // BLOCK_BYTES))
    return sorted({round(place) for place in np.linspace(0, count - 1, wanted)}) if count else []


def _read_blocks(tokens: str, manifest: Manifest) -> BlockDigests | None:
    """Return the digests of the blocks, of a file that is what the manifest says; None where `pack` wrote none."""
    part = next((part for part in manifest.parts if part.name == BLOCKS), None)
    if part is None:
        return None
    path = storage.join(tokens, part.path)
    if not storage.exists(path) or storage.sha256_file(path) != part.sha256:
        raise CorruptError(f"{path}: missing, or not what was written (its SHA-256 is another); {_AGAIN}")
    try:
        stated = build(BlockDigests, read_json(path, _AGAIN))
    except BadJsonError as error:
        raise CorruptError(f"{path}: not the digests of blocks ({error}); {_AGAIN}") from error
    if stated.block_bytes != BLOCK_BYTES:
        raise CorruptError(f"{path}: blocks of {stated.block_bytes} bytes, this version has {BLOCK_BYTES}; {_AGAIN}")
    return stated


def _digest(stated: BlockDigests, part: Part, number: int) -> str | None:
    known = stated.xxh3.get(part.name, ())
    return known[number] if number < len(known) else None


def _blocks(path: str, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    with storage.open_read(path) as source:
        for number in numbers:
            source.seek(number * BLOCK_BYTES)
            yield number, source.read(BLOCK_BYTES)


def _check_ids(path: str, number: int, block: bytes, vocabulary: int) -> None:
    ids = np.frombuffer(block, id_type(vocabulary))
    if ids.max(initial=0) >= vocabulary:
        place = int(np.argmax(ids >= vocabulary))
        at = number * BLOCK_BYTES + place * ids.itemsize
        raise CorruptError(
            f"{path}: the id {ids[place]} at byte {at:,} (token {at // ids.itemsize:,}), and the vocabulary has only "
            f"{vocabulary:,}: its tokenizer is another; run `corpuscle pack` again into a new directory"
        )
