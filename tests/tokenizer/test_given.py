"""Tokenizers from elsewhere: `pack` gives the ids of `tokenizers` for the same file, and refuses others by name.

The files are trained here by `tokenizers`, the oracle: one in GPT-2's form, one whose special tokens come first.
"""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers

from corpus.errors import RetryError, UsageError
from corpus.stage.manifest import Manifest, read_manifest, verify_parts
from corpus.storage import parquet
from tests.support.small_corpus import mixed_corpus, sentences
from tests.tokenizer.test_encode import AWKWARD
from tokenizer.config import END_OF_TEXT, PackConfig, TokenizerConfig
from tokenizer.encode import Encoder
from tokenizer.given import read_given
from tokenizer.learn import learn
from tokenizer.pack import finish_pack, pack_shard, plan_pack
from tokenizer.token_rows import TokenRows

SPECIAL = ["<pad>", "</s>", "<mask>"]
TEXTS = [*sentences(3, 60), *AWKWARD, *SPECIAL]


@cache
def trained(first: tuple[str, ...] = (), last: str | None = END_OF_TEXT) -> str:
    """Return the tokenizer.json of a byte-level BPE: special tokens that come first, and one that comes last."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(first),
        show_progress=False,
    )
    made.train_from_iterator([*TEXTS, *sentences(4, 200)], trainer)
    if last:
        made.add_special_tokens([last])
    return str(made.to_str())


FORMS = {"last": (trained(), END_OF_TEXT), "first": (trained(tuple(SPECIAL), None), "</s>")}


def written(folder: Path, text: str, name: str = "given.json") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def id_of(token: str, oracle: tokenizers.Tokenizer) -> int:
    number = oracle.token_to_id(token)
    assert number is not None
    return int(number)


def ids_of(text: str, oracle: tokenizers.Tokenizer, separator: int) -> list[int]:
    """Return what `tokenizers` says, with the separator moved to the end of the vocabulary."""
    oracle.encode_special_tokens = True
    found = oracle.encode(text, add_special_tokens=False).ids
    assert separator not in found
    return [number - (number > separator) for number in found]


PIECES = st.lists(
    st.one_of(st.sampled_from([*TEXTS, END_OF_TEXT]), st.text(st.characters(exclude_categories=["Cs"]), max_size=30)),
    max_size=4,
).map("".join)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Encoder, tokenizers.Tokenizer, int]]:
    found = {}
    for name, (text, separator) in FORMS.items():
        one = read_given(written(tmp_path_factory.mktemp(name), text), separator)
        oracle = tokenizers.Tokenizer.from_str(text)
        assert one.vocab_size == oracle.get_vocab_size()
        found[name] = Encoder(one.text), oracle, id_of(separator, oracle)
    return found


@settings(max_examples=150, deadline=None)
@given(text=PIECES)
@pytest.mark.parametrize("form", FORMS)
def test_ids_are_those_of_tokenizers_and_give_the_text_back(
    read: dict[str, tuple[Encoder, tokenizers.Tokenizer, int]], form: str, text: str
) -> None:
    encoder, oracle, separator = read[form]
    ids, lengths = encoder.encode([text])
    assert ids.tolist() == ids_of(text, oracle, separator)
    assert lengths.tolist() == [len(ids)]
    assert encoder.decode(ids) == text
    assert encoder.eot not in ids.tolist()


def test_a_file_in_gpt2s_form_keeps_every_id(tmp_path: Path) -> None:
    one = read_given(written(tmp_path, trained()))
    assert json.loads(one.text)["model"]["vocab"] == tokenizers.Tokenizer.from_str(trained()).get_vocab()
    joined = json.loads(trained())
    joined["model"]["merges"] = [" ".join(pair) for pair in joined["model"]["merges"]]  # as older files hold them
    assert read_given(written(tmp_path, json.dumps(joined), "joined.json")).text == one.text


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("given") / "corpus"
    mixed_corpus(folder)
    return str(folder)


def pack(corpus: str, tokenizer: str, output: Path, separator: str | None = None) -> Manifest:
    config = PackConfig(seq_length=16, check_sample=5, separator=separator)
    workspace, finished, tasks = plan_pack(config, corpus=corpus, tokenizer=tokenizer, output=str(output))
    if finished:
        return finished
    receipts = [
        pack_shard(
            task.corpus_shard, tokenizer=tokenizer, stem=task.stem, workspace=workspace, role=task.role, config=config
        )
        for task in tasks
    ]
    manifest = finish_pack(workspace, receipts, config, tokenizer=tokenizer, tasks=tasks)
    workspace.clean()
    return manifest


@pytest.mark.parametrize("form", FORMS)
def test_token_shards_of_a_given_tokenizer(corpus: str, tmp_path: Path, form: str) -> None:
    text, separator = FORMS[form]
    path = written(tmp_path, text)
    manifest = pack(corpus, path, tmp_path / "tokens", separator)
    oracle = tokenizers.Tokenizer.from_str(text)
    moved, size = id_of(separator, oracle), oracle.get_vocab_size()
    assert (manifest.summary["vocab_size"], manifest.summary["end_of_text"]) == (size, size - 1)
    assert [item.name for item in manifest.inputs] == ["assemble", "tokenizer_file"]
    assert list(verify_parts(str(tmp_path / "tokens"), manifest)) == []
    shards = read_manifest(corpus, "assemble").paths(corpus, "train")
    documents = [one for shard in shards for one in parquet.read_table(shard, ["text"])["text"].to_pylist() if one]
    stream = [number for one in documents for number in [*ids_of(one, oracle, moved), size - 1]]
    rows = TokenRows(str(tmp_path / "tokens"), "train")
    assert len(stream) == rows.num_tokens
    assert rows.rows(np.arange(len(rows))).ravel().tolist() == stream[: len(rows) * 16]
    assert Encoder.load(str(tmp_path / "tokens")).vocab_size == size  # training needs this directory alone
    made = (tmp_path / "tokens" / "manifest.json").read_bytes()
    assert pack(corpus, path, tmp_path / "tokens", separator) == manifest
    shutil.rmtree(tmp_path / "tokens")
    pack(corpus, path, tmp_path / "tokens", separator)
    assert (tmp_path / "tokens" / "manifest.json").read_bytes() == made


def test_our_own_file_gives_the_bytes_of_our_own_directory(corpus: str, tmp_path: Path) -> None:
    learn(TokenizerConfig(vocab_size=400), corpus=corpus, output=str(tmp_path / "tokenizer"))
    whole = pack(corpus, str(tmp_path / "tokenizer"), tmp_path / "whole")
    alone = pack(corpus, str(tmp_path / "tokenizer" / "tokenizer.json"), tmp_path / "alone")
    assert [(part.path, part.sha256) for part in whole.parts] == [(part.path, part.sha256) for part in alone.parts]
    assert whole.config == {"seq_length": 16}  # no trace of the new setting: what was packed before stays up to date
    assert whole.fingerprint != alone.fingerprint
    with pytest.raises(UsageError, match="separates documents by"):
        pack(corpus, str(tmp_path / "tokenizer"), tmp_path / "other", "</s>")


def test_a_file_that_changes_in_between_commits_nothing(corpus: str, tmp_path: Path) -> None:
    path = written(tmp_path, trained())
    config = PackConfig(seq_length=16)
    workspace, _, tasks = plan_pack(config, corpus=corpus, tokenizer=path, output=str(tmp_path / "tokens"))
    written(tmp_path, FORMS["first"][0].replace("</s>", END_OF_TEXT))
    with pytest.raises(RetryError, match="changed since this run began"):
        pack_shard(
            tasks[0].corpus_shard,
            tokenizer=path,
            stem=tasks[0].stem,
            workspace=workspace,
            role=tasks[0].role,
            config=config,
        )
    pack(corpus, path, tmp_path / "tokens")  # the same command again, as the message says


def changed(change: Callable[[dict[str, Any]], Any]) -> str:
    content = json.loads(trained())
    change(content)
    return json.dumps(content)


def _larger(content: dict[str, Any]) -> None:
    size = len(content["model"]["vocab"]) + 1
    content["model"]["vocab"] |= {f"more {number}": number for number in range(size, 65_537)}


def _without_byte(content: dict[str, Any]) -> None:
    vocab = content["model"]["vocab"]
    vocab["not a byte"] = vocab.pop("Ā")


WRONG: dict[str, tuple[str, str]] = {
    "broken": (trained()[:500], "no tokenizer.json"),
    "a list": ("[]", "no tokenizer.json"),
    "gap": (changed(lambda found: found["model"]["vocab"].update(far=9_999)), "without a gap"),
    "word pieces": (
        json.dumps({"model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "the": 1}}, "added_tokens": []}),
        "its model is WordPiece",
    ),
    "too large": (changed(_larger), "its token 'more 501' is not spelled in bytes"),
    "no separator": (trained((), None), "no token '<|endoftext|>' to end documents"),
    "another split": (changed(lambda found: found.update(pre_tokenizer={"type": "Whitespace"})), "is Whitespace"),
    "a prefix": (changed(lambda found: found["pre_tokenizer"].update(add_prefix_space=True)), "add_prefix_space"),
    "a normalizer": (changed(lambda found: found.update(normalizer={"type": "NFD"})), "has a normalizer (NFD)"),
    "dropout": (changed(lambda found: found["model"].update(dropout=0.1)), "sets dropout to 0.1"),
    "plain tokens": (
        changed(lambda found: found["added_tokens"][0].update(special=False)),
        "no special token '<|endoftext|>'",
    ),
    "a byte too few": (changed(_without_byte), "lacks 1 of the 256 bytes"),
    "a merge of nothing": (changed(lambda found: found["model"]["merges"].append(["zz", "qqq"])), "its merge 'zz qqq'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_files_are_refused_by_name(tmp_path: Path, case: str) -> None:
    text, message = WRONG[case]
    with pytest.raises(UsageError, match=r"given.json: ") as caught:
        read_given(written(tmp_path, text))
    assert message in str(caught.value)


def test_the_separator_is_a_token_that_no_text_gives(tmp_path: Path) -> None:
    path = written(tmp_path, FORMS["first"][0])
    with pytest.raises(UsageError, match=r"name one by --separator \(it has '<pad>', '</s>', '<mask>'\)"):
        read_given(path)
    assert read_given(path, "<mask>").separator == "<mask>"  # as the message says
    with pytest.raises(UsageError, match="also stands for text"):
        read_given(path, "e")
    with pytest.raises(UsageError, match=r"leave --separator out"):
        read_given(written(tmp_path, trained(("</s>",))), "</s>")
    with pytest.raises(UsageError, match="no such file"):
        read_given(str(tmp_path / "nothing.json"))
