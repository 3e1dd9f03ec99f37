"""Tiny models of transformers' own families, made by its configuration classes, in directories as users have them."""

import shutil
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from train.config import TrainConfig
from train.foreign import ForeignConfig

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
GPT2: dict[str, Any] = {
    "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
    "attn_pdrop": 0.0,
}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", SIZES),
    "qwen2": ("Qwen2Config", SIZES | {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3Config", SIZES | {"head_dim": 16}),
    "mistral": ("MistralConfig", SIZES | {"sliding_window": None}),
    "olmo2": ("Olmo2Config", SIZES),
    "gpt2": ("GPT2Config", GPT2),
    "phi": ("PhiConfig", SIZES),  # a head with a bias
    "gemma2": ("Gemma2Config", SIZES | {"head_dim": 8, "sliding_window": 16}),  # a cap on its logits
}
RECIPE: dict[str, Any] = {
    "steps": 8,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "eval_every": 4,
    "eval_rows": 5,
    "save_every": 3,
    "log_every": 4,
    "sample_tokens": 2,
}


def made_config(family: str, vocab_size: int, **changes: Any) -> Any:
    """Return the configuration of a family."""
    name, sizes = FAMILIES.get(family, (family, {}))
    return getattr(transformers, name)(**{"vocab_size": vocab_size, **sizes, **changes})


def write_model(
    folder: Path, family: str, tokens: str | None, *, vocab_size: int = 312, shards: bool = False, **changes: Any
) -> Path:
    """Write a model with random, loud weights and the tokens' tokenizer as on Hugging Face's hub; return the folder."""
    config = made_config(family, vocab_size, **changes)
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape)
    if tokens is not None:
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{tokens}/tokenizer.json", eos_token="<|endoftext|>")
        tokenizer.save_pretrained(folder)
        shutil.copy(f"{tokens}/tokenizer.json", folder)
    model.save_pretrained(folder, max_shard_size="60KB" if shards else "5GB")
    return folder


def recipe(path: Path | str, *, weights: str = "files", dropout: float | None = None, **changes: Any) -> TrainConfig:
    """Return the configuration of a run of a model in a directory."""
    foreign = ForeignConfig.model_validate({"path": str(path), "weights": weights, "dropout": dropout})
    return TrainConfig.model_validate({**RECIPE, "foreign": foreign.model_dump(), **changes})
