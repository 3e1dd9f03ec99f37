"""transformers writer for a model of transformers' own library: the directory as its Auto classes load it.

Its configuration is the one that it was trained with, its weights the fp32 masters under their own names. Only these
files are written: llama.cpp and CTranslate2 have converters of their own for such a directory.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from corpus import storage
from corpus.errors import UsageError
from train.export.config import FORMATS, DType, ExportFormat
from train.export.transformers_files import write_tokenizer
from train.foreign import ForeignShape
from train.model.backbone import offline
from train.model.foreign import empty_model, load_weights

_PREFIX = "model."  # of the parameters' names while it is trained


def check_foreign_formats(run: str, shape: ForeignShape, formats: Sequence[ExportFormat]) -> None:
    """Raise UsageError, by name, for formats in which a model of transformers' library is not written."""
    kind = shape.architecture
    if others := [name for name in formats if FORMATS[name].family != "transformers"]:
        raise UsageError(
            f"{run}: {', '.join(others)} are written of our own GPT-2 alone, and this is a {kind}; leave --format out "
            "for transformers' form, from which llama.cpp's and CTranslate2's own converters go on"
        )
    if "folded" in formats and shape.config.get("scale_attn_by_inverse_layer_idx"):
        raise UsageError(
            f"{run}: the attention scale of this {kind} is in its configuration and stays there; give --format faithful"
        )


def write_foreign(
    folder: str, weights: Mapping[str, Tensor], shape: ForeignShape, *, tokenizer: str, separator: str, dtype: DType
) -> None:
    """Write the directory; `tokenizer` is the text of tokenizer.json, `separator` its end of text."""
    os.makedirs(folder, exist_ok=True)
    model = cast(Any, foreign_model(weights, shape)).to(getattr(torch, dtype))
    with offline():
        model.save_pretrained(folder)
    for name in os.listdir(folder):
        os.chmod(storage.join(folder, name), 0o644)  # safetensors 0.8 leaves it to its owner alone
    write_tokenizer(folder, tokenizer, seq_length=shape.seq_length, separator=separator)


def foreign_model(weights: Mapping[str, Tensor], shape: ForeignShape) -> nn.Module:
    """Return transformers' own model with the weights of a checkpoint, in fp32, for inference."""
    model = empty_model(shape.config)
    load_weights(model, {name.removeprefix(_PREFIX): tensor.float() for name, tensor in weights.items()}, "checkpoint")
    return model.eval()
