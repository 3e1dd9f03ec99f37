"""Answerer from a configuration: backbone, special tokens, head, adapters and frozen layers; its weights on disk.

Of a fine-tuned model only the trained tensors are kept, as safetensors, with `answerer.json` beside them: the base
model's path and fingerprint, special tokens by id, labels, format. The base must be there to open it again, and the
same to the byte.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.storage.json_files import BadJsonError, build, read_json
from train.export.backbone import load_backbone
from train.model.backbone import Backbone
from train.qa.config import FinetuneConfig
from train.qa.data import TaskShape
from train.qa.formats import END, SPECIALS, FormatRule, HeadFormat, Keep, needed_specials
from train.qa.heads import Answerer, Pool, make_head
from train.qa.long_form import AnswerWriter

WEIGHTS = "weights.safetensors"
DESCRIPTION = "answerer.json"
SHOWN = 8  # names that a message shows


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswererCard:
    """What is needed to open a fine-tuned model again, its answerer.json."""

    base: str  # path of the base model
    base_fingerprint: str  # of its weights
    parameters: int  # of the base
    kind: str  # choice, class or answer
    labels: tuple[str, ...]  # of a class task, in the order of the head
    format: str
    keep: str  # which end of a long text stays
    max_tokens: int
    pool: str
    special_ids: dict[str, int]  # by the token's name; those that the base lacks follow its embedding's rows
    new_tokens: int  # of them, those that the base lacks
    new_rows: str  # how their rows started
    lora: int
    lora_alpha: int
    freeze_layers: int
    seed: int


def build_answerer(
    config: FinetuneConfig, model: str, shape: TaskShape, seed: int, say: Callable[[str], None]
) -> tuple[Answerer | AnswerWriter, AnswererCard]:
    """Return a base model with a fresh head, or as a language model for long form, and its card.

    Everything that is new is drawn by the seed.

    Raises UsageError when format and model do not go together, and what `load_backbone` raises.
    """
    writes = shape.kind == "answer"
    backbone = load_backbone(model, say, language_model=writes, dropout=config.dropout)
    if writes and not backbone.causal:
        raise UsageError(f"{model}: an encoder writes no answers; give a decoder, or a task with options")
    name: HeadFormat = config.format if config.format != "auto" else "paper" if backbone.causal else "linkbert"
    keep = config.keep if config.keep != "auto" else "start" if name == "released" else "end"
    if (name, shape.kind) not in SPECIALS:
        raise UsageError(f"format {name}: has no form for answers in words; choose paper or released")
    special_ids, new_tokens = _special_ids(backbone, needed_specials(name, shape.kind, backbone.facts.model_type))
    card = AnswererCard(
        base=os.path.abspath(model),
        base_fingerprint=backbone.facts.fingerprint,
        parameters=backbone.num_parameters,
        kind=shape.kind,
        labels=shape.labels,
        format=name,
        keep=keep,
        max_tokens=min(config.max_tokens, backbone.max_length),
        pool=config.pool if config.pool != "auto" else "last" if backbone.causal else "cls",
        special_ids=special_ids,
        new_tokens=new_tokens,
        new_rows=config.new_rows,
        lora=config.lora,
        lora_alpha=config.lora_alpha,
        freeze_layers=config.freeze_layers,
        seed=seed,
    )
    return _assemble(backbone, card), card


def format_rule(card: AnswererCard) -> FormatRule:
    """Return how a fine-tuned model's questions become rows."""
    return FormatRule(
        name=cast(HeadFormat, card.format),
        kind=cast(Any, card.kind),
        special_ids=card.special_ids,
        max_tokens=card.max_tokens,
        keep=cast(Keep, card.keep),
    )


def open_answerer(folder: str, say: Callable[[str], None]) -> tuple[Answerer, AnswererCard]:
    """Return a fine-tuned model with a head, and its card.

    Raises CorruptError, with the names, when its weights are not exactly those that its card asks for, or the base is
    another one now; UsageError for a model of long form.
    """
    answerer, card = open_tuned(folder, say)
    if isinstance(answerer, AnswerWriter):
        raise UsageError(f"{folder}: answers in words and scores no options; use `corpuscle qa answer`")
    return answerer, card


