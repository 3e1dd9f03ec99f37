"""Causal language model of transformers' library with the surface of our own: loss, losses and logits of a batch.

Any architecture of `AutoModelForCausalLM` whose claims hold when they are tried: a position does not see those behind
it, and its logits are its head's of its last hidden state. Then the loss is computed block by block, as ours is; a head
with a bias or a cap on its logits gets whole logits.

Shapes: B rows, T positions, C hidden, V rows of the embedding.
"""
# ruff: noqa: N803, N806 — capital letters in names are shapes

import inspect
from collections.abc import Mapping
from typing import Any, cast

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from corpus.errors import CorruptError, UsageError
from train.foreign import ForeignShape
from train.model.attention import document_mask
from train.model.backbone import offline
from train.model.head import IGNORE, TiedHead

CLOSE = 2e-5  # of the largest value: what kernels of two shapes may differ by


class ForeignLM(nn.Module):
    """Language model of transformers' library; `model` is its own module."""

    def __init__(self, model: nn.Module, shape: ForeignShape) -> None:
        super().__init__()
        self.model, self.shape = model, shape
        self.takes = takes(model)
        head = cast(Any, model).get_output_embeddings()
        self.head: TiedHead | None = None
        if isinstance(head, nn.Linear) and head.bias is None and self._is_plain_head(head):
            self.head = TiedHead(cast(nn.Parameter, head.weight), head.weight.shape[0])

    def forward(
        self,
        ids_BT: Tensor,
        targets_BT: Tensor | None = None,
        *,
        documents_BT: Tensor | None = None,
        positions_BT: Tensor | None = None,
        each: bool = False,
    ) -> Tensor:
        """Return the mean loss in nats over all targets that are not IGNORE, a float32 scalar.

        With `each`, every target's loss instead, float32 (B, T), 0 where there is none; without targets, the logits
        of the last position over the tokens' vocabulary. `documents_BT` keeps attention inside documents;
        `positions_BT` replaces the numbers of the positions.
        """
        inputs = self._inputs(ids_BT, documents_BT, positions_BT)
        if self.head is None:
            logits_BTV = self.model(**inputs).logits
            if targets_BT is None:
                return cast(Tensor, logits_BTV[:, -1, : self.shape.vocab_size])
            return _whole_loss(logits_BTV, targets_BT, each=each)
        x_BTC = cast(Any, self.model).base_model(**inputs).last_hidden_state
        if targets_BT is None:
            return cast(Tensor, self.head(x_BTC[:, -1])[:, : self.shape.vocab_size])
        losses = cast(Tensor, self.head(x_BTC.flatten(0, 1), targets_BT.flatten(), each=each))
        return losses.view(ids_BT.shape) if each else losses

    def _inputs(self, ids_BT: Tensor, documents_BT: Tensor | None, positions_BT: Tensor | None) -> dict[str, Any]:
        inputs: dict[str, Any] = {"input_ids": ids_BT}
        if "use_cache" in self.takes:
            inputs["use_cache"] = False
        if documents_BT is not None:
            inputs["attention_mask"] = self._mask(documents_BT)
        elif positions_BT is not None:
            # Without one, transformers takes positions that begin again for rows that were packed, and masks them.
            inputs["attention_mask"] = torch.ones_like(ids_BT)
        if positions_BT is not None:
            inputs["position_ids"] = positions_BT
        return inputs

    def _mask(self, documents_BT: Tensor) -> Tensor:
        """Return the mask (B, 1, T, T) in the form of the attention in use: allowed pairs, or what is added."""
        allowed = cast(Tensor, document_mask(documents_BT, dense=True))
        if cast(Any, self.model).config._attn_implementation == "sdpa":
            return allowed
        number = next(self.model.parameters()).dtype
        return torch.zeros_like(allowed, dtype=number).masked_fill(~allowed, torch.finfo(number).min)

    def _apply(self, fn: Any, recurse: bool = True) -> "ForeignLM":
        """Move or cast as torch does, but keep the precision of buffers.

        Rotary frequencies in bf16 would turn far positions by other angles; transformers keeps them in fp32 too.
        """
        kept = [
            (module, name, buffer)
            for module in self.modules()
            for name, buffer in module.named_buffers(recurse=False)
            if buffer.is_floating_point()
        ]
        super()._apply(fn, recurse)
        for module, name, buffer in kept:
            now = module._buffers[name]
            if now is not None and now.dtype != buffer.dtype:
                module._buffers[name] = buffer.to(now.device)
        return self

    def checkpoint_activations(self) -> None:
        """Keep only each layer's input for the backward pass, by transformers' own means."""
        model = cast(Any, self.model)
        newer = getattr(model, "activation_checkpointing_enable", None)  # its name from 5.23 on
        if newer is not None:
            newer(activation_checkpointing_kwargs={"use_reentrant": False})
        else:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    def layers(self) -> nn.ModuleList:
        """Return the layers: the longest list of modules."""
        lists = [module for module in self.model.modules() if isinstance(module, nn.ModuleList)]
        return max(lists, key=len)

    @torch.no_grad()
    def _is_plain_head(self, head: nn.Linear) -> bool:
        """Say whether the logits are the head's product with the last hidden state, nothing else."""
        if head.weight.is_meta:
            return True
        model = cast(Any, self.model)
        ids, was = torch.tensor([[1, 2, 3]]), self.model.training
        self.model.eval()
        logits = model(**self._inputs(ids, None, None)).logits
        found = head(model.base_model(**self._inputs(ids, None, None)).last_hidden_state)
        self.model.train(was)
        return found.shape == logits.shape and bool((found - logits).abs().max() <= CLOSE * logits.abs().max())


