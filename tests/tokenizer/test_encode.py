"""Encoding: gigatoken, `tokenizers` and the plain reference agree on any text, and decoding gives it back."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorruptError, UsageError
from tests.support.small_corpus import mixed_corpus, sentences
from tokenizer import reference
from tokenizer.config import END_OF_TEXT, TokenizerConfig
from tokenizer.encode import Encoder
from tokenizer.hf_json import Merge, byte_letters, token_ids, tokenizer_json
from tokenizer.learn import learn

AWKWARD = [
    END_OF_TEXT,
    f"a{END_OF_TEXT}{END_OF_TEXT} b",
    "<|endoftext",
    "line\r\nline\n\n\n  indented\t tab ",
    "\x00nul\x00",
    "e\u0301 combining, \u00e9 composed, \ufb01 ligature",
    "we'll don't 'S ''s it's's",
    "12345 ½ ² Ⅷ ٣ 一二",
    "\u00a0no-break\u2009thin\u3000wide\u200bzero\ufeff",
    "👩‍🔬🧬 emoji",
    "\x85\x1c\x1d control",
    "",
    " ",
    "  a",
]
# The reference takes letters from Python's Unicode tables, which may lack the newest letters.
ASSIGNED = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=40)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
PIECES = st.lists(st.one_of(st.sampled_from([*AWKWARD, *sentences(5, 20)]), ASSIGNED), max_size=4).map("".join)


@cache
def merges() -> tuple[Merge, ...]:
    return tuple(reference.train([*sentences(1, 150), *AWKWARD * 2], num_merges=400, min_frequency=2))


@cache
def encoder() -> Encoder:
    return Encoder(tokenizer_json(merges()))


@cache
def oracle() -> tokenizers.Tokenizer:
    loaded = tokenizers.Tokenizer.from_str(tokenizer_json(merges()))
    loaded.encode_special_tokens = True
    return loaded


def encode_each(texts: list[str]) -> list[list[int]]:
    ids, lengths = encoder().encode(texts)
    assert ids.dtype == np.uint16
    assert lengths.dtype == np.int64
    assert int(lengths.sum()) == len(ids)
    return [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])]


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(PIECES, min_size=1, max_size=4))
def test_three_encoders_agree(texts: list[str]) -> None:
    ids_of = token_ids(merges())
    expected = [[ids_of[token] for token in reference.encode(text, merges())] for text in texts]
    assert [each.ids for each in oracle().encode_batch(texts)] == expected
    assert encode_each(texts) == expected


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=5))
def test_gigatoken_equals_tokenizers_and_decoding_inverts_encoding(texts: list[str]) -> None:
    parts = encode_each(texts)
    assert parts == [each.ids for each in oracle().encode_batch(texts)]
    assert [encoder().decode(part) for part in parts] == texts
    assert [encoder().decode(np.array(part, np.uint16)) for part in parts] == texts


@pytest.mark.slow
def test_every_character_of_unicode_is_encoded_alike() -> None:
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for start in range(0, len(letters), 50_000):
        texts = [f"ab{c}c 1{c}2 {c}{c} .{c}, \n{c} x" for c in letters[start : start + 50_000]]
        encoder().check(texts)
        assert encoder().decode(encoder().encode(texts)[0]) == "".join(texts)


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_texts(text: str) -> None:
    texts = [text, f"x {text}", f"{text}x"]
    encoder().check(texts)
    assert encoder().decode(encoder().encode(texts)[0]) == "".join(texts)


def test_the_special_token_in_a_text_is_text() -> None:
    ids, _ = encoder().encode([f"before{END_OF_TEXT}after"])
    assert encoder().eot not in ids.tolist()
    assert encoder().decode([encoder().eot]) == END_OF_TEXT


def test_no_texts_and_empty_texts() -> None:
    ids, lengths = encoder().encode([])
    assert (len(ids), len(lengths)) == (0, 0)
    ids, lengths = encoder().encode(["", "a", ""])
    assert (ids.tolist(), lengths.tolist()) == (encoder().encode(["a"])[0].tolist(), [0, 1, 0])


def test_a_cut_through_a_character_decodes_to_the_replacement_character() -> None:
    ids, _ = Encoder(tokenizer_json([])).encode(["é"])
    assert Encoder(tokenizer_json([])).decode(ids[:1]) == "\ufffd"


def test_check_notices_a_difference() -> None:
    broken = Encoder(tokenizer_json(merges()))
    broken.check(["a cardio text"])
    broken._oracle = tokenizers.Tokenizer.from_str(tokenizer_json(merges()[:50]))
    with pytest.raises(CorruptError, match=r"gigatoken and tokenizers disagree.*cardio"):
        broken.check(["a cardio text"])


def test_a_renewed_encoder_gives_the_same_ids() -> None:
    renewing = Encoder(tokenizer_json(merges()), renew_bytes=100)
    first = renewing._tokenizer
    texts = sentences(9, 20)
    for text in texts:
        assert renewing.encode([text])[0].tolist() == encode_each([text])[0]
    assert renewing._tokenizer is not first


def test_byte_letters_are_those_of_tokenizers() -> None:
    assert sorted(byte_letters()) == sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    split = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for code in (0, 9, 32, 65, 127):
        assert split.pre_tokenize_str(chr(code))[0][0] == byte_letters()[code]


@settings(max_examples=200, deadline=None)
@given(text=PIECES)
def test_the_reference_splits_words_as_tokenizers_does(text: str) -> None:
    split = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    expected = [text[start:end] for _, (start, end) in split.pre_tokenize_str(text)]
    assert reference.split_words(text) == expected


def test_loading_checks_the_stage_and_the_hash(tmp_path: Path) -> None:
    mixed_corpus(tmp_path / "corpus")
    directory = tmp_path / "tokenizer"
    with pytest.raises(UsageError, match=r"no manifest\.json"):
        Encoder.load(str(directory))
    learn(TokenizerConfig(vocab_size=300), corpus=str(tmp_path / "corpus"), output=str(directory))
    assert Encoder.load(str(directory)).vocab_size == 300
    path = directory / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["merges"].pop()
    path.write_text(json.dumps(content))
    with pytest.raises(CorruptError, match=r"tokenizer\.json: missing or changed"):
        Encoder.load(str(directory))