def open_tuned(folder: str, say: Callable[[str], None]) -> tuple[Answerer | AnswerWriter, AnswererCard]:
    """Return a fine-tuned model of any kind, and its card; raises CorruptError as `open_answerer`."""
    card = read_card(folder)
    backbone = load_backbone(card.base, say, language_model=card.kind == "answer")
    if backbone.facts.fingerprint != card.base_fingerprint:
        raise CorruptError(
            f"{card.base}: other files than {folder} was fine-tuned from; put the base model back, or fine-tune again"
        )
    answerer = _assemble(backbone, card)
    load_trained(answerer, load_file(storage.join(folder, WEIGHTS)), folder)
    return answerer, card


def weight_faults(folders: Sequence[str]) -> Iterator[str]:
    """Yield a line for each fine-tuned model whose weights are not those that its card asks for, or whose base is gone.

    Only names and shapes are read of the weights; a base is loaded once for all its seeds.
    """
    asked: dict[str, dict[str, list[int]] | str] = {}
    for folder in folders:
        try:
            card = read_card(folder)
            of_all = json.dumps(asdict(replace(card, seed=0)), sort_keys=True)
            if of_all not in asked:
                asked[of_all] = _asked_shapes(card)
            expected = asked[of_all]
            if isinstance(expected, str):
                yield f"{folder}: {expected}"
            elif wrong := _differing(expected, _shapes_of_file(storage.join(folder, WEIGHTS))):
                yield _wrong_weights(folder, wrong)
        except CorruptError as error:
            yield str(error)


def _asked_shapes(card: AnswererCard) -> dict[str, list[int]] | str:
    """Return the shapes of the tensors that a card asks for, by name; a line when its base cannot be had."""
    try:
        backbone = load_backbone(card.base, lambda line: None)
    except (UsageError, CorruptError) as error:
        return f"its base model cannot be opened: {error}"
    if backbone.facts.fingerprint != card.base_fingerprint:
        return f"{card.base} has other files than it was fine-tuned from; put the base model back, or fine-tune again"
    answerer = _assemble(backbone, card)
    return {name: list(one.shape) for name, one in answerer.named_parameters() if one.requires_grad}


