"""Learning: the merges are those of Hugging Face's trainer, and the directory is what others expect."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, trainers

from corpus.errors import CorruptError, RetryError, UsageError
from corpus.stage.lock import LOCK, RUN_FACTS, running_stage
from corpus.stage.manifest import read_manifest, verify_parts
from tests.support.small_corpus import mixed_corpus, sentences, write_corpus
from tokenizer import learn as learn_module
from tokenizer import reference
from tokenizer.config import END_OF_TEXT, TokenizerConfig
from tokenizer.hf_json import Merge, byte_letters
from tokenizer.learn import learn
from tokenizer.merges import SEPARATOR, learn_merges

LETTERS = "abcdeéïβ γ–0123 \n\t\u00a0\u3000漢字👍\u0301\x00 '"


def hf_merges(texts: Sequence[str], num_merges: int, min_frequency: int) -> list[Merge]:
    """Return the merges of Hugging Face's trainer, as bytes."""
    own = tokenizers.Tokenizer(models.BPE())
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + num_merges, min_frequency=min_frequency, initial_alphabet=alphabet, show_progress=False
    )
    own.train_from_iterator(texts, trainer)
    byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}
    pairs = json.loads(own.to_str())["model"]["merges"]
    return [(as_bytes(left, byte_of), as_bytes(right, byte_of)) for left, right in pairs]


def as_bytes(letters: str, byte_of: dict[str, int]) -> bytes:
    return bytes(byte_of[letter] for letter in letters)


def write(path: Path, texts: Sequence[str]) -> str:
    path.write_bytes(b"".join(text.encode() + SEPARATOR for text in texts))
    return str(path)


@pytest.mark.parametrize("min_frequency", [1, 2, 3, 10])
@pytest.mark.parametrize("num_merges", [1, 50, 600, 5000])
def test_merges_equal_hugging_faces(tmp_path: Path, num_merges: int, min_frequency: int) -> None:
    texts = [*sentences(2, 300), END_OF_TEXT, "aaaaaaaa aaaa aaa"]
    own = learn_merges(write(tmp_path / "texts", texts), num_merges=num_merges, min_frequency=min_frequency)
    assert own == hf_merges(texts, num_merges, min_frequency)


@pytest.mark.parametrize("seed", range(12))
def test_merges_equal_hugging_faces_and_the_references_on_any_letters(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    letters = LETTERS if seed % 2 else "ab "
    words = ["".join(rng.choices(letters, k=rng.randint(1, 8))) for _ in range(rng.choice([20, 100]))]
    texts = [" ".join(rng.choices(words, k=rng.randint(0, 40))) for _ in range(rng.choice([2, 30]))]
    min_frequency = rng.choice([1, 2, 3])
    own = learn_merges(write(tmp_path / "texts", texts), num_merges=500, min_frequency=min_frequency)
    assert own == hf_merges(texts, 500, min_frequency)
    assert own == reference.train(texts, num_merges=500, min_frequency=min_frequency)


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=60), max_size=6))
def test_any_text_can_be_learned_from(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = write(tmp_path_factory.mktemp("learn") / "texts", texts)
    assert learn_merges(path, num_merges=40, min_frequency=2) == hf_merges(texts, 40, 2)


def test_documents_do_not_run_into_one_another(tmp_path: Path) -> None:
    """'ab' never occurs inside a document; joined documents would be full of it."""
    texts = ["b"] + ["bca"] * 50 + ["a"]
    merges = learn_merges(write(tmp_path / "texts", texts), num_merges=10, min_frequency=1)
    assert (b"a", b"b") not in merges
    assert [left + right for left, right in merges] == [b"bc", b"bca"]


def test_the_directory_loads_everywhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mixed_corpus(tmp_path / "corpus")
    output = str(tmp_path / "tokenizer")
    manifest = learn(TokenizerConfig(vocab_size=500), corpus=str(tmp_path / "corpus"), output=output)
    assert capfd.readouterr().out == ""  # standard output is for results
    assert list(verify_parts(output, manifest)) == []
    assert manifest == read_manifest(output, "tokenizer")

    plain = tokenizers.Tokenizer.from_file(f"{output}/tokenizer.json")
    vocab = plain.get_vocab()
    assert sorted(vocab.values()) == list(range(500))
    assert vocab[END_OF_TEXT] == 499

    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(output)
    assert (len(loaded), loaded.vocab_size, loaded.eos_token_id, loaded.bos_token_id) == (500, 500, 499, 499)
    for text in [*sentences(3, 10), "naïve β-actin\r\n  x", f"end{END_OF_TEXT}"]:
        assert loaded(text).input_ids == plain.encode(text).ids
        assert loaded.decode(loaded(text).input_ids) == text
    assert loaded(END_OF_TEXT).input_ids == [499]  # a prompt may hold the special token; a corpus may not


def test_the_books_and_the_report(tmp_path: Path) -> None:
    documents = [("pubmed", "thrombin time"), ("pmc", "myocardium"), ("pubmed", "thrombin dose")]
    write_corpus(tmp_path / "corpus", [("train", documents), ("validation", [("pubmed", "thrombin"), ("pmc", "")])])
    output = tmp_path / "tokenizer"
    manifest = learn(TokenizerConfig(vocab_size=280), corpus=str(tmp_path / "corpus"), output=str(output))
    assert (manifest.books.read, manifest.books.kept, dict(manifest.books.dropped)) == (3, 2, {"other_source": 1})
    report = json.loads((output / "report.json").read_text())
    assert report["training_bytes"] == len("thrombin timethrombin dose")
    assert report["fertility"]["pubmed"]["words"] == 1
    assert report["fertility"]["pubmed"]["bytes_per_token"] == 8.0
    assert report["fertility"]["pmc"]["bytes_per_token"] == 0.0
    words = {each["word"]: each for each in report["words"]}
    assert words["thrombin"]["alone"] == ["thrombin"]
    assert len(words) == 10
    # 8 merges make "thrombin" out of what occurs twice, so the vocabulary is not full and says so.
    assert report["vocab_size"] == manifest.summary["vocab_size"] < report["asked_vocab_size"] == 280
    assert report["end_of_text"] == report["vocab_size"] - 1
    assert "entries fewer than asked for" in (output / "report.md").read_text()


def test_source_and_max_bytes_choose_documents(tmp_path: Path) -> None:
    documents = [("pubmed", "a" * 10), ("pmc", "b" * 10), ("pubmed", "c" * 10), ("pubmed", "d")]
    write_corpus(tmp_path / "corpus", [("train", documents)])

    def books(name: str, **choice: object) -> tuple[int, dict[str, int]]:
        config = TokenizerConfig(vocab_size=257, **choice)  # type: ignore[arg-type]
        found = learn(config, corpus=str(tmp_path / "corpus"), output=str(tmp_path / name)).books
        return found.kept, dict(found.dropped)

    assert books("all", source="all") == (4, {})
    assert books("pmc", source="pmc") == (1, {"other_source": 3})
    assert books("capped", source="all", max_bytes=20) == (2, {"over_max_bytes": 2})
    assert books("pubmed", max_bytes=25) == (3, {"other_source": 1})


def test_a_second_run_is_up_to_date_and_another_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed_corpus(tmp_path / "corpus")
    corpus, output = str(tmp_path / "corpus"), str(tmp_path / "tokenizer")
    first = learn(TokenizerConfig(vocab_size=300), corpus=corpus, output=output)
    capsys.readouterr()
    assert learn(TokenizerConfig(vocab_size=300), corpus=corpus, output=output) == first
    assert f"up to date (tokenizer, {first.fingerprint[:12]})" in capsys.readouterr().err
    with pytest.raises(UsageError, match="vocab_size: 300 there, 400 asked for"):
        learn(TokenizerConfig(vocab_size=400), corpus=corpus, output=output)
    with running_stage(output), pytest.raises(RetryError, match="another corpuscle"):
        learn(TokenizerConfig(vocab_size=300), corpus=corpus, output=output)


def test_the_texts_of_a_killed_run_go_before_the_next_one_writes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed_corpus(tmp_path / "corpus")
    output = tmp_path / "tokenizer"
    with running_stage(str(output)):
        left = output / "_work" / "tmpabcdefgh" / "texts"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"half of a corpus")
    seen: list[bool] = []
    real = learn_module.learn_merges
    monkeypatch.setattr(learn_module, "learn_merges", lambda *a, **more: seen.append(left.exists()) or real(*a, **more))
    learn(TokenizerConfig(vocab_size=300), corpus=str(tmp_path / "corpus"), output=str(output))
    assert seen == [False]


