"""Inference backends: a checkpoint or an export opened to write and score text, after its hashes were checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, assert_never, cast

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.stage.manifest import Manifest, Part, has_manifest, read_manifest, verify_parts
from corpus.storage.json_files import read_json
from tokenizer.config import END_OF_TEXT
from tokenizer.hf_json import TOKENIZER, stated_separator
from train.checkpoint import store
from train.config import AnyShape, ModelShape
from train.export.config import FORMATS, SAFE_INT8_REVISION, ExportFormat
from train.export.foreign_files import foreign_model
from train.export.transformers_files import CONFIG, MODEL
from train.export.weight_names import from_transformers
from train.export.weights import Weights
from train.foreign import ForeignShape
from train.generate.foreign_text import ForeignText
from train.generate.kv_cache import Decoder
from train.generate.sampling import Sampling
from train.job import read_shape
from train.model.backbone import load_directory
from train.model.gpt import GPT, next_token_targets
from train.model.sampling import sample_token

Stop = Callable[[list[int]], bool]  # says of the ids written so far whether they are enough


class TextModel(Protocol):
    """Language model for inference; `end` is the id of the end of text."""

    seq_length: int
    end: int

    def continuations(self, ids: Sequence[int], sampling: Sampling, stop: Stop) -> list[list[int]]:
        """Return `sampling.number` continuations, each of at most `max_tokens`, without the end of text.

        `stop` says whether a continuation is long enough.
        """

    def losses(self, ids_BT: Tensor) -> Tensor:  # noqa: N803 — capital letters are the shape
        """Return the loss of each token but the first of rows of ids, nats, float32 (B, T - 1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedModel:
    """Model with its tokenizer; `source` says what was opened."""

    model: TextModel
    tokenizer: Tokenizer
    source: str


class TorchText:
    """Backend of our own model, in fp32 on the CPU."""

    def __init__(self, model: GPT, end: int) -> None:
        self._model, self.end, self.seq_length = model, end, model.shape.seq_length

    def continuations(self, ids: Sequence[int], sampling: Sampling, stop: Stop) -> list[list[int]]:
        """Return continuations one after the other, from one stream of random numbers."""
        generator = torch.Generator().manual_seed(sampling.seed)
        return [self._one(ids, sampling, stop, generator) for _ in range(sampling.number)]

    @torch.no_grad()
    def losses(self, ids_BT: Tensor) -> Tensor:  # noqa: N803
        """Return the loss of each token but the first of rows of ids, nats, float32 (B, T - 1)."""
        losses: Tensor = self._model(ids_BT, next_token_targets(ids_BT), each=True)
        return losses[:, :-1]

    def _one(self, ids: Sequence[int], sampling: Sampling, stop: Stop, generator: torch.Generator) -> list[int]:
        decoder = Decoder(self._model)
        logits, found = decoder.read(ids), list[int]()
        while True:
            chosen = sample_token(
                logits, generator, temperature=sampling.temperature, top_k=sampling.top_k, top_p=sampling.top_p
            )
            if chosen == self.end:
                return found
            found.append(chosen)
            if len(found) >= sampling.max_tokens or decoder.length >= self.seq_length or stop(found):
                return found
            logits = decoder.read([chosen])


class CT2Text:
    """Backend of an exported CTranslate2 model, on the CPU."""

    def __init__(self, folder: str, tokenizer: Tokenizer, end: int, seq_length: int, threads: int) -> None:
        from train.export.ctranslate2 import open_ct2

        self._generator = open_ct2(folder, threads=threads)
        self._tokenizer, self.end, self.seq_length = tokenizer, end, seq_length

    def continuations(self, ids: Sequence[int], sampling: Sampling, stop: Stop) -> list[list[int]]:
        """Return continuations, computed as one batch."""
        import ctranslate2

        ctranslate2.set_random_seed(sampling.seed)
        so_far: list[list[int]] = [[] for _ in range(sampling.number)]

        def stopped(step: ctranslate2.GenerationStepResult) -> bool:
            so_far[step.batch_id].append(step.token_id)
            return stop(so_far[step.batch_id])

        greedy = sampling.temperature == 0
        results = self._generator.generate_batch(
            [[self._tokenizer.id_to_token(one) for one in ids]] * sampling.number,
            max_length=min(sampling.max_tokens, self.seq_length - len(ids) + 1),
            include_prompt_in_result=False,
            end_token=END_OF_TEXT,
            sampling_topk=1 if greedy else sampling.top_k,
            sampling_topp=sampling.top_p,
            sampling_temperature=1.0 if greedy else sampling.temperature,
            callback=stopped,
        )
        return [list(result.sequences_ids[0]) for result in results]

    def losses(self, ids_BT: Tensor) -> Tensor:  # noqa: N803
        """Return the loss of each token but the first of rows of ids, nats, float32 (B, T - 1)."""
        rows = ids_BT.split(1)  # one at a time: all logits of a row are 118 MB at BioMedLM's sizes
        losses = (-self.log_probabilities(row[0].tolist())[:-1].gather(1, row[0, 1:, None])[:, 0] for row in rows)
        return torch.stack(list(losses))

    def log_probabilities(self, ids: Sequence[int]) -> Tensor:
        """Return the log-probability of every token behind each of some ids, float32 (T, vocabulary)."""
        logits = torch.from_numpy(np.array(self._generator.forward_batch([list(ids)])))[0]
        return logits.float().log_softmax(dim=1)


def open_text_model(path: str, say: Callable[[str], None], *, kind: str | None = None, threads: int = 1) -> OpenedModel:
    """Return the model of a run's newest good checkpoint, or of a format of an export.

    Raises UsageError when the path is neither or has no such format, CorruptError when a hash does not hold.
    """
    torch.set_num_threads(threads)
    if has_manifest(path) and (manifest := read_manifest(path)).stage == "export":
        return _open_export(path, manifest, _format_of(path, manifest, kind, say), threads)
    if kind is not None:
        raise UsageError(f"{path}: --format chooses among the formats of an export; `corpuscle export` makes one")
    if store.read_list(path) is None:
        raise UsageError(f"{path}: neither a run (result of `corpuscle train`) nor an export; check the path")
    checkpoint = store.newest_good(path, say)
    tokenizer, end = _tokenizer(storage.join(path, TOKENIZER))
    weights = load_file(storage.join(store.checkpoint_path(path, checkpoint.name), store.WEIGHTS))
    model = checkpoint_text(weights, read_shape(checkpoint.recipe["model"]), end)
    return OpenedModel(model=model, tokenizer=tokenizer, source=f"{checkpoint.name}, fp32")


def load_model(run: str, checkpoint: store.Checkpoint) -> GPT:
    """Return the model of ours that a checkpoint holds, in fp32, for inference."""
    folder = store.checkpoint_path(run, checkpoint.name)
    weights = load_file(storage.join(folder, store.WEIGHTS))
    return inference_model(weights, ModelShape(**checkpoint.recipe["model"]))


def checkpoint_text(weights: Weights, shape: AnyShape, end: int) -> TextModel:
    """Return the model of a checkpoint's weights in fp32, for inference."""
    if isinstance(shape, ForeignShape):
        model = foreign_model(weights, shape)
        return ForeignText(model, end=end, seq_length=shape.seq_length, vocab_size=shape.vocab_size)
    return TorchText(inference_model(weights, shape), end)


def inference_model(weights: Weights, shape: ModelShape) -> GPT:
    """Return the model with these weights in fp32, for inference; padding rows may be missing."""
    with torch.device("meta"):
        model = GPT(shape)
    rows = weights["tokens.weight"]
    missing = shape.padded_vocab_size - rows.shape[0]
    whole = {name: tensor.float() for name, tensor in weights.items()}
    whole["tokens.weight"] = torch.nn.functional.pad(rows.float(), (0, 0, 0, missing))
    absent, unexpected = model.load_state_dict(whole, strict=False, assign=True)
    assert (absent, unexpected) == (["head.weight"], []), "all but the tied head, which is the token embedding"
    model.head.weight = cast(torch.nn.Parameter, model.tokens.weight)
    return model.eval()


def _format_of(path: str, manifest: Manifest, kind: str | None, say: Callable[[str], None]) -> ExportFormat:
    """Return the format to open; old int8 only when it is asked for or all that there is, and then said."""
    written: list[ExportFormat] = manifest.config["formats"]
    asked = [name for name in written if kind in (None, name)]
    if not asked:
        raise UsageError(f"{path}: holds {', '.join(written)}, not {kind}; export it, or leave --format out")
    unsafe = manifest.revision < SAFE_INT8_REVISION
    chosen = min(asked, key=lambda name: (unsafe and name == "ct2-int8", FORMATS[name].preference))
    if unsafe and chosen == "ct2-int8":
        say(f"{path}: this int8 is another model on a CPU without VNNI; export again into another --output")
    return chosen


def _open_export(path: str, manifest: Manifest, chosen: ExportFormat, threads: int) -> OpenedModel:
    _verify(path, manifest, [part for part in manifest.parts if part.role == chosen])
    base, family = storage.join(path, FORMATS[chosen].path), FORMATS[chosen].family
    if family == "gguf":
        return _open_gguf(base, chosen)
    tokenizer, end = _tokenizer(storage.join(base, TOKENIZER))
    if family == "ct2":
        seq_length = _sizes(storage.join(base, "tokenizer_config.json"), "model_max_length")[0]
        model: TextModel = CT2Text(base, tokenizer, end, seq_length, threads)
    elif family == "transformers" and "architecture" in manifest.summary:
        model = _foreign_export(base, end, tokenizer.get_vocab_size())
    elif family == "transformers":
        shape = _shape(storage.join(base, CONFIG))
        weights = from_transformers(load_file(storage.join(base, MODEL)), shape)
        model = TorchText(inference_model(weights, shape), end)
    else:
        assert_never(family)
    return OpenedModel(model=model, tokenizer=tokenizer, source=chosen)


def _foreign_export(path: str, end: int, vocab_size: int) -> ForeignText:
    """Return the model of an export of transformers' own architecture."""
    backbone = load_directory(path, language_model=True)
    seq_length = min(_sizes(storage.join(path, "tokenizer_config.json"), "model_max_length")[0], backbone.max_length)
    return ForeignText(backbone.model, end=end, seq_length=seq_length, vocab_size=vocab_size)


def _open_gguf(path: str, kind: str) -> OpenedModel:
    from train.export.gguf_file import read_gguf, read_gguf_tokenizer

    weights, shape = read_gguf(path)
    tokenizer = read_gguf_tokenizer(path)
    end = _end(tokenizer)
    return OpenedModel(
        model=TorchText(inference_model(weights, shape), end), tokenizer=tokenizer, source=f"{kind}, as fp32"
    )


def _verify(path: str, manifest: Manifest, parts: Sequence[Part]) -> None:
    """Check the files that will be loaded; raises CorruptError."""
    fields = {name: getattr(manifest, name) for name in manifest.__dataclass_fields__}
    if faults := list(verify_parts(path, Manifest(**{**fields, "parts": tuple(parts)}))):
        raise CorruptError(f"{faults[0]}; export again into another --output")


def _shape(path: str) -> ModelShape:
    sizes = dict(zip(_SIZES, _sizes(path, *_SIZES.values()), strict=True))
    (scale,) = _sizes(path, "scale_attn_by_inverse_layer_idx", kind=bool)
    return ModelShape(**sizes, dropout=0.0, scale_attn_by_inverse_layer_idx=bool(scale))


_SIZES = {
    "layers": "n_layer", "heads": "n_head", "hidden": "n_embd", "seq_length": "n_positions", "vocab_size": "vocab_size",
}  # fmt: skip


def _sizes(path: str, *names: str, kind: type = int) -> list[int]:
    """Return values of a configuration that transformers reads; raises CorruptError for one that is missing or odd."""
    content = read_json(path, "export again into another --output")
    values: list[Any] = [content.get(name) if isinstance(content, dict) else None for name in names]
    for name, value in zip(names, values, strict=True):
        if type(value) is not kind:
            raise CorruptError(f"{path}: {name} is {str(value)[:40]}; export again into another --output")
    return values


def _tokenizer(path: str) -> tuple[Tokenizer, int]:
    """Return the tokenizer and the id of the end of text."""
    tokenizer = Tokenizer.from_file(path)
    return tokenizer, _end(tokenizer, stated_separator(path) or END_OF_TEXT)


def _end(tokenizer: Tokenizer, separator: str = END_OF_TEXT) -> int:
    end = tokenizer.token_to_id(separator)
    assert end is not None, "a tokenizer that `pack` wrote has an end of text"
    return int(end)
