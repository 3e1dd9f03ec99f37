"""Tokenizers that keep their ids: `pack` gives those of `tokenizers` for forms like Llama 3's and Qwen's, in any size.

The files are trained here by `tokenizers`, the oracle, with the split of words that those models have; the larger one
has its ids moved beyond 65,535. Shards are read by numpy as Megatron documents them, and by DeepSpeed's own reader.
"""

import io
import json
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorruptError, UsageError
from corpus.stage.manifest import read_manifest, verify_parts
from corpus.storage import parquet
from pipelines.inspection.tokens import describe_index, describe_tokenizer
from tests.support.kept_tokenizers import (
    BEGIN,
    END,
    FORMS,
    SPARE,
    TOOL,
    folder_of,
    ids_of,
    like_llama,
    like_olmo,
    like_qwen,
    truth,
)
from tests.support.small_corpus import mixed_corpus, sentences
from tests.tokenizer.test_encode import AWKWARD
from tests.tokenizer.test_given import pack, written
from tokenizer.blocks import check_tokens
from tokenizer.config import END_OF_TEXT, PackConfig
from tokenizer.encode import Encoder
from tokenizer.given import read_given
from tokenizer.hf_json import token_lengths
from tokenizer.kept_encode import KeptEncoder
from tokenizer.megatron import INT16, INT32, read_index
from tokenizer.pack import pack_shard, plan_pack
from tokenizer.token_rows import TokenRows

