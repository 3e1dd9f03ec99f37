"""Backbone: any transformer of transformers' library that gives hidden states, whole or refused.

A class put onto the weights of another one only warns about those that are missing, and starts them at random: here
that is an error that names them. Texts become ids without special tokens, whatever they spell; special tokens are
added by id alone. Encoder or decoder is found out by trying: whether a position sees those behind it.

Shapes: B rows, T positions, C hidden, V rows of the embedding.
"""
# ruff: noqa: N803, N806 — capital letters in names are shapes

import inspect
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from corpus.errors import CorruptError, UsageError
from train.model.model_files import directory_hash, gguf_file

NewRows = Literal["normal", "mean"]
INIT_STD = 0.02
SPARE_ROWS = 1024  # rows above the tokenizer's that only pad the embedding; more say that it is another tokenizer's
SHOWN = 8  # names that a message shows
_PLAIN: dict[str, Any] = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
_NO_LIMIT = 1 << 20  # transformers writes 1e30 for a tokenizer that knows no limit
_POOLER = "pooler."  # BERT's, of its next-sentence task: not read here


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneText:
    """Tokenizer of a backbone: text to ids, and the special tokens that it has, by id."""

    tokenizer: Any  # of transformers
    cls_id: int | None
    sep_id: int | None
    end_id: int | None
    num_tokens: int  # ids are below this
    special_ids: frozenset[int]  # all that mark something, but for the unknown token

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, none of them special: `[SEP]` in a text is five characters."""
        ids = self._plain(text)
        if self.special_ids.isdisjoint(ids):
            return ids
        # Some vocabularies hold a special token as an ordinary piece too: its first letter is parted from the rest.
        names = "|".join(re.escape(name[1:]) for name in self._special_names())
        return [one for piece in re.split(f"(?={names})", text) for one in self._plain(piece) if piece]

    def _plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, **_PLAIN)["input_ids"])

    def _special_names(self) -> list[str]:
        return [name for name in self.tokenizer.all_special_tokens if len(name) > 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedFacts:
    """What was found while a backbone was loaded."""

    source: str  # path as given
    fingerprint: str  # of its weights: SHA-256 over the names and hashes of the files
    model_type: str  # transformers' word for the family
    unused: tuple[str, ...] = field(default=())  # weights of the files that the backbone has no place for


class Backbone(nn.Module):
    """Transformer body with its tokenizer; `model` is transformers' own module."""

    def __init__(self, model: nn.Module, text: BackboneText, facts: LoadedFacts) -> None:
        super().__init__()
        self.model, self.text, self.facts = model, text, facts
        self.config: Any = model.config
        self.takes = frozenset(inspect.signature(cast(Any, model.forward)).parameters)
        self.causal = _is_causal(self)

    @property
    def hidden(self) -> int:
        """Width of the hidden states."""
        return int(self.config.get_text_config().hidden_size)

    @property
    def num_parameters(self) -> int:
        """Parameters, a tied head counted once."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def num_rows(self) -> int:
        """Rows of the token embedding, special tokens added here with them."""
        return int(self._embedding().weight.shape[0])

    @property
    def max_length(self) -> int:
        """Positions that both the model and its tokenizer allow."""
        found = [getattr(self.config, name, None) for name in ("max_position_embeddings", "n_positions")]
        found.append(getattr(self.text.tokenizer, "model_max_length", None))
        limits = [int(value) for value in found if value and value < _NO_LIMIT]
        return min(limits, default=_NO_LIMIT)

    def forward(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the hidden states (B, T, C) of rows of ids; `mask_BT` is False at padding, on either side."""
        return cast(Tensor, self._run(ids_BT, mask_BT).last_hidden_state)

    def logits(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the logits of the next token (B, T, V), of a backbone loaded with its language model's head."""
        return cast(Tensor, self._run(ids_BT, mask_BT).logits)

    def _run(self, ids_BT: Tensor, mask_BT: Tensor) -> Any:
        inputs: dict[str, Any] = {"input_ids": ids_BT, "attention_mask": mask_BT.long()}
        if "use_cache" in self.takes:
            inputs["use_cache"] = False
        if "position_ids" in self.takes and not bool(mask_BT[:, 0].all()):  # padded on the left: count real tokens
            inputs["position_ids"] = (mask_BT.long().cumsum(1) - 1).clamp(min=0)
        return self.model(**inputs)

    def add_tokens(self, count: int, *, seed: int, rows: NewRows) -> list[int]:
        """Give the embedding rows for `count` new special tokens and return their ids.

        No text can become one: the tokenizer does not know them. `rows` says how they start: normal with deviation
        0.02 (as the published BioMedLM's did), or all at the mean of the old rows (as transformers starts them now).
        A head that predicts tokens and has weights of its own gets rows of the same kind.
        """
        old = self.num_rows
        if not count:
            return []
        cast(Any, self.model).resize_token_embeddings(old + count, mean_resizing=False)
        generator = torch.Generator().manual_seed(seed)
        output = cast(Any, self.model).get_output_embeddings()
        weights = [self._embedding().weight]
        if output is not None and output.weight is not weights[0]:
            weights.append(output.weight)
        with torch.no_grad():
            for weight_VC in weights:
                if rows == "normal":
                    weight_VC[old:] = torch.randn((count, weight_VC.shape[1]), generator=generator) * INIT_STD
                else:
                    weight_VC[old:] = weight_VC[: self.text.num_tokens].mean(dim=0)
        return list(range(old, old + count))

    def _embedding(self) -> nn.Embedding:
        return cast(nn.Embedding, cast(Any, self.model).get_input_embeddings())


def load_directory(path: str, *, language_model: bool = False, dropout: float | None = None) -> Backbone:
    """Return the backbone of a directory of transformers' form, in fp32, without network.

    With `language_model`, the head that predicts tokens too. `dropout` replaces the configuration's. Raises UsageError
    for what is no such directory, or an encoder–decoder; CorruptError, with the names, when weights are missing or the
    tokenizer does not fit.
    """
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    gguf = gguf_file(path)
    named = {"gguf_file": gguf} if gguf else {}
    with offline():
        try:
            config = AutoConfig.from_pretrained(path, local_files_only=True, **named)
            text = _tokenizer(path, named)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path}: transformers cannot read it: {_first_line(error)}") from error
        if getattr(config, "is_encoder_decoder", False):
            raise UsageError(f"{path}: an encoder–decoder ({config.model_type}); give an encoder or a decoder")
        if dropout is not None:
            set_dropout(config, dropout)
        kind = AutoModelForCausalLM if language_model else AutoModel
        options: dict[str, Any] = {"config": config, "dtype": torch.float32, "local_files_only": True, **named}
        if getattr(config, "scale_attn_by_inverse_layer_idx", False):
            options["attn_implementation"] = "eager"  # others ignored the scale before transformers 5.3
        model, found = _loaded(kind, path, options)
    unused = _check_loaded(path, model, found)
    return checked_backbone(
        model,
        text,
        LoadedFacts(source=path, fingerprint=directory_hash(path), model_type=config.model_type, unused=unused),
    )


