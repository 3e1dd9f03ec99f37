"""Any model as a backbone: our run, our export, or a directory of transformers' form; one place for all who ask."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, cast

import torch

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.stage.manifest import Manifest, has_manifest, read_manifest, verify_parts
from tokenizer.config import END_OF_TEXT
from tokenizer.hf_json import TOKENIZER, stated_separator
from train.checkpoint import store
from train.config import ModelShape
from train.export.config import FORMATS
from train.export.foreign_files import foreign_model
from train.export.transformers_files import end_of_text_id, model_config
from train.export.weight_names import transformers_weights
from train.export.weights import Weights, read_weights
from train.foreign import ForeignShape
from train.job import read_shape
from train.model.backbone import (
    Backbone,
    LoadedFacts,
    checked_backbone,
    load_directory,
    set_dropout,
    text_of,
)
from train.model.foreign import transformers_config
from train.model.foreign_shape import plain_config

_PREFIX = "transformer."


def load_backbone(
    path: str, say: Callable[[str], None], *, language_model: bool = False, dropout: float | None = None
) -> Backbone:
    """Return the backbone of a run's newest good checkpoint, of an export, or of a directory of transformers' form.

    Always in fp32, and never with weights missing. What the files hold beside it is said, by `say`. Raises UsageError
    when the path is no model, CorruptError when files are damaged, lack weights, or do not belong together.
    """
    if store.read_list(path) is not None:
        return _of_run(path, say, language_model=language_model, dropout=dropout)
    folder = path
    if has_manifest(path):
        folder = _of_export(path, read_manifest(path))
    backbone = load_directory(folder, language_model=language_model, dropout=dropout)
    if unused := backbone.facts.unused:
        more = f" and {len(unused) - 5} more" if len(unused) > 5 else ""
        say(f"{path}: {len(unused)} weights of the files are not used: {', '.join(unused[:5])}{more}")
    return backbone


def _of_export(path: str, manifest: Manifest) -> str:
    """Return the directory of transformers' form in an export, its hashes checked; raises UsageError without one."""
    formats: list[str] = manifest.config.get("formats", []) if manifest.stage == "export" else []
    kinds = [kind for kind in formats if FORMATS[cast(Any, kind)].family == "transformers"]
    if not kinds:
        raise UsageError(f"{path}: neither a run nor an export with transformers' files; export it so, or give the run")
    kind = min(kinds, key=lambda name: FORMATS[cast(Any, name)].preference)
    fields = {name: getattr(manifest, name) for name in manifest.__dataclass_fields__}
    parts = tuple(part for part in manifest.parts if part.role == kind)
    if faults := list(verify_parts(path, Manifest(**{**fields, "parts": parts}))):
        raise CorruptError(f"{faults[0]}; export again into another --output")
    return storage.join(path, FORMATS[cast(Any, kind)].path)


def _of_run(path: str, say: Callable[[str], None], *, language_model: bool, dropout: float | None) -> Backbone:
    from transformers import PreTrainedTokenizerFast

    checkpoint = store.newest_good(path, say)
    shape = read_shape(checkpoint.recipe["model"])
    weights = read_weights(path, checkpoint, shape)
    with storage.open_read(storage.join(path, TOKENIZER)) as source:
        tokenizer = source.read().decode()
    separator = stated_separator(storage.join(path, TOKENIZER)) or END_OF_TEXT
    text = text_of(PreTrainedTokenizerFast(tokenizer_object=_read_tokenizer(tokenizer), eos_token=separator))
    if isinstance(shape, ForeignShape):
        model = _foreign_body(weights, shape, language_model=language_model, dropout=dropout)
    else:
        end = end_of_text_id(tokenizer, separator)
        model = _gpt2_body(weights, shape, end, language_model=language_model, dropout=dropout)
    files = json.dumps([checkpoint.step, sorted((name, file.sha256) for name, file in checkpoint.files.items())])
    kind = shape.model_type if isinstance(shape, ForeignShape) else "gpt2"
    facts = LoadedFacts(source=path, fingerprint=hashlib.sha256(files.encode()).hexdigest(), model_type=kind)
    backbone = checked_backbone(model, text, facts)
    say(f"{path}: {checkpoint.name}, as transformers' {type(model).__name__}")
    return backbone


def _foreign_body(
    weights: Weights, shape: ForeignShape, *, language_model: bool, dropout: float | None
) -> torch.nn.Module:
    """Return transformers' own model of a run of one, whole or without the head that predicts tokens."""
    if dropout is not None:
        theirs = transformers_config(shape.config)
        set_dropout(theirs, dropout)
        fields = {name: getattr(shape, name) for name in shape.__dataclass_fields__}
        shape = ForeignShape(**{**fields, "config": plain_config(theirs)})
    model = foreign_model(weights, shape)
    return model if language_model else cast(torch.nn.Module, cast(Any, model).base_model)


def _gpt2_body(
    weights: Weights, shape: ModelShape, end: int, *, language_model: bool, dropout: float | None
) -> torch.nn.Module:
    """Return our model as transformers' GPT-2, whole or without the head that predicts tokens."""
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model

    tensors = transformers_weights(weights)
    stated = model_config(shape, {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end}, "float32")
    config = GPT2Config(**{key: value for key, value in stated.items() if key != "torch_dtype"})
    config._attn_implementation = "eager" if shape.scale_attn_by_inverse_layer_idx else "sdpa"
    if dropout is not None:
        set_dropout(config, dropout)
    if language_model:
        model: torch.nn.Module = GPT2LMHeadModel(config)
        tensors["lm_head.weight"] = tensors[f"{_PREFIX}wte.weight"]
    else:
        model = GPT2Model(config)
        tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items()}
    model.load_state_dict(tensors, strict=True)
    return model


def _read_tokenizer(content: str) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(content)
