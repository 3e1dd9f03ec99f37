"""Activations of a model of transformers' library, counted: what autograd keeps of a forward pass, without numbers.

The pass runs on torch's meta device at the model's full size. Attention is counted as its fused kernels keep it:
queries, keys, values, the output and a number a position and head; of an architecture without a fused one, as it is.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from corpus.errors import UsageError
from train.foreign import ForeignShape
from train.model.backbone import offline
from train.model.foreign import attention_of, transformers_config

COUNTED = "corpuscle_counted"
_LOGIT_BYTES = 14  # of whole logits: as computed in bf16, in fp32, their softmax and its gradient
_SCALED = ("final_logit_softcapping", "logit_scale", "logits_scaling")


def row_activation_bytes(shape: ForeignShape, *, precision: str, recompute: bool) -> int:
    """Return the bytes that a forward pass over one row of tokens keeps for the backward pass, without the head.

    With `recompute` only each layer's input is kept, and one layer at a time in full. Raises UsageError for a model
    that does not run without numbers.
    """
    number = torch.bfloat16 if precision == "bf16" else torch.float32
    model = _without_numbers(shape, number)
    ids = torch.zeros((1, shape.seq_length), dtype=torch.long, device="meta")
    try:
        whole = saved_bytes(cast(Any, model).base_model, ids)
    except (RuntimeError, NotImplementedError) as error:
        raise UsageError(
            f"{shape.architecture}: its activations cannot be counted without numbers ({str(error).splitlines()[0]}); "
            "train a step of it to see its memory"
        ) from error
    if recompute:
        return whole // shape.layers + shape.layers * shape.seq_length * shape.hidden * number.itemsize
    return whole


def whole_logits_bytes(shape: ForeignShape) -> int:
    """Return the bytes of a row's logits where the head is more than a product and needs all of them; else 0."""
    scaled = [shape.config.get(name) for name in _SCALED]
    more = any(value not in (None, 1, 1.0) for value in scaled)
    return _LOGIT_BYTES * shape.seq_length * shape.rows if more else 0


def saved_bytes(body: nn.Module, ids: Tensor) -> int:
    """Return the bytes of all tensors that autograd keeps of a body's forward pass, parameters not among them."""
    own = {parameter.untyped_storage()._cdata for parameter in body.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if (place := tensor.untyped_storage()._cdata) not in own:
            kept[place] = tensor  # held, so that no other tensor gets its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        body(input_ids=ids, use_cache=False)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def _without_numbers(shape: ForeignShape, number: torch.dtype) -> nn.Module:
    from transformers import AttentionInterface, AutoModelForCausalLM

    AttentionInterface.register(COUNTED, _counted)
    config = transformers_config(shape.config)
    kind = COUNTED if attention_of(config) == "sdpa" else "eager"
    with offline(), torch.device("meta"):
        return cast(nn.Module, AutoModelForCausalLM.from_config(config, attn_implementation=kind, dtype=number)).train()


def _counted(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **_: Any
) -> tuple[Tensor, None]:
    """Return attention's output as to its shape; queries (B, H, T, K), keys and values of fewer heads."""
    out: Tensor = _FusedAttention.apply(query, key, value)
    return out.transpose(1, 2), None


class _FusedAttention(torch.autograd.Function):
    """What a fused kernel keeps: its inputs, its output and the logarithm of each softmax's sum."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, out, query.new_empty(query.shape[:3], dtype=torch.float32))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        raise NotImplementedError("only counted")
