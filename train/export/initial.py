"""Initial weights of a run, taken from a model that exists: our run, our export, or any GPT-2 of transformers' form.

They become one file of fp32 tensors by the model's own names, from which every rank starts. A GPT-2 that differs from
ours in anything but sizes is refused by name. The attention scale of the layers may be in the weights or in the
configuration: either becomes the other, and the function stays the same. The vocabulary is compared entry by entry:
with another one every row of the embedding would mean another token.

Shapes: V rows of the embedding, C hidden.
"""
# ruff: noqa: N803, N806 — capital letters in names are shapes

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from corpus import storage
from corpus.errors import UsageError
from tokenizer.hf_json import TOKENIZER
from train.config import ModelShape
from train.export.backbone import load_backbone
from train.export.weight_names import folded, from_transformers, unfolded
from train.export.weights import EMBEDDING, Weights
from train.foreign import ForeignShape
from train.job import Job

_OURS = {  # of transformers' GPT2Config: what our model is, and nothing else
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}
_POSITIONS = "positions.weight"


@dataclass(frozen=True, kw_only=True, slots=True)
class _TokenizerEntries:
    """Entries and merges of a byte-level BPE tokenizer."""

    entries: Mapping[str, int]  # id by token, as the file spells it
    merges: tuple[str, ...]
    file: Tokenizer


def write_start(path: str, job: Job, say: Callable[[str], None]) -> None:
    """Write the file that the ranks of a job start from; raises what the two kinds of it do."""
    if isinstance(job.shape, ForeignShape):
        assert job.config.foreign is not None
        write_foreign_start(
            path, job.config.foreign.path, job.shape, job.tokens, resize=job.config.resize_vocabulary, say=say
        )
    else:
        assert job.config.init is not None
        write_initial(path, job.config.init, job.shape, job.tokens, resize=job.config.resize_vocabulary, say=say)


def write_foreign_start(
    path: str, model: str, shape: ForeignShape, tokens: str, *, resize: bool, say: Callable[[str], None]
) -> None:
    """Write the weights of a model of transformers' library, by its own names, for tokens of a `pack` directory.

    With `resize` its embedding and its head get the tokens' vocabulary as `write_initial` does it. Raises UsageError
    when the vocabulary is another and that was not asked for, and what `load_backbone` raises.
    """
    backbone = load_backbone(model, say, language_model=True)
    module = cast(Any, backbone.model)
    with storage.open_read(storage.join(tokens, TOKENIZER)) as source:
        wanted = _vocabulary(Tokenizer.from_str(source.read().decode()))
    file = Path(model, TOKENIZER)
    own = _vocabulary(Tokenizer.from_file(str(file)) if file.exists() else backbone.text.tokenizer.backend_tokenizer)
    weights = {name: parameter.detach() for name, parameter in module.named_parameters()}
    if (own.entries, own.merges) != (wanted.entries, wanted.merges):
        _check_resize(model, own, wanted, resize=resize, source=model)
        for number, name in enumerate(_vocabulary_weights(module)):
            weights[name] = _other_rows(weights[name], own, wanted, say if number == 0 else lambda line: None)
    for name in _vocabulary_weights(module):
        weights[name] = weights[name][: shape.rows]
    _write(path, weights)
    say(f"{model}: the {shape.num_parameters:,} weights of {shape.architecture} are where this run starts")


def _vocabulary_weights(module: Any) -> list[str]:
    """Return the names of the parameters that have a row for each token: the embedding, a head of its own."""
    parts = [module.get_input_embeddings(), module.get_output_embeddings()]
    held = {id(one) for part in parts if part is not None for one in part.parameters()}
    return [name for name, parameter in module.named_parameters() if id(parameter) in held]


def write_initial(
    path: str, model: str, shape: ModelShape, tokens: str, *, resize: bool, say: Callable[[str], None]
) -> None:
    """Write the file that ranks start from, for tokens of a `pack` directory.

    `resize` allows another vocabulary: entries that both have keep their row, a new one starts at the mean of the rows
    of the pieces that the old tokenizer makes of it. Raises UsageError for a model that is not of this shape or kind,
    or has another vocabulary, and what `load_backbone` raises.
    """
    backbone = load_backbone(model, say, language_model=True)
    module = cast(Any, backbone.model)
    found = _checked_shape(model, module.config, shape)
    tensors = {name: tensor.detach() for name, tensor in module.state_dict().items()}
    weights = dict(from_transformers(tensors, found))
    with storage.open_read(storage.join(tokens, TOKENIZER)) as source:
        wanted = _vocabulary(Tokenizer.from_str(source.read().decode()))
    own = _vocabulary(backbone.text.tokenizer.backend_tokenizer)
    if (own.entries, own.merges) != (wanted.entries, wanted.merges):
        _check_resize(model, own, wanted, resize=resize, source=str(Path(model) / TOKENIZER))
        weights[EMBEDDING] = _other_rows(weights[EMBEDDING], own, wanted, say)
    elif (spare := weights[EMBEDDING].shape[0] - shape.vocab_size) > 0:
        weights[EMBEDDING] = weights[EMBEDDING][: shape.vocab_size]
        say(f"{model}: {spare} rows of its embedding are of no token and are left out")
    weights = _scaled_as(weights, found, shape)
    _write(path, weights)
    say(f"{model}: its {shape.num_parameters:,} weights are where this run starts")


