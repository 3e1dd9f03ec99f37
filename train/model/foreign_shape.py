"""Sizes of a model of transformers' library, from its config.json alone, and what of it cannot be trained, by name.

The model is built on torch's meta device: all modules, no numbers. What only shows when numbers run through it is tried
where it is built (`train.model.foreign`).
"""

import json
import os
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from corpus.errors import UsageError
from train.foreign import ForeignConfig, ForeignShape
from train.model.backbone import set_dropout
from train.model.foreign import empty_model, takes, transformers_config

DEFAULT_LENGTH = 2048  # of rows, where neither tokens nor model say one
PERSISTENT = 100_000  # DeepSpeed's stage3_param_persistence_threshold, in numbers
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
_FULL = "full_attention"


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignUse:
    """What a run wants of a model beside its loss."""

    document_mask: bool = False
    reset_positions: bool = False
    activation_checkpointing: bool = False


def find_shape(
    asked: ForeignConfig,
    *,
    seq_length: int | None,
    vocab_size: int | None,
    end_of_text: int | None = None,
    resize: bool = False,
    use: ForeignUse | None = None,
) -> ForeignShape:
    """Return the sizes of a model on rows of this length and vocabulary, the model's own where they are not known.

    With `resize` its embedding gets the tokens' vocabulary, and its end of text is theirs. Raises UsageError, by name,
    for a directory that holds no such model, and for what of it cannot be trained so.
    """
    content = read_config(asked.path)
    theirs = transformers_config(content)
    _check_kind(asked.path, theirs)
    if asked.dropout is not None:
        set_dropout(theirs, asked.dropout)
    if resize and vocab_size is not None:
        theirs.vocab_size = vocab_size
        theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id = end_of_text, end_of_text, None
    content = plain_config(theirs)
    with torch.device("meta"):
        model = empty_model(content)
    length = _checked_length(asked.path, theirs, seq_length)
    _check_use(asked.path, model, theirs, use or ForeignUse(), length)
    shape = _sizes(model, theirs, content, seq_length=length, vocab_size=vocab_size)
    if shape.vocab_size > shape.rows:
        raise UsageError(
            f"{asked.path}: its embedding has {shape.rows:,} rows, the tokens' vocabulary {shape.vocab_size:,} entries:"
            " they are of another tokenizer. Pack the corpus with the model's own, `corpuscle pack --tokenizer "
            f"{asked.path}`, or add --set resize_vocabulary=true"
        )
    return shape


def read_config(path: str) -> dict[str, Any]:
    """Return the content of a directory's config.json; raises UsageError without one."""
    place = os.path.join(path, "config.json")
    if not os.path.isfile(place):
        inside = [name for name in ("faithful", "folded") if os.path.isfile(os.path.join(path, name, "config.json"))]
        advice = (
            f"; of this export give hf:{os.path.join(path, inside[0])}"
            if inside
            else "; --model hf:DIR takes a directory of transformers' form, with config.json, safetensors and tokenizer"
        )
        raise UsageError(f"{path}: no config.json{advice}")
    try:
        with open(place, encoding="utf-8") as source:
            content = json.load(source)
    except (OSError, ValueError) as error:
        raise UsageError(f"{place}: cannot be read ({error}); put the model's own config.json there") from error
    if not isinstance(content, dict):
        raise UsageError(f"{place}: no configuration of a model; put the model's own config.json there")
    return content


def plain_config(theirs: Any) -> dict[str, Any]:
    """Return a configuration as plain values, without the version of transformers that wrote it."""
    content: dict[str, Any] = json.loads(theirs.to_json_string(use_diff=False))
    for name in ("transformers_version", "dtype", "torch_dtype", "_name_or_path"):
        content.pop(name, None)
    return content