def _whole_loss(logits_BTV: Tensor, targets_BT: Tensor, *, each: bool) -> Tensor:
    reduction = "none" if each else "mean"
    flat = logits_BTV.flatten(0, 1).float()
    losses = functional.cross_entropy(flat, targets_BT.flatten(), ignore_index=IGNORE, reduction=reduction)
    return losses.view(targets_BT.shape) if each else losses


def takes(model: nn.Module) -> frozenset[str]:
    """Return the names of what a model's forward pass takes."""
    return frozenset(inspect.signature(cast(Any, model.forward)).parameters)


def build_foreign(shape: ForeignShape, *, seed: int, initial: str | None) -> ForeignLM:
    """Return the model of a shape, with the weights of the file `initial`, or drawn anew by the seed.

    Raises UsageError for an architecture that is no causal language model of the kind that can be trained.
    """
    if initial is None:
        torch.manual_seed(seed)
        model = empty_model(shape.config, drawn=True)
    else:
        model = empty_model(shape.config)
        load_weights(model, _read_all(initial), initial)
    found = ForeignLM(model, shape)
    check_causal(found)
    return found.train()


def empty_model(config: Mapping[str, Any], *, drawn: bool = False) -> nn.Module:
    """Return transformers' model of a configuration, its numbers undefined, or `drawn`; what it derives is there."""
    from transformers import AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    with offline():
        theirs = transformers_config(config)
        options = {"attn_implementation": attention_of(theirs), "dtype": torch.float32}
        if drawn:
            return cast(nn.Module, AutoModelForCausalLM.from_config(theirs, **options))
        with no_init_weights():
            model = AutoModelForCausalLM.from_config(theirs, **options)
        model.tie_weights()  # which is a part of what was left out
        return cast(nn.Module, model)


def transformers_config(content: Mapping[str, Any]) -> Any:
    """Return transformers' configuration of plain values; raises UsageError for a family that it does not know."""
    from transformers import CONFIG_MAPPING

    kind = str(content.get("model_type"))
    if kind not in CONFIG_MAPPING:
        import transformers

        raise UsageError(f"model_type {kind}: transformers {transformers.__version__} has no such family; upgrade it")
    return CONFIG_MAPPING[kind].from_dict(dict(content))


def attention_of(config: Any) -> str:
    """Return the attention to use: torch's fused one where the family has it, else transformers' plain one."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    if getattr(config, "scale_attn_by_inverse_layer_idx", False):
        return "eager"  # others ignored the scale before transformers 5.3
    family = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    return "sdpa" if getattr(family, "_supports_sdpa", False) else "eager"


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], place: str) -> None:
    """Give a model of transformers all of its parameters; raises CorruptError, with the names, for others."""
    own = dict(model.named_parameters())
    wrong = sorted({*own} ^ {*tensors}) + sorted(
        name for name in {*own} & {*tensors} if own[name].shape != tensors[name].shape
    )
    if wrong:
        raise CorruptError(
            f"{place}: {', '.join(wrong[:8])} missing, left over or of another shape: not the weights of this model"
        )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(tensors[name])


def _read_all(path: str) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as source:
        return {name: source.get_tensor(name) for name in source.keys()}  # noqa: SIM118 — no mapping


@torch.no_grad()
def check_causal(found: ForeignLM) -> None:
    """Raise UsageError, by name, for a model in which a position sees those behind it."""
    was = found.training
    found.eval()
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 5]])
    logits = found.model(**found._inputs(ids, None, None)).logits
    found.train(was)
    if (logits[0, :3] - logits[1, :3]).abs().max() > CLOSE * logits.abs().max():
        raise UsageError(
            f"{found.shape.architecture}: a position sees those behind it, so predicting the next token is no task for "
            "it; give a decoder"
        )


@torch.no_grad()
def check_masks(found: ForeignLM) -> None:
    """Raise UsageError, by name, for a model in which document masks let something through."""
    was = found.training
    found.eval()
    ids, documents = torch.tensor([[1, 2, 3, 4], [5, 6, 3, 4]]), torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1]])
    try:
        logits = found.model(**found._inputs(ids, documents, None)).logits
    except (RuntimeError, ValueError, TypeError) as error:
        raise UsageError(f"{found.shape.architecture}: takes no mask of documents; leave document_mask out") from error
    found.train(was)
    if (logits[0, 2:] - logits[1, 2:]).abs().max() > CLOSE * logits.abs().max():
        raise UsageError(f"{found.shape.architecture}: document_mask has no effect on all of its layers; leave it out")