def _write(path: str, weights: Weights) -> None:
    temporary = f"{path}.part"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save_file({name: tensor.float().contiguous() for name, tensor in weights.items()}, temporary)
    os.replace(temporary, path)


def _checked_shape(model: str, config: Any, shape: ModelShape) -> ModelShape:
    """Return the sizes of a loaded GPT-2; raises UsageError, naming every difference, when they are not the run's."""
    wrong = [
        f"  {name}: {getattr(config, name, None)}, not {' or '.join(map(str, known))}"
        for name, known in _OURS.items()
        if getattr(config, name, None) not in known
    ]
    if wrong:
        raise UsageError("\n".join([f"{model}: not a GPT-2 of the form that `train` has:", *wrong]))
    found = ModelShape(
        layers=config.n_layer,
        heads=config.n_head,
        hidden=config.n_embd,
        seq_length=config.n_positions,
        vocab_size=config.vocab_size,
        dropout=shape.dropout,
        scale_attn_by_inverse_layer_idx=config.scale_attn_by_inverse_layer_idx,
    )
    lines = [
        f"  model.{name} is {getattr(found, name):,} there and {getattr(shape, name):,} in the configuration: add "
        f"--set model.{name}={getattr(found, name)}"
        for name in ("layers", "heads", "hidden")
        if getattr(found, name) != getattr(shape, name)
    ]
    if config.n_inner not in (None, 4 * config.n_embd):
        lines.append(f"  its MLP is {config.n_inner:,} wide; `train` has 4 x {config.n_embd:,}")
    if found.seq_length != shape.seq_length:
        lines.append(
            f"  it has {found.seq_length:,} positions, the tokens rows of {shape.seq_length:,}: pack them with "
            f"--seq-length {found.seq_length}"
        )
    if lines:
        raise UsageError("\n".join([f"{model}: not of the shape of this run:", *lines]))
    return found


def _vocabulary(file: Tokenizer) -> _TokenizerEntries:
    """Return what ids mean by a tokenizer; entries below its highest id alone count."""
    merges = json.loads(file.to_str())["model"].get("merges", ())
    return _TokenizerEntries(
        entries=file.get_vocab(with_added_tokens=True),
        merges=tuple(merge if isinstance(merge, str) else " ".join(merge) for merge in merges),
        file=file,
    )


def _check_resize(model: str, own: _TokenizerEntries, wanted: _TokenizerEntries, *, resize: bool, source: str) -> None:
    """Raise UsageError when the tokens are of another tokenizer than the model and nobody has asked for that.

    `source` is what `pack` takes the model's own from.
    """
    if resize:
        return
    alike = sum(own.entries.get(token) == number for token, number in wanted.entries.items())
    raise UsageError(
        f"{model}: the tokens are of another tokenizer: {alike:,} of their {len(wanted.entries):,} entries are those "
        f"of the model, {'with' if own.merges == wanted.merges else 'and not with'} its merges. Pack them with the "
        f"model's own, `corpuscle pack --tokenizer {source}`, or add --set resize_vocabulary=true: "
        "entries that both have keep their weights"
    )


def _other_rows(
    old_VC: Tensor, own: _TokenizerEntries, wanted: _TokenizerEntries, say: Callable[[str], None]
) -> Tensor:
    """Return the embedding for another vocabulary."""
    mean_C = old_VC[: len(own.entries)].mean(dim=0)
    new_VC = torch.empty(len(wanted.entries), *old_VC.shape[1:])
    kept = 0
    for token, row in wanted.entries.items():
        if token in own.entries:
            kept += 1
            new_VC[row] = old_VC[own.entries[token]]
            continue
        pieces = [piece.id for piece in own.file.model.tokenize(token)]
        new_VC[row] = old_VC[pieces].mean(dim=0) if pieces else mean_C
    say(
        f"another vocabulary: {kept:,} of {len(wanted.entries):,} entries keep their weights, "
        f"{len(wanted.entries) - kept:,} start at the mean of their pieces"
    )
    return new_VC


def _scaled_as(weights: Weights, found: ModelShape, shape: ModelShape) -> Weights:
    """Return the weights of the same function with the attention scale where the run has it."""
    if found.scale_attn_by_inverse_layer_idx == shape.scale_attn_by_inverse_layer_idx:
        return weights
    return unfolded(weights, found) if shape.scale_attn_by_inverse_layer_idx else folded(weights, found)[0]
