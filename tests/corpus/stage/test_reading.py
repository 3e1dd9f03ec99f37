"""Readers of a finished stage: what they read is what its manifest names, from the start to their own commit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from corpus.assemble.inputs import StoredParts
from corpus.errors import CorruptError, RetryError
from corpus.stage import reading
from corpus.stage.manifest import MANIFEST, Input, Manifest, has_manifest, write_manifest
from corpus.stage.reading import read_whole, without_readers
from corpus.stage.workspace import RECEIPTS, Receipt, plan_stage
from corpus.storage import parquet
from tests.support.small_corpus import mixed_corpus
from tests.support.small_tokens import made_up_texts, write_tokens
from tokenizer import learn as learning
from tokenizer.config import PackConfig, TokenizerConfig
from tokenizer.learn import learn
from tokenizer.pack import finish_pack, pack_shard, plan_pack
from tokenizer.token_rows import TokenRows

CONFIG = PackConfig(seq_length=16, check_sample=5)


@pytest.fixture(params=["local", "remote"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "records") if request.param == "local" else f"memory://{tmp_path.name}/records"


def commit(base: str) -> Manifest:
    workspace, _ = plan_stage(base, stage="extract", revision=1, config={}, inputs=[])
    parquet.write_table(workspace.path("records/a.parquet"), pa.table({"doc_id": ["pmid:1"]}))
    part = workspace.measure("records/a.parquet", role="records", rows=1)
    return workspace.commit([Receipt(task="a", parts=(part,))], summary={})


def test_a_stage_commits_nothing_when_what_it_read_changed(base: str) -> None:
    source, output = commit(base), f"{base}-corpus"
    inputs = [Input(name="extract", fingerprint=source.fingerprint)]
    for changed in (replace(source, fingerprint="other"), None):
        workspace, _ = plan_stage(
            output, stage="assemble", revision=1, config={}, inputs=inputs, sources={base: source}
        )
        receipt = workspace.finish(Receipt(task="a"))
        if changed is None:
            reading.storage.remove_file(f"{base}/{MANIFEST}")
        else:
            write_manifest(base, changed)
        with pytest.raises(RetryError, match="records: changed while it was read"):
            workspace.commit([receipt], summary={})
        assert not has_manifest(output)
        assert workspace.receipts("a") == {}  # what they say may be of the other records
        write_manifest(base, source)
    workspace.commit([receipt], summary={})
    assert has_manifest(output)


def test_a_part_that_is_missing_or_cut_is_named_to_whoever_reads_it(base: str) -> None:
    commit(base)
    assert read_whole(base, "extract", ("records",)).stage == "extract"
    reading.storage.remove_file(f"{base}/records/a.parquet")
    with pytest.raises(CorruptError, match=r"records/a\.parquet: missing; the `corpuscle extract` that made them, run"):
        read_whole(base, "extract", ("records",))
    assert read_whole(base, "extract", ("rejects",)).stage == "extract"


def test_a_part_that_is_another_one_is_named_when_it_was_read(tmp_path: Path) -> None:
    manifest = commit(str(tmp_path))
    (part,), path = manifest.parts, str(tmp_path / "records/a.parquet")
    assert [batch.num_rows for batch in StoredParts(paths=(path,), digests=(part.sha256,)).batches(0)] == [1]
    with pytest.raises(CorruptError, match="differs from the manifest's sha256"):
        list(StoredParts(paths=(path,), digests=("0" * 64,)).batches(0))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("base")
    return folder / "corpus", mixed_corpus(folder / "corpus")


def test_learning_holds_the_corpus_and_checks_it(
    corpus: tuple[Path, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, manifest = corpus
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0)
    real, tried = learning.learn_merges, []

    def tries(*arguments: object, **named: object) -> object:
        with pytest.raises(RetryError, match="somebody reads the result"), without_readers(str(folder)):
            pass
        tried.append(1)
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(learning, "learn_merges", tries)
    learn(TokenizerConfig(vocab_size=300), corpus=str(folder), output=str(tmp_path / "tokenizer"))
    assert tried == [1]
    with without_readers(str(folder)):  # it lets go
        pass
    write_manifest(str(folder), with_other_hashes(manifest))
    with pytest.raises(CorruptError, match="differs from the manifest's sha256"):
        learn(TokenizerConfig(vocab_size=300), corpus=str(folder), output=str(tmp_path / "again"))
    write_manifest(str(folder), manifest)


def with_other_hashes(manifest: Manifest) -> Manifest:
    return replace(manifest, parts=tuple(replace(part, sha256="0" * 64) for part in manifest.parts))


def test_packing_checks_the_shards_and_the_manifests(corpus: tuple[Path, Manifest], tmp_path: Path) -> None:
    folder, manifest = corpus
    words = str(tmp_path / "tokenizer")
    learn(TokenizerConfig(vocab_size=300), corpus=str(folder), output=words)
    workspace, _, tasks = plan_pack(CONFIG, corpus=str(folder), tokenizer=words, output=str(tmp_path / "tokens"))

    def packed(sha256: str | None, number: int) -> Receipt:
        task = tasks[number]
        return pack_shard(
            task.corpus_shard, tokenizer=words, stem=task.stem, workspace=workspace, role=task.role, config=CONFIG,
            sha256=sha256,
        )  # fmt: skip

    with pytest.raises(CorruptError, match="differs from the manifest's sha256"):
        packed("0" * 64, 0)
    assert workspace.num_finished() == 0
    receipts = [packed(task.sha256, number) for number, task in enumerate(tasks)]
    write_manifest(str(folder), replace(manifest, fingerprint="other"))
    with pytest.raises(RetryError, match="corpus: changed while it was read"):
        finish_pack(workspace, receipts, CONFIG, tokenizer=words, tasks=tasks)
    assert not (tmp_path / "tokens" / RECEIPTS).exists()
    write_manifest(str(folder), manifest)


def test_token_rows_are_held_as_long_as_they_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0)
    tokens = write_tokens(tmp_path / "tokens", made_up_texts(20, seed=1), vocab_size=300, seq_length=16)
    rows = TokenRows(str(tokens), "train")
    with pytest.raises(RetryError, match="somebody reads"), without_readers(str(tokens)):
        pass
    assert rows.rows(np.arange(2)).shape == (2, 16)
    del rows
    with without_readers(str(tokens)):
        pass
