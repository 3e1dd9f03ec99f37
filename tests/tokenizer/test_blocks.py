"""Tokens are proven before they are read: blocks of every shard, or all of it, and no id beyond the vocabulary."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xxhash

from corpus.errors import CorruptError
from corpus.stage.manifest import read_manifest, write_manifest
from corpus.storage import sha256_file
from tests.support.small_corpus import mixed_corpus
from tests.support.small_tokens import made_up_texts, write_tokens
from tests.tokenizer.test_pack import pack as packed
from tokenizer import blocks
from tokenizer.blocks import BLOCKS, check_tokens, chosen_blocks
from tokenizer.config import TokenizerConfig
from tokenizer.learn import learn
from tokenizer.token_rows import TokenRows

SPLITS = ("train", "validation")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack, in blocks so small that its shards have many."""
    base = tmp_path_factory.mktemp("base")
    mixed_corpus(base / "corpus")
    learn(TokenizerConfig(vocab_size=400), corpus=str(base / "corpus"), output=str(base / "tokenizer"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", 64)
        packed(base, base / "tokens")
    return base / "tokens"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack as it was before there were digests of blocks."""
    return write_tokens(
        tmp_path_factory.mktemp("older") / "tokens", made_up_texts(20, seed=1), vocab_size=300, seq_length=16
    )


@pytest.fixture
def tokens(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64)
    shutil.copytree(made, tmp_path / "tokens")
    return tmp_path / "tokens"


def shard(tokens: Path) -> Path:
    return max(tokens.glob("train-*.bin"), key=lambda path: path.stat().st_size)


def change(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_the_digests_are_those_of_the_bytes(tokens: Path) -> None:
    stated = json.loads((tokens / BLOCKS).read_text())
    assert {*stated["xxh3"]} == {path.name for path in tokens.glob("*.bin")}
    content = shard(tokens).read_bytes()
    own = [xxhash.xxh3_128_hexdigest(content[at : at + 64]) for at in range(0, len(content), 64)]
    assert stated["xxh3"][shard(tokens).name] == own
    sizes = sum(path.stat().st_size for split in SPLITS for path in tokens.glob(f"{split}-*.bin"))
    assert check_tokens(str(tokens), SPLITS) == check_tokens(str(tokens), SPLITS, whole=True) == sizes


def test_all_tokens_replaced_is_seen(tokens: Path) -> None:
    ids = np.fromfile(shard(tokens), "<u2")
    ((ids + 1) % 399).astype("<u2").tofile(shard(tokens))
    for whole in (False, True):
        with pytest.raises(CorruptError, match=rf"{shard(tokens).name}: not the tokens that were packed"):
            check_tokens(str(tokens), SPLITS, whole=whole)


def test_a_sample_sees_the_first_and_the_last_block_and_all_sees_all(
    tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "SAMPLE_BYTES", 0)
    path, whole = shard(tokens), shard(tokens).read_bytes()
    for at in (0, len(whole) - 1):
        change(path, at)
        with pytest.raises(CorruptError, match=f"in the block at byte {at // 64 * 64:,}; put it back"):
            check_tokens(str(tokens), SPLITS)
        path.write_bytes(whole)
    change(path, len(whole) // 2)
    check_tokens(str(tokens), SPLITS)
    with pytest.raises(CorruptError, match="SHA-256"):
        check_tokens(str(tokens), SPLITS, whole=True)


def test_older_packs_are_read_whole(older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SAMPLE_BYTES", 0)
    shutil.copytree(older, tmp_path / "tokens")
    path = shard(tmp_path / "tokens")
    assert check_tokens(str(tmp_path / "tokens"), ("train",)) == path.stat().st_size
    change(path, path.stat().st_size // 2 & ~1)
    with pytest.raises(CorruptError, match="SHA-256"):
        check_tokens(str(tmp_path / "tokens"), SPLITS)


def test_an_id_beyond_the_vocabulary_is_named_with_its_place(older: Path, tmp_path: Path) -> None:
    """In tokens that are what their manifest says: those of another tokenizer."""
    tokens = tmp_path / "tokens"
    shutil.copytree(older, tokens)
    ids = np.fromfile(shard(tokens), "<u2")
    ids[1000] = 300
    ids.tofile(shard(tokens))
    manifest = read_manifest(str(tokens))
    parts = [
        dataclasses.replace(part, sha256=sha256_file(str(tokens / part.path))) if part.path.endswith(".bin") else part
        for part in manifest.parts
    ]
    write_manifest(str(tokens), dataclasses.replace(manifest, parts=tuple(parts)))
    with pytest.raises(
        CorruptError, match=r"the id 300 at byte 2,000 \(token 1,000\), and the vocabulary has only 300"
    ):
        check_tokens(str(tokens), SPLITS)
    rows = TokenRows(str(tokens), "train")
    with pytest.raises(CorruptError, match="row 62 of train holds the id 300"):
        rows.rows([3, 62])
    assert rows.rows([3]).shape == (1, 16)


@pytest.mark.parametrize("damage", ["missing", "changed", "the shard is cut"])
def test_damaged_digests_and_sizes_are_errors(tokens: Path, damage: str) -> None:
    if damage == "missing":
        (tokens / BLOCKS).unlink()
    elif damage == "changed":
        change(tokens / BLOCKS, 100)
    else:
        shard(tokens).write_bytes(shard(tokens).read_bytes()[:-2])
    with pytest.raises(CorruptError, match="put it back from a copy"):
        check_tokens(str(tokens), SPLITS)


def test_a_sample_is_spread_and_always_the_same() -> None:
    mib = 1 << 20
    assert chosen_blocks(0, None) == chosen_blocks(0, mib) == []
    assert chosen_blocks(1, 0) == [0]
    assert chosen_blocks(10 * mib, None) == list(range(10))
    assert chosen_blocks(10 * mib, 100 * mib) == list(range(10))
    assert chosen_blocks(10 * mib + 1, 0) == [0, 10]
    assert chosen_blocks(101 * mib, 5 * mib) == [0, 25, 50, 75, 100]
