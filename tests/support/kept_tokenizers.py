"""Tokenizers in the forms of Llama 3, Qwen and a GPT-2 whose separator comes first: trained here by `tokenizers`."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tests.support.small_corpus import sentences
from tokenizer.config import END_OF_TEXT

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
BEGIN, END, TOOL = "<|begin_of_text|>", "<|end_of_text|>", "<tool_call>"
SPARE = 65_600


def trained(split: str, **model: Any) -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer(models.BPE(**model))
    isolated = pre_tokenizers.Split(Regex(split), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([isolated, pre_tokenizers.ByteLevel(False, use_regex=False)])
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator([*sentences(3, 60), *sentences(4, 200)], trainer)
    return made


@cache
def like_llama() -> str:
    """Return a tokenizer.json in Llama 3's form: whole words first, a template, and ids beyond 65,535."""
    made = trained(SPLIT, ignore_merges=True)
    content = json.loads(made.to_str())
    moved = {token: number + SPARE for token, number in content["model"]["vocab"].items()}
    content["model"]["vocab"] = {f"!{number}!": number for number in range(SPARE)} | moved
    large = tokenizers.Tokenizer.from_str(json.dumps(content))
    large.add_special_tokens([BEGIN, END])
    begins = [(BEGIN, large.token_to_id(BEGIN))]
    large.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=begins)
    return str(large.to_str())


@cache
def like_qwen() -> str:
    """Return a tokenizer.json in Qwen's form: NFC, digits one by one, tokens added that are not special."""
    made = trained(SPLIT.replace("{1,3}", ""))
    made.normalizer = normalizers.NFC()
    made.add_special_tokens([END_OF_TEXT, "<|im_end|>"])
    made.add_tokens([TOOL])
    return str(made.to_str())


@cache
def like_olmo() -> str:
    """Return a tokenizer.json with GPT-2's split and its separator first; a directory of it keeps that id."""
    content = json.loads(trained(SPLIT).to_str())
    content["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True, "trim_offsets": True}
    content["model"]["vocab"] = {END_OF_TEXT: 0} | {t: n + 1 for t, n in content["model"]["vocab"].items()}
    made = tokenizers.Tokenizer.from_str(json.dumps(content))
    made.add_special_tokens([END_OF_TEXT])
    return str(made.to_str())


FORMS: dict[str, tuple[Callable[[], str], str]] = {
    "llama": (like_llama, END),
    "qwen": (like_qwen, "<|im_end|>"),
    "olmo": (like_olmo, END_OF_TEXT),
}


def folder_of(base: Path, form: str, *, eos: Any = None) -> str:
    """Write a directory as on Hugging Face's hub; its eos_token is the form's, spelled as newer files do."""
    text, separator = FORMS[form]
    base.mkdir()
    (base / "tokenizer.json").write_text(text())
    stated = {"eos_token": eos or {"content": separator, "special": True}}
    (base / "tokenizer_config.json").write_text(json.dumps(stated))
    return str(base)


def truth(form: str) -> tokenizers.Tokenizer:
    oracle = tokenizers.Tokenizer.from_str(FORMS[form][0]())
    oracle.encode_special_tokens = True
    return oracle


def ids_of(oracle: tokenizers.Tokenizer, text: str) -> list[int]:
    return list(oracle.encode(text, add_special_tokens=False).ids)
