"""Sizes of a planned training: its tokens, its model, and of one of transformers' library its activations.

No torch for a model of ours; another one is built, without its numbers, to be counted.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from corpus.errors import UsageError
from corpus.stage.manifest import read_manifest
from tokenizer.config import PackConfig, TokenizerConfig
from train.config import AnyShape, ModelConfig, ModelShape, TrainConfig
from train.foreign import ForeignConfig, ForeignShape


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Tokens of the training split, by source where a manifest says so."""

    total: int
    by_source: Mapping[str, int]
    seq_length: int | None
    vocab_size: int | None

    def pass_rows(self, seq_length: int, weights: Mapping[str, float] | None) -> int:
        """Return the rows of one pass, each source counted as often as its weight says."""
        if not weights or not self.by_source:
            return self.total // seq_length
        return int(sum(weights.get(name, 1.0) * count for name, count in self.by_source.items())) // seq_length


def read_tokens(tokens: str | None) -> Tokens | None:
    """Return the tokens of a finished `pack`, or a plain number of them (34.6e9); raises UsageError, for none too."""
    if tokens is None:
        return None
    if not os.path.isdir(tokens):
        try:
            total = int(float(tokens.replace(",", "").replace("_", "")))
        except (ValueError, OverflowError):
            raise UsageError(f"{tokens}: neither a tokens directory nor a number such as 34.6e9") from None
        if total < 1:
            raise UsageError(f"{tokens}: the number of tokens must be positive")
        return Tokens(total=total, by_source={}, seq_length=None, vocab_size=None)
    summary = read_manifest(tokens, "pack").summary
    split = summary["splits"].get("train", {"tokens": 0})
    if not split["tokens"]:
        raise UsageError(f"{tokens}: no training token; pack a corpus that has training documents")
    return Tokens(
        total=split["tokens"],
        by_source=dict(split.get("tokens_by_source", {})),
        seq_length=int(summary["seq_length"]),
        vocab_size=int(summary["vocab_size"]),
    )


def planned_model(preset: str, config: TrainConfig, tokens: Tokens | None) -> tuple[AnyShape, int | None]:
    """Return the sizes of what would be trained, and of a model of transformers' library a row's activations."""
    if config.foreign is None:
        assert config.model is not None, "a configuration has a model"
        return planned_shape(preset, config.model, tokens), None
    from train.model.foreign_memory import row_activation_bytes, whole_logits_bytes  # torch and transformers: 5 s

    shape = planned_foreign(config.foreign, config, tokens)
    counted = row_activation_bytes(shape, precision=config.precision, recompute=config.activation_checkpointing)
    return shape, counted + whole_logits_bytes(shape)


def planned_foreign(foreign: ForeignConfig, config: TrainConfig, tokens: Tokens | None) -> ForeignShape:
    """Return the sizes of a model of transformers' library on tokens; on a mere number of them, with `pack`'s rows."""
    from train.model.foreign_shape import ForeignUse, find_shape

    return find_shape(
        foreign,
        seq_length=(tokens.seq_length if tokens else None) or PackConfig().seq_length,
        vocab_size=tokens.vocab_size if tokens else None,
        resize=config.resize_vocabulary,
        use=ForeignUse(
            document_mask=config.document_mask,
            reset_positions=config.reset_positions,
            activation_checkpointing=config.activation_checkpointing,
        ),
    )


def planned_shape(preset: str, model: ModelConfig, tokens: Tokens | None) -> ModelShape:
    """Return the sizes of a model on tokens; on a mere number of them, those that `pack` and `tokenizer` have unasked.

    Raises UsageError when neither configuration nor tokens say them.
    """
    if tokens is None and None in (model.seq_length, model.vocab_size):
        raise UsageError(
            f"{preset}: its row length and vocabulary follow the tokens; give --tokens, a directory or a number"
        )
    unasked = {"seq_length": PackConfig().seq_length, "vocab_size": TokenizerConfig().vocab_size}
    sizes = {name: getattr(tokens, name, None) or getattr(model, name) or size for name, size in unasked.items()}
    return model.shape(**sizes)