def checked_backbone(model: nn.Module, text: BackboneText, facts: LoadedFacts) -> Backbone:
    """Return a backbone around a loaded module; raises CorruptError when embedding and tokenizer disagree."""
    rows = int(cast(Any, model).get_input_embeddings().weight.shape[0])
    if not text.num_tokens <= rows <= text.num_tokens + SPARE_ROWS:
        raise CorruptError(
            f"{facts.source}: the tokenizer has {text.num_tokens:,} tokens, the embedding {rows:,} rows; they are not "
            "of one model: put the right tokenizer's files there"
        )
    return Backbone(model.eval(), text, facts)


def text_of(tokenizer: Any) -> BackboneText:
    """Return the text side of a backbone from a tokenizer of transformers."""
    highest = max(tokenizer.get_vocab().values())
    return BackboneText(
        tokenizer=tokenizer,
        cls_id=tokenizer.cls_token_id,
        sep_id=tokenizer.sep_token_id,
        end_id=tokenizer.eos_token_id,
        num_tokens=highest + 1,
        special_ids=frozenset(tokenizer.all_special_ids) - {tokenizer.unk_token_id},
    )


def set_dropout(config: Any, rate: float) -> None:
    """Set every dropout rate of a transformers configuration."""
    for name, value in vars(config).items():
        if isinstance(value, (int, float)) and name.endswith(("dropout", "dropout_prob", "pdrop")):
            setattr(config, name, rate)


def _tokenizer(path: str, named: dict[str, str]) -> BackboneText:
    from transformers import AutoTokenizer

    return text_of(AutoTokenizer.from_pretrained(path, local_files_only=True, **named))


def _loaded(kind: Any, path: str, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    try:
        try:
            return cast(Any, kind.from_pretrained(path, output_loading_info=True, add_pooling_layer=False, **options))
        except TypeError:  # a family without a pooler
            return cast(Any, kind.from_pretrained(path, output_loading_info=True, **options))
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise UsageError(f"{path}: transformers cannot load it: {_first_line(error)}") from error


def _check_loaded(path: str, model: nn.Module, found: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of weights that were not used; raises CorruptError, with the names, when some are missing."""
    missing = sorted(found["missing_keys"])
    wrong = sorted(str(item[0] if isinstance(item, tuple) else item) for item in found.get("mismatched_keys", ()))
    if missing or wrong:
        names = [*missing, *(f"{name} (another shape)" for name in wrong)]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise CorruptError(
            f"{path}: {type(model).__name__} lacks {len(names)} weights that the files do not hold, and would start "
            f"them at random: {', '.join(names[:SHOWN])}{more}; use files of this architecture"
        )
    return tuple(sorted(found["unexpected_keys"]))


def _is_causal(backbone: Backbone) -> bool:
    """Say whether a position is blind to those behind it, by changing the last of three tokens."""
    ids = torch.tensor([[1, 2, 3], [1, 2, 4]])
    with torch.no_grad():
        run = backbone._run(ids, torch.ones_like(ids, dtype=torch.bool))
    states = run["last_hidden_state"] if "last_hidden_state" in run else run["logits"]
    return bool((states[0, :2] - states[1, :2]).abs().max() <= 2e-5 * states.abs().max())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0][:300]


@contextmanager
def offline() -> Iterator[None]:
    """Keep transformers from the network, and from its own report of what it loaded, which ours replaces."""
    from transformers.utils import logging

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def pad_rows(
    rows: Sequence[Sequence[int]], *, pad_id: int = 0, side: Literal["right", "left"] = "right", length: int = 0
) -> tuple[Tensor, Tensor]:
    """Return rows of ids as one tensor (B, T) and its mask, False at padding; T is the longest, or `length` if more."""
    width = max(length, *(len(row) for row in rows))
    ids_BT = torch.full((len(rows), width), pad_id, dtype=torch.long)
    mask_BT = torch.zeros((len(rows), width), dtype=torch.bool)
    for number, row in enumerate(rows):
        begin = 0 if side == "right" else width - len(row)
        ids_BT[number, begin : begin + len(row)] = torch.tensor(row, dtype=torch.long)
        mask_BT[number, begin : begin + len(row)] = True
    return ids_BT, mask_BT
