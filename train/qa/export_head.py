"""Stage `qa export`: fine-tuned heads as directories of transformers' form, one a run, each held against ours.

    decoder, last token    <Family>ForSequenceClassification: a logit a label, or one for each option (num_labels 1)
    BERT, first token      BertForSequenceClassification for labels, BertForMultipleChoice for options

The classes of BERT put a pooler, tanh of a linear map, before the head, which ours has not: its map is 2^-16 times the
identity and the head's weights 2^16 times ours, so that tanh is the identity up to rounding. Whatever has no class that
computes the same is refused by name. Adapters are merged, and the scale of attention by layers is folded into weights.

`ct2-float32` and `ct2-int8` of a decoder stand in a folder of their name beside (`train.qa.ct2_heads`).

Base fingerprint, special tokens by id, labels and format stand under `corpuscle` in config.json and in the metadata of
the safetensors.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from corpus import storage
from corpus.errors import UsageError
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest, read_manifest
from corpus.stage.progress import say
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from train.qa.answerer import DESCRIPTION, AnswererCard, open_answerer
from train.qa.heads import Answerer, batch_rows
from train.qa.stage import STAGE as FINETUNE_STAGE

STAGE = "qa export"
REVISION = 2  # raise it when the same input gives other bytes
TOLERANCE = 1e-4  # of a logit, seen below 1e-5 on models far from their initial weights
POOLER_SCALE = 2.0**-16
TRIED_ROWS = ((5, 6, 7, 8, 9), (9, 8, 7), (6, 5))  # of ids, closed by the format's last special token


def export_heads(*, tuned: str, output: str, formats: Sequence[str] = ()) -> Manifest:
    """Export every run of a fine-tuning, in `formats` of CTranslate2 too, and return the committed manifest.

    Raises UsageError for a head that no class of transformers computes, what `open_answerer` raises, and UsageError
    when `output` holds something else.
    """
    if storage.is_remote(output):
        raise UsageError(f"{output}: export writes to a local disk; copy the directory away afterwards")
    found = read_manifest(tuned, FINETUNE_STAGE)
    with running_stage(output):
        workspace, manifest = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config={"formats": list(formats)},
            inputs=[Input(name=found.stage, fingerprint=found.fingerprint)],
            sources={tuned: found},
        )
        if manifest is not None:
            say(f"{output}: up to date ({STAGE}, {manifest.fingerprint[:12]})")
            return manifest
        receipts = [_export(workspace, tuned, str(name), formats) for name in found.summary["runs"]]
        summary = {
            "task": found.summary["task"],
            "classes": {receipt.task.partition("/")[2]: receipt.facts["class"] for receipt in receipts},
            "difference": max(receipt.facts["difference"] for receipt in receipts),
            "formats": {
                form: max(receipt.facts["formats"][form] for receipt in receipts) for form in ("folded", *formats)
            },
        }
        manifest = workspace.commit(receipts, summary=summary)
        workspace.clean()
        return manifest


def _export(workspace: Workspace, tuned: str, name: str, formats: Sequence[str]) -> Receipt:
    """Write one run unless it is done, and return its receipt."""
    task = f"export/{name}"
    if (done := workspace.finished(task)) is not None:
        return done
    answerer, card = open_answerer(storage.join(tuned, name), say)
    folder = workspace.path(name)
    storage.remove_tree(folder)
    kind = write_head(answerer, card, folder)
    shutil.copyfile(storage.join(tuned, name, DESCRIPTION), storage.join(folder, DESCRIPTION))
    difference = largest_difference(answerer, card, folder, kind)
    if difference > TOLERANCE:
        raise UsageError(
            f"{tuned}/{name}: transformers' {kind} computes other scores, by up to {difference:.2g}; this head cannot "
            "be exported to it: use `corpuscle qa evaluate`"
        )
    found = {"folded": difference} | {form: _for_ct2(answerer, card, folder, form) for form in formats}
    files = sorted(storage.walk_files(folder))
    for file in files:
        storage.sync_path(storage.join(folder, file))
    parts = tuple(workspace.measure(f"{name}/{file}", role="head", rows=1) for file in files)
    return workspace.finish(
        Receipt(task=task, parts=parts, facts={"class": kind, "difference": difference, "formats": found})
    )


def _for_ct2(answerer: Answerer, card: AnswererCard, folder: str, form: str) -> float:
    """Write a run for CTranslate2 beside its directory of transformers' form; return the largest difference of a score.

    Raises UsageError when float32 computes other scores; what int8 changes is for its user to judge.
    """
    from train.qa.ct2_heads import ct2_scores, write_ct2_head

    write_ct2_head(folder, storage.join(folder, form), form)
    rows = [row for own in _tried_rows(card) for row in own]
    with torch.no_grad():
        ours = answerer.cpu().eval().scores(batch_rows(_tried_rows(card), pad_id=0)).double()
    theirs = torch.from_numpy(ct2_scores(storage.join(folder, form), rows, batch=len(rows))) + _bias(answerer)
    difference = float((theirs.reshape(ours.shape) - ours).abs().max())
    if form == "ct2-float32" and difference > TOLERANCE:
        raise UsageError(f"{folder}: CTranslate2 computes other scores, by up to {difference:.2g}; leave --format out")
    return difference


def _tried_rows(card: AnswererCard) -> list[list[tuple[int, ...]]]:
    """Return rows of questions; the options of one are alike."""
    last = list(card.special_ids.values())[-1:] or [7]
    return [[(*row, *last)] * (1 if card.labels else 2) for row in TRIED_ROWS]


def write_head(answerer: Answerer, card: AnswererCard, folder: str) -> str:
    """Write a fine-tuned model as a directory of transformers' form; return the name of its class.

    The answerer's adapters are merged into its weights by this. Raises UsageError when no class computes the same.
    """
    backbone = answerer.backbone
    model_class = _class_of(answerer, card)
    _merge_adapters(backbone.model)
    config = backbone.config
    config.num_labels = len(card.labels) or 1
    if card.labels:
        config.id2label, config.label2id = dict(enumerate(card.labels)), {one: n for n, one in enumerate(card.labels)}
    if config.pad_token_id is None:
        config.pad_token_id = backbone.text.end_id
    facts = {name: value for name, value in asdict(card).items() if name not in ("base", "seed", "freeze_layers")}
    config.corpuscle = facts | {"head_bias": _bias(answerer)}
    theirs = model_class(config).eval()
    own = {name: tensor.detach().cpu() for name, tensor in backbone.model.state_dict().items()}
    if getattr(config, "scale_attn_by_inverse_layer_idx", False):
        own, config.scale_attn_by_inverse_layer_idx = _folded(own, config.n_embd), False
        theirs.config.scale_attn_by_inverse_layer_idx = False
    tensors = {f"{theirs.base_model_prefix}.{name}": tensor for name, tensor in own.items()}
    tensors |= _head_tensors(answerer, theirs)
    wrong = theirs.load_state_dict(tensors, strict=False)
    missing = [name for name in wrong.missing_keys if not name.endswith("position_ids")]
    if missing or wrong.unexpected_keys:
        names = ", ".join([*missing, *wrong.unexpected_keys][:8])
        raise UsageError(f"{card.base}: {model_class.__name__} has other weights ({names}); this head has no class")
    os.makedirs(folder, exist_ok=True)
    _save(theirs, backbone.text.tokenizer, folder, config.corpuscle)
    return str(model_class.__name__)


def _save(theirs: Any, tokenizer: Any, folder: str, facts: dict[str, Any]) -> None:
    """Write weights with their metadata, configuration and tokenizer."""
    from safetensors.torch import load_file, save_file

    theirs.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = storage.join(folder, "model.safetensors")
    save_file(load_file(path), path, metadata={"format": "pt", "corpuscle": json.dumps(facts, sort_keys=True)})
    os.chmod(path, 0o644)  # safetensors 0.8 leaves it to its owner alone


def largest_difference(answerer: Answerer, card: AnswererCard, folder: str, kind: str) -> float:
    """Return by how much the logits of a directory, opened by transformers, differ from ours at most."""
    import transformers

    theirs = getattr(transformers, kind).from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    rows = _tried_rows(card)
    batch = batch_rows(rows, pad_id=int(theirs.config.pad_token_id))
    ids, mask = batch.ids_RT, batch.mask_RT.long()
    with torch.no_grad():
        ours = answerer.cpu().eval().scores(batch)
        if kind.endswith("MultipleChoice"):
            ids, mask = (one.view(len(rows), 2, -1) for one in (ids, mask))
        found = theirs(input_ids=ids, attention_mask=mask).logits.float()
    return float((found.reshape(ours.shape) + (_offset(answerer, kind)) - ours).abs().max())


def _offset(answerer: Answerer, kind: str) -> float:
    """Return what a class without a bias lacks: it is the same for all options of a question."""
    return 0.0 if kind.startswith("Bert") else _bias(answerer)


def _bias(answerer: Answerer) -> float:
    bias: Tensor | None = answerer.head.linear.bias
    return 0.0 if bias is None else float(bias.detach()[0])


def _class_of(answerer: Answerer, card: AnswererCard) -> Any:
    """Return the class that computes what an answerer does; raises UsageError when there is none."""
    from transformers import BertForMultipleChoice, BertForSequenceClassification
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

    backbone = answerer.backbone
    family = backbone.facts.model_type
    if backbone.causal and card.pool == "last":
        if type(backbone.config) in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
            return MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(backbone.config)]
    elif family == "bert" and card.pool == "cls":
        return BertForSequenceClassification if card.labels else BertForMultipleChoice
    raise UsageError(
        f"{card.base}: no class of transformers is a {card.kind} head over {family} that reads "
        f"{ {'last': 'the last token', 'cls': 'the first token', 'mean': 'the mean'}[card.pool] }; only decoders read "
        "at the last token, and BERT at its first, can be exported"
    )


def _head_tensors(answerer: Answerer, theirs: Any) -> dict[str, Tensor]:
    """Return the head's tensors by the names of transformers' class."""
    weight, bias = answerer.head.linear.weight.detach().cpu(), answerer.head.linear.bias
    if not hasattr(theirs, "classifier"):
        return {"score.weight": weight}
    hidden, dense = weight.shape[1], f"{theirs.base_model_prefix}.pooler.dense"
    return {
        f"{dense}.weight": torch.eye(hidden) * POOLER_SCALE,
        f"{dense}.bias": torch.zeros(hidden),
        "classifier.weight": weight / POOLER_SCALE,
        "classifier.bias": torch.zeros(len(weight)) if bias is None else bias.detach().cpu(),
    }


def _folded(tensors: dict[str, Tensor], hidden: int) -> dict[str, Tensor]:
    """Return GPT-2's tensors with the queries of layer l divided by l + 1."""
    found = dict(tensors)
    for name, tensor in tensors.items():
        if ".attn.c_attn." in name:
            scaled = tensor.clone()
            scaled[..., :hidden] /= int(name.split(".")[1]) + 1
            found[name] = scaled
    return found


def _merge_adapters(model: nn.Module) -> None:
    """Put low-rank adapters and trained token rows into the weights that they stand beside."""
    try:
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils.other import AuxiliaryTrainingWrapper
    except ImportError:  # without the library there are none
        return
    for name, module in list(model.named_modules()):
        plain: Any = None
        if isinstance(module, AuxiliaryTrainingWrapper):
            plain = module.unload_and_optionally_merge_module(merge=True, safe_merge=False, adapter_names=None)
        elif isinstance(module, BaseTunerLayer) and hasattr(module, "lora_A"):
            module.merge()
            plain = module.get_base_layer()
        if plain is not None:
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, plain)