PIECES = st.lists(
    st.one_of(
        st.sampled_from([*sentences(3, 20), *AWKWARD, BEGIN, END, END_OF_TEXT, "<|im_end|>", TOOL, "2024", "we'LL"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    ),
    max_size=4,
).map("".join)


@pytest.fixture(scope="module")
def encoders() -> dict[str, tuple[KeptEncoder, tokenizers.Tokenizer]]:
    made = {}
    for form, (text, separator) in FORMS.items():
        made[form] = KeptEncoder(text(), separator=separator, place=form), truth(form)
    return made


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(PIECES, max_size=4))
@pytest.mark.parametrize("form", FORMS)
def test_ids_are_those_of_tokenizers_and_give_the_text_back(
    encoders: dict[str, tuple[KeptEncoder, tokenizers.Tokenizer]], form: str, texts: list[str]
) -> None:
    encoder, oracle = encoders[form]
    expected = [ids_of(oracle, text) for text in texts]
    ids, lengths = encoder.encode(texts)
    assert ids.tolist() == [number for own in expected for number in own]
    assert lengths.tolist() == [len(own) for own in expected]
    assert encoder.eot not in ids.tolist()
    normal = [oracle.normalizer.normalize_str(text) if oracle.normalizer else text for text in texts]
    assert encoder.decode(ids) == "".join(normal)
    sizes = token_lengths(FORMS[form][0]())
    assert sum(sizes[number] for number in ids.tolist()) == len("".join(normal).encode())  # bits per byte divide by it


def test_both_libraries_encode(encoders: dict[str, tuple[KeptEncoder, tokenizers.Tokenizer]]) -> None:
    assert {form: encoder._fast is not None for form, (encoder, _) in encoders.items()} == {
        "llama": True,
        "qwen": False,  # it adds a token that is not special
        "olmo": True,
    }
    small = KeptEncoder(like_llama(), separator=END, place="small", renew_bytes=50)
    for text in sentences(9, 8):
        assert small.encode([text])[0].tolist() == ids_of(encoders["llama"][1], text)


def test_a_difference_of_the_libraries_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = KeptEncoder(like_llama(), separator=END, place="given")
    monkeypatch.setattr(encoder, "_fast", KeptEncoder(like_olmo(), separator=END_OF_TEXT, place="other")._fast)
    with pytest.raises(CorruptError, match="has other ids by gigatoken than by tokenizers"):
        encoder.check(["the same text"])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("kept") / "corpus"
    mixed_corpus(folder)
    return str(folder)


@pytest.fixture(scope="module")
def packed(corpus: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the tokens by each form, given as a directory."""
    base = tmp_path_factory.mktemp("packed")
    for form in FORMS:
        pack(corpus, folder_of(base / form, form), base / f"{form}-tokens")
    return {form: base / f"{form}-tokens" for form in FORMS}


def stream_of(corpus: str, split: str, oracle: tokenizers.Tokenizer, end: int) -> list[list[int]]:
    shards = read_manifest(corpus, "assemble").paths(corpus, split)
    texts = [text for shard in shards for text in parquet.read_table(shard, ["text"])["text"].to_pylist() if text]
    return [[*ids_of(oracle, text), end] for text in texts]


def read_by_numpy(stem: Path) -> list[list[int]]:
    """Read a shard as Megatron-LM's indexed_dataset.py documents it."""
    index = stem.with_suffix(".idx").read_bytes()
    kind = {3: np.int16, 4: np.int32, 8: np.uint16}[index[17]]
    count = int(np.frombuffer(index, "<u8", 1, 18)[0])
    sizes = np.frombuffer(index, "<i4", count, 34)
    pointers = np.frombuffer(index, "<i8", count, 34 + 4 * count)
    ids = stem.with_suffix(".bin").read_bytes()
    return [np.frombuffer(ids, kind, size, start).tolist() for size, start in zip(sizes, pointers, strict=True)]


@pytest.mark.parametrize("form", FORMS)
def test_token_shards_have_the_files_own_ids(corpus: str, packed: dict[str, Path], form: str, tmp_path: Path) -> None:
    tokens, oracle = packed[form], truth(form)
    end, size = oracle.token_to_id(FORMS[form][1]), oracle.get_vocab_size()
    manifest = read_manifest(str(tokens), "pack")
    facts = manifest.summary
    assert (facts["vocab_size"], facts["end_of_text"], facts["separator"]) == (size, end, FORMS[form][1])
    assert list(verify_parts(str(tokens), manifest)) == []
    assert (tokens / "tokenizer.json").read_text() == FORMS[form][0]()  # the file that was given, to the byte
    documents = stream_of(corpus, "train", oracle, end)
    assert read_by_numpy(tokens / "train-00000") + read_by_numpy(tokens / "train-00001") == documents
    code = INT32 if size > 65_536 else INT16
    assert read_index(str(tokens / "train-00000.idx")).dtype_code == code
    rows = TokenRows(str(tokens), "train")
    stream = [number for each in documents for number in each]
    assert rows.rows(np.arange(len(rows))).ravel().tolist() == stream[: len(rows) * 16]
    assert check_tokens(str(tokens), ("train", "validation"), whole=True) == sum(
        part.bytes for part in manifest.parts if part.path.endswith(".bin")
    )
    again = tmp_path / "again"
    pack(corpus, folder_of(tmp_path / "folder", form), again)
    assert (again / "manifest.json").read_bytes() == (tokens / "manifest.json").read_bytes()


def test_the_larger_ids_take_four_bytes(packed: dict[str, Path]) -> None:
    index = read_index(str(packed["llama"] / "train-00000.idx"))
    assert (packed["llama"] / "train-00000.bin").stat().st_size == 4 * index.num_tokens
    assert TokenRows(str(packed["llama"]), "train").row(0).min() >= SPARE
    assert (packed["qwen"] / "train-00000.bin").stat().st_size == 2 * read_index(
        str(packed["qwen"] / "train-00000.idx")
    ).num_tokens


def test_deepspeeds_reader_reads_four_bytes(corpus: str, packed: dict[str, Path]) -> None:
    from deepspeed.runtime.data_pipeline.data_sampling.indexed_dataset import MMapIndexedDataset

    oracle = truth("llama")
    with redirect_stdout(io.StringIO()):
        dataset = MMapIndexedDataset(str(packed["llama"] / "validation-00000"))
    expected = stream_of(corpus, "validation", oracle, oracle.token_to_id(END))
    assert [dataset[place].tolist() for place in range(len(dataset))] == expected


def test_the_directory_of_tokens_is_enough(packed: dict[str, Path]) -> None:
    for form, tokens in packed.items():
        encoder = Encoder.load(str(tokens))
        assert encoder.eot == truth(form).token_to_id(FORMS[form][1])
        assert encoder.decode(encoder.encode(["TNF-α 2024"])[0]) == "TNF-α 2024"
    said = describe_tokenizer(str(packed["llama"] / "tokenizer.json"))
    assert "66,102 entries, documents end with 66,101, <|end_of_text|>" in said
    first = TokenRows(str(packed["llama"]), "train").row(0)[:5].tolist()
    assert " ".join(map(str, first)) in describe_index(str(packed["llama"] / "train-00000.idx"))


def test_an_id_beyond_the_vocabulary_is_noticed(packed: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(packed["llama"], tmp_path / "tokens")
    path = tmp_path / "tokens" / "train-00000.bin"
    ids = np.frombuffer(path.read_bytes(), "<u4").copy()
    ids[2] = 66_102
    path.write_bytes(ids.tobytes())
    with pytest.raises(CorruptError, match="row 0 of train holds the id 66102, and the vocabulary has only 66,102"):
        TokenRows(str(tmp_path / "tokens"), "train").row(0)
    with pytest.raises(CorruptError, match="not the tokens that were packed"):
        check_tokens(str(tmp_path / "tokens"), ("train",))


def test_update_copies_what_is_packed_already(corpus: str, packed: dict[str, Path], tmp_path: Path) -> None:
    mixed_corpus(tmp_path / "newer", count=320)
    folder = folder_of(tmp_path / "llama", "llama")
    pack(str(tmp_path / "newer"), folder, tmp_path / "fresh")
    shutil.copytree(packed["llama"], tmp_path / "tokens")
    config = PackConfig(seq_length=16, check_sample=5)
    workspace, _, tasks = plan_pack(
        config, corpus=str(tmp_path / "newer"), tokenizer=folder, output=str(tmp_path / "tokens"), update=True
    )
    copied = 0
    for task in tasks:
        receipt = pack_shard(
            task.corpus_shard,
            tokenizer=folder,
            stem=task.stem,
            workspace=workspace,
            role=task.role,
            config=config,
            shards=task.shards,
        )
        copied += receipt.facts["copied"]
        made = Path(workspace.path(f"{task.stem}.bin")).read_bytes()
        assert made == (tmp_path / "fresh" / f"{task.stem}.bin").read_bytes()
    assert copied > 200


def test_another_separator_of_the_same_file_is_another_result(corpus: str, tmp_path: Path) -> None:
    folder, other = folder_of(tmp_path / "a", "qwen"), folder_of(tmp_path / "b", "qwen", eos=END_OF_TEXT)
    one, two = pack(corpus, folder, tmp_path / "one"), pack(corpus, other, tmp_path / "two")
    assert one.fingerprint != two.fingerprint
    assert two.summary["end_of_text"] == truth("qwen").token_to_id(END_OF_TEXT)
    assert pack(corpus, folder, tmp_path / "three", END_OF_TEXT).parts == two.parts
    alone = pack(corpus, str(Path(folder) / "tokenizer.json"), tmp_path / "four")  # <|endoftext|>, as with every file
    assert alone.parts == two.parts


def test_the_separator_is_a_special_token_of_the_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "folder", "llama")
    (tmp_path / "folder" / "tokenizer_config.json").unlink()
    offered = r"name one by --separator \(it has '<\|begin_of_text\|>', '<\|end_of_text\|>'\)"
    with pytest.raises(UsageError, match=f"names no eos_token to end documents with; {offered}"):
        read_given(folder)
    assert read_given(folder, END).end_of_text == truth("llama").token_to_id(END)  # as the message says
    with pytest.raises(UsageError, match=f"no special token '<.end_of_txt.>' to end documents with; {offered}"):
        read_given(folder, "<|end_of_txt|>")
    with pytest.raises(UsageError, match=f"no special token '{TOOL}'"):
        read_given(written(tmp_path, like_qwen()), TOOL)  # a text that spells it gives its id
    with pytest.raises(UsageError, match="no such file"):
        read_given(str(tmp_path))


def changed(change: Callable[[dict[str, Any]], Any]) -> str:
    content = json.loads(like_qwen())
    change(content)
    return json.dumps(content)


def _steps(content: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = content["pre_tokenizer"]["pretokenizers"]
    return found


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "sentencepiece": (lambda found: found["model"].update(byte_fallback=True), "sets byte_fallback to True"),
    "unigram": (lambda found: found["model"].update(type="Unigram"), "its model is Unigram"),
    "lower case": (lambda found: found.update(normalizer={"type": "Lowercase"}), "has a normalizer (Lowercase)"),
    "white space": (
        lambda found: found.update(pre_tokenizer={"type": "Whitespace"}),
        "is Whitespace, and not of bytes",
    ),
    "metaspace": (lambda found: _steps(found).insert(0, {"type": "Metaspace"}), "is Metaspace, and not of bytes"),
    "no split": (lambda found: found.update(pre_tokenizer=None), "is none, and not of bytes"),
    "removes": (lambda found: _steps(found)[0].update(behavior="Removed"), "removes what it splits at"),
    "a prefix": (lambda found: _steps(found)[1].update(add_prefix_space=True), "has add_prefix_space"),
    "no decoder": (lambda found: found.update(decoder=None), "its decoder is not ByteLevel"),
    "a gap": (lambda found: found["added_tokens"][2].update(id=9_999), "without a gap"),
    "swallows": (lambda found: found["added_tokens"][2].update(lstrip=True), f"adds '{TOOL}' as a token that swallows"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_loses_text_is_refused_by_name(tmp_path: Path, case: str) -> None:
    change, message = WRONG[case]
    with pytest.raises(UsageError, match=r"given.json: ") as caught:
        read_given(written(tmp_path, changed(change)))
    assert message in str(caught.value)
