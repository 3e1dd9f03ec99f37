"""transformers writer: a directory of safetensors, configurations and tokenizer that the Auto classes load offline."""

import json
import os
from typing import Any

import torch
from safetensors.torch import save_file

from corpus import storage
from tokenizer.config import END_OF_TEXT
from tokenizer.hf_json import TOKENIZER, TOKENIZER_CONFIG, transformers_files
from train.config import ModelShape
from train.export.config import DType
from train.export.weight_names import transformers_weights
from train.export.weights import Weights
from train.model.gpt import INIT_STD

MODEL = "model.safetensors"
CONFIG = "config.json"


def write_transformers(
    folder: str, weights: Weights, shape: ModelShape, *, tokenizer: str, separator: str, dtype: DType
) -> None:
    """Write the directory; `tokenizer` is the text of tokenizer.json, `separator` its end of text."""
    os.makedirs(folder, exist_ok=True)
    number = getattr(torch, dtype)
    tensors = {name: tensor.to(number).contiguous() for name, tensor in transformers_weights(weights).items()}
    save_file(tensors, storage.join(folder, MODEL), metadata={"format": "pt"})
    os.chmod(storage.join(folder, MODEL), 0o644)  # safetensors 0.8 leaves it to its owner alone
    end_of_text = end_of_text_id(tokenizer, separator)
    tokens = {"bos_token_id": end_of_text, "eos_token_id": end_of_text, "pad_token_id": end_of_text}
    files = {CONFIG: model_config(shape, tokens, dtype), "generation_config.json": tokens | {"do_sample": True}}
    for name, content in files.items():
        _write(storage.join(folder, name), json.dumps(content, indent=2, sort_keys=True) + "\n")
    write_tokenizer(folder, tokenizer, seq_length=shape.seq_length, separator=separator)


def write_tokenizer(folder: str, tokenizer: str, *, seq_length: int, separator: str = END_OF_TEXT) -> None:
    """Write tokenizer.json and the files that transformers reads beside it."""
    small = transformers_files(separator)
    # Unless told otherwise, transformers 4 gives token types too, and its GPT-2 adds an embedding for each.
    inputs = {"model_max_length": seq_length, "model_input_names": ["input_ids", "attention_mask"]}
    settings = json.loads(small[TOKENIZER_CONFIG]) | inputs
    small[TOKENIZER_CONFIG] = json.dumps(settings, indent=1) + "\n"
    for name, content in {TOKENIZER: with_joined_merges(tokenizer), **small}.items():
        _write(storage.join(folder, name), content)


def with_joined_merges(tokenizer: str) -> str:
    """Return the tokenizer.json with each merge as one string, which `tokenizers` before 0.20 reads as later ones do.

    No token has a space in it: a byte-level BPE writes it as Ġ.
    """
    content = json.loads(tokenizer)
    pairs = content["model"]["merges"]
    content["model"]["merges"] = [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def model_config(shape: ModelShape, tokens: dict[str, int], dtype: DType) -> dict[str, Any]:
    """Return the content of config.json."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "attn_pdrop": shape.dropout,
        "embd_pdrop": shape.dropout,
        "resid_pdrop": shape.dropout,
        "initializer_range": INIT_STD,
        "layer_norm_epsilon": 1e-5,
        "n_ctx": shape.seq_length,
        "n_embd": shape.hidden,
        "n_head": shape.heads,
        "n_inner": None,
        "n_layer": shape.layers,
        "n_positions": shape.seq_length,
        "reorder_and_upcast_attn": False,
        "scale_attn_by_inverse_layer_idx": shape.scale_attn_by_inverse_layer_idx,
        "scale_attn_weights": True,
        "tie_word_embeddings": True,
        "torch_dtype": dtype,
        "use_cache": True,
        "vocab_size": shape.vocab_size,
        **tokens,
    }


def end_of_text_id(tokenizer: str, separator: str = END_OF_TEXT) -> int:
    """Return the id of the token that ends documents in a tokenizer.json's text."""
    added = json.loads(tokenizer)["added_tokens"]
    return next(int(token["id"]) for token in added if token["content"] == separator)


def _write(path: str, text: str) -> None:
    with storage.write_atomic(path) as sink:
        sink.write(text.encode())
