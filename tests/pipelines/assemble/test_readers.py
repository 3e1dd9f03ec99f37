"""Stages on Beam hold what they read while they are at work, and commit nothing when it changed all the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpus.assemble import documents
from corpus.errors import RetryError
from corpus.extract.config import ExtractConfig
from corpus.stage import reading
from corpus.stage.manifest import has_manifest, read_manifest, write_manifest
from corpus.stage.reading import without_readers
from pipelines import pack as packing
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from pipelines.pack import pack
from tests.pipelines.assemble.test_update import CONFIG, TEXTS, write_file
from tests.support.small_corpus import mixed_corpus
from tokenizer.config import PackConfig, TokenizerConfig
from tokenizer.learn import learn


def meddling(real: Callable[..., Any], bases: list[str]) -> Callable[..., Any]:
    """Return a step that first tries to take the place of what is read, and then changes a manifest without asking."""

    def step(*arguments: Any, **named: Any) -> Any:
        for base in bases:
            with pytest.raises(RetryError, match="somebody reads the result"), without_readers(base):
                pass
        write_manifest(bases[-1], replace(read_manifest(bases[-1]), fingerprint="another"))
        return real(*arguments, **named)

    return step


def test_assemble_holds_and_checks_its_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0)
    records, output = str(tmp_path / "records"), str(tmp_path / "corpus")
    write_file(tmp_path, 1, dict(enumerate(TEXTS[:9], start=1)))
    extract(ExtractConfig(pubmed=(str(tmp_path / "pubmed26n0001.xml.gz"),)), output=records)
    with monkeypatch.context() as patch:
        patch.setattr(documents, "decide_batch", meddling(documents.decide_batch, [records]))
        with pytest.raises(RetryError, match="records: changed while it was read"):
            assemble(CONFIG, records=records, output=output)
    assert not has_manifest(output)
    assemble(CONFIG, records=records, output=output)
    assert read_manifest(output).inputs[0].fingerprint == "another"


def test_pack_holds_and_checks_corpus_and_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0)
    corpus, words, output = (str(tmp_path / name) for name in ("corpus", "tokenizer", "tokens"))
    mixed_corpus(tmp_path / "corpus")
    learn(TokenizerConfig(vocab_size=300), corpus=corpus, output=words)
    monkeypatch.setattr(packing, "pack_shard", meddling(packing.pack_shard, [corpus, words]))
    with pytest.raises(RetryError, match="tokenizer: changed while it was read"):
        pack(PackConfig(seq_length=16), corpus=corpus, tokenizer=words, output=output)
    assert not has_manifest(output)