def test_a_tokenizer_of_others_is_not_overwritten(tmp_path: Path) -> None:
    mixed_corpus(tmp_path / "corpus")
    own = tmp_path / "tokenizer" / "tokenizer.json"
    own.parent.mkdir()
    own.write_text("{}")
    with pytest.raises(UsageError, match=r"was not made by corpuscle \(it holds tokenizer.json\)"):
        learn(TokenizerConfig(vocab_size=300), corpus=str(tmp_path / "corpus"), output=str(own.parent))
    assert (own.read_text(), os.listdir(own.parent)) == ("{}", ["tokenizer.json"])


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", [("train", [("pmc", "only full text")])])
    with pytest.raises(UsageError, match=r"no training document of source 'pubmed'.*--source"):
        learn(TokenizerConfig(), corpus=str(tmp_path / "corpus"), output=str(tmp_path / "tokenizer"))
    assert not (tmp_path / "tokenizer" / "manifest.json").exists()


def test_a_damaged_shard_stops_it(tmp_path: Path) -> None:
    mixed_corpus(tmp_path / "corpus")
    shard = next((tmp_path / "corpus" / "train").iterdir())
    raw = bytearray(shard.read_bytes())
    raw[len(raw) // 2] ^= 0x10
    shard.write_bytes(raw)
    with pytest.raises(CorruptError):
        learn(TokenizerConfig(vocab_size=300), corpus=str(tmp_path / "corpus"), output=str(tmp_path / "tokenizer"))


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_threads_or_hash_seed(tmp_path: Path) -> None:
    mixed_corpus(tmp_path / "corpus", count=2000)
    program = (
        "import sys; from tokenizer.config import TokenizerConfig; from tokenizer.learn import learn; "
        "learn(TokenizerConfig(vocab_size=1000), corpus=sys.argv[1], output=sys.argv[2])"
    )
    found = []
    for threads, seed in (("1", "0"), ("2", "1"), ("3", "77")):
        output = tmp_path / f"threads-{threads}"
        environment = {**os.environ, "RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", program, str(tmp_path / "corpus"), str(output)]
        subprocess.run(command, env=environment, check=True, timeout=120)
        files = sorted(path for path in output.iterdir() if path.name not in (LOCK, RUN_FACTS, "events.jsonl"))
        found.append([(path.name, path.read_bytes()) for path in files])
    assert found[0] == found[1] == found[2]