def _shapes_of_file(path: str) -> dict[str, list[int]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 — no mapping
    except (SafetensorError, OSError) as error:
        raise CorruptError(f"{path}: no readable weights ({error}); put the file back, or fine-tune again") from error


def _differing(asked: Mapping[str, list[int]], there: Mapping[str, list[int]]) -> list[str]:
    """Return the names that one side lacks, then those of another shape."""
    wrong = sorted({*asked} ^ {*there})
    return wrong + sorted(name for name in {*asked} & {*there} if asked[name] != there[name])


def _wrong_weights(place: str, wrong: Sequence[str]) -> str:
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return (
        f"{place}: its weights are not those that its answerer.json asks for: {', '.join(wrong[:SHOWN])}{more} "
        "missing, left over or of another shape; put the files back, or fine-tune again"
    )


def trained_tensors(answerer: nn.Module) -> dict[str, Tensor]:
    """Return copies of the tensors that training changes, by name."""
    return {
        name: parameter.detach().float().cpu().clone().contiguous()
        for name, parameter in answerer.named_parameters()
        if parameter.requires_grad
    }


def load_trained(answerer: nn.Module, tensors: dict[str, Tensor], place: str) -> None:
    """Put trained tensors into an answerer; raises CorruptError unless they are exactly those that it trains."""
    own = {name: parameter for name, parameter in answerer.named_parameters() if parameter.requires_grad}
    shapes = [{name: list(tensor.shape) for name, tensor in side.items()} for side in (own, tensors)]
    if wrong := _differing(*shapes):
        raise CorruptError(_wrong_weights(place, wrong))
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(tensors[name])


def write_answerer(folder: str, card: AnswererCard, tensors: dict[str, Tensor]) -> None:
    """Write a fine-tuned model's two files, each whole or not at all."""
    os.makedirs(folder, exist_ok=True)
    write_tensors(storage.join(folder, WEIGHTS), tensors)
    with storage.write_atomic(storage.join(folder, DESCRIPTION)) as sink:
        sink.write(json.dumps(asdict(card), indent=1, sort_keys=True).encode() + b"\n")


def write_tensors(path: str, tensors: dict[str, Tensor]) -> None:
    """Write tensors to a safetensors file, whole or not at all."""
    from safetensors.torch import save

    with storage.write_atomic(path) as sink:
        sink.write(save(tensors, metadata={"format": "pt"}))


def _assemble(backbone: Backbone, card: AnswererCard) -> Answerer | AnswerWriter:
    """Return the answerer of a card around a base model as loaded."""
    backbone.add_tokens(card.new_tokens, seed=card.seed, rows=cast(Any, card.new_rows))
    head = (
        None
        if card.kind == "answer"
        else make_head(
            cast(Any, card.kind), hidden=backbone.hidden, labels=len(card.labels), seed=card.seed + 1_000_003
        )
    )
    if card.lora:
        _add_adapters(backbone, card)
    elif card.freeze_layers:
        _freeze(backbone, card.freeze_layers)
    return AnswerWriter(backbone) if head is None else Answerer(backbone, head, cast(Pool, card.pool))


def _special_ids(backbone: Backbone, names: tuple[str, ...]) -> tuple[dict[str, int], int]:
    """Return the ids of special tokens by name, the tokenizer's own or new ones, and how many are new."""
    own = {"[CLS]": backbone.text.cls_id, "[SEP]": backbone.text.sep_id, END: backbone.text.end_id}
    found: dict[str, int] = {}
    new = 0
    for name in names:
        known = own.get(name)
        found[name] = known if known is not None else backbone.num_rows + new
        new += known is None
    return found, new


def _add_adapters(backbone: Backbone, card: AnswererCard) -> None:
    """Freeze the base and put low-rank adapters on all of its linear maps; new special tokens are trained too."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UsageError("--lora needs the library peft: pip install 'corpuscle[qa]'") from error
    from transformers.pytorch_utils import Conv1D

    output = cast(Any, backbone.model).get_output_embeddings()  # of a language model; most are tied to the input's
    linear = {name: one for name, one in backbone.model.named_modules() if isinstance(one, (nn.Linear, Conv1D))}
    targets = sorted(name for name, module in linear.items() if module is not output)
    new = list(range(backbone.num_rows - card.new_tokens, backbone.num_rows))
    config = LoraConfig(
        r=card.lora,
        lora_alpha=card.lora_alpha,
        lora_dropout=0.0,
        target_modules=targets,
        trainable_token_indices=new or None,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in backbone.model.modules()),
    )
    for parameter in backbone.model.parameters():
        parameter.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(card.seed)
        inject_adapter_in_model(config, backbone.model)


def _freeze(backbone: Backbone, count: int) -> None:
    """Freeze the lowest layers and all that comes before them: embeddings, new special tokens' rows with them."""
    layers = max(
        (module for module in backbone.model.modules() if isinstance(module, nn.ModuleList)), key=len, default=None
    )
    if layers is None or count > len(layers):
        raise UsageError(f"freeze_layers {count}: the model has {0 if layers is None else len(layers)} layers")
    inside = {id(parameter) for layer in layers[count:] for parameter in layer.parameters()}
    below = True
    for parameter in backbone.model.parameters():
        below = below and id(parameter) not in inside
        if below:
            parameter.requires_grad_(False)


def read_card(folder: str) -> AnswererCard:
    """Return what stands beside the weights of a fine-tuned model; raises CorruptError."""
    path = storage.join(folder, DESCRIPTION)
    remedy = "fine-tune again into another --output"
    try:
        return build(AnswererCard, read_json(path, remedy))
    except BadJsonError as error:
        raise CorruptError(f"{path}: not the description of a fine-tuned model ({error}); {remedy}") from error