def _check_kind(path: str, theirs: Any) -> None:
    """Raise UsageError, by name, for kinds of models that are not trained here."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    kind = theirs.model_type
    if getattr(theirs, "is_encoder_decoder", False):
        raise UsageError(f"{path}: an encoder–decoder ({kind}); --model hf:DIR trains decoders")
    if type(theirs) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise UsageError(f"{path}: {kind} has no language model for AutoModelForCausalLM; --model hf:DIR trains those")
    if theirs.get_text_config() is not theirs:
        raise UsageError(f"{path}: {kind} reads more than text; --model hf:DIR trains language models alone")
    if getattr(theirs, "quantization_config", None):
        raise UsageError(f"{path}: its weights are quantized; give the ones that they were made from")
    if experts := [name for name in _EXPERTS if (getattr(theirs, name, None) or 0) > 1]:
        found = f"{kind}, {experts[0]} {getattr(theirs, experts[0])}"
        raise UsageError(
            f"{path}: a mixture of experts ({found}), whose balancing loss and memory are not handled here; give a "
            "dense model"
        )


def _checked_length(path: str, theirs: Any, seq_length: int | None) -> int:
    """Return the length of rows; raises UsageError when the model has not so many positions."""
    most = getattr(theirs, "max_position_embeddings", None) or -1  # XLNet says -1, BLOOM nothing: no limit
    if seq_length is None:
        return int(most) if most > 0 else DEFAULT_LENGTH
    if most > 0 and seq_length > most:
        raise UsageError(
            f"{path}: it has {most:,} positions, the tokens rows of {seq_length:,}: pack them with --seq-length {most}"
            " or less"
        )
    return seq_length


def _check_use(path: str, model: nn.Module, theirs: Any, use: ForeignUse, length: int) -> None:
    """Raise UsageError, by name, for an option that the architecture does not have."""
    kind, taken = type(model).__name__, takes(model)
    if use.reset_positions and "position_ids" not in taken:
        raise UsageError(f"{path}: {kind} takes no position_ids, so reset_positions cannot work; leave it out")
    if use.document_mask and "attention_mask" not in taken:
        raise UsageError(f"{path}: {kind} takes no attention_mask, so document_mask cannot work; leave it out")
    if use.document_mask and (narrow := _narrow_attention(theirs, length)):
        raise UsageError(
            f"{path}: {kind} has layers of {narrow}, whose mask document_mask would replace; leave it out, or pack rows"
            " no longer than the window"
        )
    if use.activation_checkpointing and not getattr(model, "supports_gradient_checkpointing", False):
        raise UsageError(f"{path}: {kind} has no activation checkpointing in transformers; leave it out")


def _narrow_attention(theirs: Any, length: int) -> str | None:
    """Return what layers have instead of attention to a whole row, in words; None when all see all of it."""
    window = getattr(theirs, "sliding_window", None)
    kinds = getattr(theirs, "layer_types", None)
    others = sorted({*kinds} - {_FULL}) if kinds else ["sliding_attention"] if window else []
    if others == ["sliding_attention"] and window is not None:
        return f"a sliding window of {window:,}" if window < length else None
    return ", ".join(others) or None


def _sizes(
    model: nn.Module, theirs: Any, content: dict[str, Any], *, seq_length: int, vocab_size: int | None
) -> ForeignShape:
    whole = cast(Any, model)
    output = whole.get_output_embeddings()
    head = None if output is None else output.weight
    sizes = [parameter.numel() for parameter in model.parameters()]
    tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    looked_up = {id(table): table.numel() for table in tables if table is not head}
    heads = getattr(theirs, "num_attention_heads", None) or 0
    channels = getattr(theirs, "head_dim", None) or (theirs.hidden_size // heads if heads else 0)
    rows = int(whole.get_input_embeddings().weight.shape[0])
    dropouts = [
        value
        for name, value in content.items()
        if isinstance(value, (int, float)) and name.endswith(("dropout", "dropout_prob", "pdrop"))
    ]
    return ForeignShape(
        model_type=theirs.model_type,
        architecture=type(model).__name__,
        layers=int(theirs.num_hidden_layers),
        hidden=int(theirs.hidden_size),
        attention_width=int(heads * channels),
        seq_length=seq_length,
        vocab_size=rows if vocab_size is None else vocab_size,
        rows=rows,
        num_parameters=sum(sizes),
        lookup_parameters=sum(looked_up.values()),
        persistent_parameters=sum(size for size in sizes if size <= PERSISTENT),
        dropout=float(max(dropouts, default=0.0)),
        config=content,
    )
