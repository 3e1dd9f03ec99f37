"""Fine-tuned heads for CTranslate2: a decoder whose output head is the answerer's, in float32 or int8, on the CPU.

CTranslate2 has no class with a classification head, but asks nothing of an output head than that it is a linear map:
with the answerer's rows in the place of the vocabulary's, the logits at a row's last token are the scores. The decoder
is read from an exported directory by CTranslate2's own converter, so that what it knows (GPT-2, Llama, Qwen, …) can be
had; others, and encoders, are refused by name. int8 is as narrow as that of `train.export.ctranslate2`.
"""
# ruff: noqa: N803, N806 — capital letters in names are shapes: R rows, T positions, N scores of a row

import os
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.qa.question import Question
from corpus.stage.machine import usable_cores
from corpus.stage.manifest import read_manifest
from corpus.storage.json_files import read_json
from train.model.backbone import text_of
from train.qa.answered import Answered
from train.qa.answerer import AnswererCard, format_rule, read_card
from train.qa.formats import FormattedQuestion, format_question
from train.qa.local_answers import check_head
from train.qa.scoring import predictions

CT2_HEADS: Final = ("ct2-float32", "ct2-int8")


def write_ct2_head(source: str, folder: str, kind: str) -> None:
    """Write the directory of transformers' form `source`, a decoder with a head, for CTranslate2 into `folder`.

    Raises UsageError for a model that CTranslate2 has no converter for.
    """
    from ctranslate2.converters.transformers import _MODEL_LOADERS as LOADERS
    from transformers import AutoTokenizer

    from train.export.ctranslate2 import quantize_spec

    model = _decoder(source)
    loader = LOADERS.get(type(model.config).__name__)
    if loader is None:
        known = ", ".join(sorted(name.removesuffix("Config") for name in LOADERS))
        raise UsageError(
            f"{source}: CTranslate2 has no converter for {model.config.model_type}; leave --format {kind} out (it has "
            f"some for {known})"
        )
    spec = loader.get_model_spec(model)
    size = len(spec.decoder.embeddings.weight)
    # Nothing is read or written as text by it: ids come in, and scores out.
    spec.register_vocabulary([f"<{number}>" for number in range(size)])
    loader.set_config(spec.config, model, AutoTokenizer.from_pretrained(source, local_files_only=True))
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "<0>"
    spec.validate()
    spec._alias_variables()
    quantize_spec(spec, kind.removeprefix("ct2-"))
    os.makedirs(folder, exist_ok=True)
    spec.save(folder)


def _decoder(source: str) -> Any:
    """Return the decoder of a directory as a language model whose output head is the answerer's."""
    from transformers import AutoModelForSequenceClassification
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    tuned = AutoModelForSequenceClassification.from_pretrained(source, local_files_only=True, dtype=torch.float32)
    config = tuned.config
    if not hasattr(tuned, "score"):
        raise UsageError(f"{source}: {config.model_type} is no decoder, and heads in CTranslate2 are; leave ct2-* out")
    config.tie_word_embeddings = False
    family: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    with torch.device("meta"):
        model = family(config)
    setattr(model, model.base_model_prefix, getattr(tuned, tuned.base_model_prefix))
    head = nn.Linear(tuned.score.weight.shape[1], tuned.score.weight.shape[0], bias=False)
    head.weight = tuned.score.weight
    model.set_output_embeddings(head)
    return model.eval()


def ct2_scores(folder: str, rows: Sequence[Sequence[int]], *, batch: int) -> NDArray[np.float64]:
    """Return the logits at the last token of each row, float64 (rows, N), in the order given."""
    import ctranslate2

    model = ctranslate2.Generator(folder, device="cpu", intra_threads=usable_cores(), inter_threads=1)
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    found: list[Any] = [None] * len(rows)
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        logits_RTN = np.array(model.forward_batch([list(rows[one]) for one in places], return_log_probs=False))
        for own_TN, place in zip(logits_RTN, places, strict=True):
            found[place] = own_TN[len(rows[place]) - 1]
    return np.array(found, dtype=np.float64)


def answer_by_ct2_heads(export: str, name: str, kind: str, asked: Sequence[Question], *, batch: int) -> Answered:
    """Return the answers of one run of an export of heads.

    Raises UsageError when the export lacks the format, or its head is for other questions.
    """
    from transformers import AutoTokenizer

    formats = read_manifest(export).summary.get("formats", {})
    if kind not in formats:
        raise UsageError(
            f"{export}: has no {kind}; make it: `corpuscle export TUNED --format folded --format {kind} --output DIR`"
        )
    folder = storage.join(export, name)
    card = read_card(folder)
    check_head(folder, card, asked)
    started = time.perf_counter()
    text = text_of(AutoTokenizer.from_pretrained(folder, local_files_only=True))
    formatted = [format_question(one, text.encode, format_rule(card)) for one in asked]
    rows = [row for one in formatted for row in one.rows]
    scores_RN = ct2_scores(storage.join(folder, kind), rows, batch=batch) + _bias(folder)
    return Answered(
        predictions=tuple(
            predictions(formatted, _by_question(formatted, scores_RN, card), seed=card.seed, format_name=card.format)
        ),
        tokens_in=sum(map(len, rows)),
        tokens_out=0,
        seconds=time.perf_counter() - started,
        parameters=card.parameters,
    )


def _by_question(
    formatted: Sequence[FormattedQuestion], scores_RN: NDArray[np.float64], card: AnswererCard
) -> list[tuple[float, ...]]:
    """Return the scores of each question's options: a row's own of a head for labels, else one of each row."""
    if card.kind == "class":
        return [tuple(own.tolist()) for own in scores_RN]
    found, start = [], 0
    for one in formatted:
        found.append(tuple(scores_RN[start : start + len(one.rows), 0].tolist()))
        start += len(one.rows)
    return found


def _bias(folder: str) -> float:
    path, remedy = storage.join(folder, "config.json"), "export the fine-tuning again"
    content: Any = read_json(path, remedy)
    try:
        return float(content["corpuscle"]["head_bias"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CorruptError(f"{path}: no head_bias of ours in it ({error}); {remedy}") from error
