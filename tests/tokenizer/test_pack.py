"""Packing: every token is in the ledger, a restart reuses what is done, and rows are windows of the stream."""

from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorruptError, DataError, UsageError
from corpus.stage.manifest import SPLITS, Manifest, read_manifest, verify_parts
from corpus.stage.workspace import Receipt, Workspace
from corpus.storage import parquet
from tests.support.small_corpus import mixed_corpus, write_corpus
from tokenizer.config import END_OF_TEXT, PackConfig, TokenizerConfig
from tokenizer.encode import Encoder
from tokenizer.learn import learn
from tokenizer.megatron import read_index
from tokenizer.pack import PackTask, finish_pack, pack_shard, plan_pack
from tokenizer.token_rows import TokenRows

CONFIG = PackConfig(seq_length=16, check_sample=5)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a corpus and a tokenizer."""
    folder = tmp_path_factory.mktemp("base")
    mixed_corpus(folder / "corpus")
    learn(TokenizerConfig(vocab_size=400), corpus=str(folder / "corpus"), output=str(folder / "tokenizer"))
    return folder


def plan(base: Path, output: Path, corpus: Path | None = None) -> tuple[Workspace, Manifest | None, list[PackTask]]:
    return plan_pack(
        CONFIG, corpus=str(corpus or base / "corpus"), tokenizer=str(base / "tokenizer"), output=str(output)
    )


def run_task(base: Path, workspace: Workspace, task: PackTask) -> Receipt:
    return pack_shard(
        task.corpus_shard,
        tokenizer=str(base / "tokenizer"),
        stem=task.stem,
        workspace=workspace,
        role=task.role,
        config=CONFIG,
    )


def pack(base: Path, output: Path, *, corpus: Path | None = None, backwards: bool = False) -> Manifest:
    workspace, _, tasks = plan(base, output, corpus)
    receipts = [run_task(base, workspace, task) for task in (reversed(tasks) if backwards else tasks)]
    manifest = finish_pack(workspace, receipts, CONFIG, tokenizer=str(base / "tokenizer"), tasks=tasks)
    workspace.clean()
    return manifest


def texts_of(corpus: Path, split: str) -> list[str]:
    paths = read_manifest(str(corpus), "assemble").paths(str(corpus), split)
    return [text for path in paths for text in parquet.read_table(path, ["text"])["text"].to_pylist()]


def test_the_stream_is_what_tokenizers_says(base: Path, tmp_path: Path) -> None:
    manifest = pack(base, tmp_path / "tokens")
    oracle = tokenizers.Tokenizer.from_file(str(tmp_path / "tokens" / "tokenizer.json"))
    for split in ("train", "validation"):
        texts = [text for text in texts_of(base / "corpus", split) if text]
        stream = [number for text in texts for number in [*oracle.encode(text).ids, 399]]
        account = manifest.summary["splits"][split]
        assert account["tokens"] == len(stream) == account["rows"] * 16 + account["tail"]
        rows = TokenRows(str(tmp_path / "tokens"), split)
        assert len(rows) == account["rows"] > 10
        assert rows.rows(np.arange(len(rows))).ravel().tolist() == stream[: account["rows"] * 16]
        assert rows.row(3).tolist() == stream[48:64]
        starts = rows.document_starts
        assert starts[0] == 0
        assert len(starts) == len(texts)
        assert all(stream[start - 1] == 399 for start in starts[1:].tolist())
        assert rows.fingerprint == manifest.fingerprint


def test_manifest_and_files_agree(base: Path, tmp_path: Path) -> None:
    manifest = pack(base, tmp_path / "tokens")
    assert list(verify_parts(str(tmp_path / "tokens"), manifest)) == []
    assert [part.path for part in manifest.parts if part.role == "train"] == ["train-00000.bin", "train-00001.bin"]
    assert {item.name for item in manifest.inputs} == {"assemble", "tokenizer"}
    assert manifest.summary["tokenizer"] == read_manifest(str(base / "tokenizer")).fingerprint
    assert (manifest.summary["vocab_size"], manifest.summary["end_of_text"]) == (400, 399)
    assert Encoder.load(str(tmp_path / "tokens")).vocab_size == 400
    assert plan(base, tmp_path / "tokens")[1] == manifest


def test_the_order_of_tasks_does_not_matter(base: Path, tmp_path: Path) -> None:
    assert pack(base, tmp_path / "a") == pack(base, tmp_path / "b", backwards=True)
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()


def test_finished_shards_are_reused_and_damaged_ones_made_again(base: Path, tmp_path: Path) -> None:
    workspace, _, tasks = plan(base, tmp_path / "tokens")
    first = run_task(base, workspace, tasks[0])
    path = tmp_path / "tokens" / "train-00000.bin"
    written = path.stat().st_mtime_ns
    assert run_task(base, workspace, tasks[0]) == first
    assert path.stat().st_mtime_ns == written
    raw = path.read_bytes()
    path.write_bytes(raw[:-2])
    assert run_task(base, workspace, tasks[0]) == first
    assert path.read_bytes() == raw


def test_a_missing_or_short_shard_stops_the_commit(base: Path, tmp_path: Path) -> None:
    workspace, _, tasks = plan(base, tmp_path / "tokens")
    receipts = [run_task(base, workspace, task) for task in tasks]
    finish = {"tokenizer": str(base / "tokenizer"), "tasks": tasks}
    with pytest.raises(DataError, match="no result, the corpus manifest says"):
        finish_pack(workspace, receipts[1:], CONFIG, **finish)  # type: ignore[arg-type]
    finish["tasks"] = [*tasks[:-1], PackTask(corpus_shard="x", stem=tasks[-1].stem, role="validation", documents=7)]
    with pytest.raises(DataError, match="30 documents, the corpus manifest says 7"):
        finish_pack(workspace, receipts, CONFIG, **finish)  # type: ignore[arg-type]
    assert not (tmp_path / "tokens" / "manifest.json").exists()


TEXT = st.one_of(st.just(""), st.just(END_OF_TEXT), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
SHARD = st.tuples(st.sampled_from(SPLITS), st.lists(st.tuples(st.sampled_from(["pubmed", "pmc"]), TEXT), max_size=8))


@settings(max_examples=25, deadline=None)
@given(shards=st.lists(SHARD, max_size=4))
def test_the_ledger_balances(
    base: Path, tmp_path_factory: pytest.TempPathFactory, shards: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    write_corpus(folder / "corpus", shards)
    manifest = pack(base, folder / "tokens", corpus=folder / "corpus")
    documents = [document for _, shard in shards for document in shard]
    assert manifest.books.read == len(documents)
    assert manifest.books.kept == sum(text != "" for _, text in documents)
    assert set(manifest.summary["splits"]) == {split for split, _ in shards}
    for split, account in manifest.summary["splits"].items():
        own = [document for role, shard in shards if role == split for document in shard if document[1]]
        assert account["documents"] == account["end_of_text_tokens"] == len(own)
        assert account["text_bytes"] == sum(len(text.encode()) for _, text in own)
        assert account["tokens"] == account["rows"] * 16 + account["tail"]
        assert 0 <= account["tail"] < 16
        assert account["tokens"] == sum(account["tokens_by_source"].values())
        for source, count in account["documents_by_source"].items():
            assert count == sum(each == source for each, _ in own)
        paths = manifest.paths(str(folder / "tokens"), f"{split}_index")
        assert sum(read_index(path).num_tokens for path in paths) == account["tokens"]
        rows = TokenRows(str(folder / "tokens"), split)
        assert len(rows) == account["rows"]
        assert len(rows.document_starts) == len(own)
        stream = rows.rows(np.arange(len(rows)))
        assert np.count_nonzero(stream == rows.end_of_text) <= len(own)  # the letters of it are no end of text


def test_damage_is_noticed_before_training(base: Path, tmp_path: Path) -> None:
    pack(base, tmp_path / "tokens")
    tokens = str(tmp_path / "tokens")
    with pytest.raises(UsageError, match="no split 'test'"):
        TokenRows(tokens, "test")
    with pytest.raises(IndexError):
        TokenRows(tokens, "train").row(len(TokenRows(tokens, "train")))
    with pytest.raises(IndexError):
        TokenRows(tokens, "train").rows([0, -1])
    with pytest.raises(UsageError, match="local disk"):
        TokenRows("gs://bucket/tokens", "train")
    path = tmp_path / "tokens" / "train-00001.bin"
    raw = path.read_bytes()
    path.write_bytes(raw[:-2])
    with pytest.raises(CorruptError, match=f"{len(raw) - 2} bytes, the manifest says {len(raw)}"):
        TokenRows(tokens, "train")
    path.unlink()
    with pytest.raises(CorruptError, match="missing"):
        TokenRows(tokens, "train")
    TokenRows(tokens, "validation")


def test_a_damaged_corpus_shard_stops_the_task(base: Path, tmp_path: Path) -> None:
    mixed_corpus(tmp_path / "corpus", seed=4)
    workspace, _, tasks = plan(base, tmp_path / "tokens", tmp_path / "corpus")
    shard = Path(tasks[0].corpus_shard)
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(CorruptError):
        run_task(base, workspace, tasks[0])
    assert not (tmp_path / "tokens" / "train-00000.bin").exists()
