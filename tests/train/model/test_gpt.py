"""The model against transformers' GPT-2: sizes, logits, gradients, the per-layer attention scale, the chunked loss."""

import dataclasses
import subprocess
import sys
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounter
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

from tests.conftest import REPOSITORY
from train.config import ModelShape, load_preset
from train.model import head
from train.model.gpt import GPT, build_model, next_token_targets

SHAPE = ModelShape(
    layers=3,
    heads=4,
    hidden=32,
    seq_length=24,
    vocab_size=149,
    dropout=0.0,
    scale_attn_by_inverse_layer_idx=True,
)


def ids(rows: int = 3) -> torch.Tensor:
    return torch.randint(SHAPE.vocab_size, (rows, SHAPE.seq_length), generator=torch.Generator().manual_seed(5))


def reference(model: GPT) -> GPT2LMHeadModel:
    """transformers' model with the same weights; Conv1D stores matrices the other way round."""
    shape = model.shape
    config = GPT2Config(
        vocab_size=shape.vocab_size,
        n_positions=shape.seq_length,
        n_embd=shape.hidden,
        n_layer=shape.layers,
        n_head=shape.heads,
        scale_attn_by_inverse_layer_idx=shape.scale_attn_by_inverse_layer_idx,
        attn_implementation="eager",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    other = GPT2LMHeadModel(config)
    state = {their_name(name): their_layout(name, tensor, shape) for name, tensor in model.named_parameters()}
    missing, unexpected = other.load_state_dict(state, strict=False)
    assert not unexpected
    assert missing == ["lm_head.weight"]  # tied
    return other.eval()


def their_name(name: str) -> str:
    if not name.startswith("blocks."):
        first, kind = name.rsplit(".", 1)
        return f"transformer.{ {'tokens': 'wte', 'positions': 'wpe', 'norm': 'ln_f'}[first] }.{kind}"
    _, layer, rest = name.split(".", 2)
    part, kind = rest.rsplit(".", 1)
    theirs = {
        "attention_norm": "ln_1",
        "attention.qkv": "attn.c_attn",
        "attention.project": "attn.c_proj",
        "mlp_norm": "ln_2",
        "mlp.up": "mlp.c_fc",
        "mlp.project": "mlp.c_proj",
    }
    return f"transformer.h.{layer}.{theirs[part]}.{kind}"


def their_layout(name: str, tensor: torch.Tensor, shape: ModelShape) -> torch.Tensor:
    if name == "tokens.weight":
        return tensor[: shape.vocab_size].detach().clone()
    linear = name.startswith("blocks.") and tensor.dim() == 2
    return (tensor.T if linear else tensor).detach().clone()


def grown(model: GPT) -> GPT:
    """Weights far from their initial values, so that every part of the model matters."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
        model.tokens.weight[model.shape.vocab_size :] = 0.0
    return model


def gradients(model: GPT) -> dict[str, torch.Tensor]:
    """Gradients of the mean loss by name, laid out as transformers has them."""
    tokens = ids()
    model(tokens, next_token_targets(tokens)).backward()
    found = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        found[name] = their_layout(name, parameter.grad, model.shape)
    return found


def gradients_there(other: GPT2LMHeadModel, names: Iterable[str]) -> dict[str, torch.Tensor]:
    other(ids(), labels=ids()).loss.backward()
    there = {name: parameter.grad for name, parameter in other.named_parameters()}
    return {name: there[their_name(name)] for name in names}


def distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """The norm of the difference over the norm of what is wanted, in float64."""
    return ((found.double() - wanted.double()).norm() / wanted.double().norm()).item()


@pytest.mark.parametrize("inverse", [True, False])
def test_logits_and_gradients_equal_transformers(inverse: bool) -> None:
    """To 1e-5 in fp32: the loss and each logit as numbers, each tensor of gradients relative to its own norm.

    A single number of a gradient can be far smaller than the terms it is the sum of, so no two orders of summing
    agree on it; transformers in float64 is the truth for both, and ours is as near to it as transformers' own fp32.
    """
    model = grown(build_model(dataclasses.replace(SHAPE, scale_attn_by_inverse_layer_idx=inverse), seed=1))
    other, exact = reference(model), reference(model).double()
    tokens = ids()
    ours, theirs = model.logits(tokens), other(tokens).logits
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.double(), exact(tokens).logits, atol=1e-5, rtol=1e-5)
    loss = model(tokens, next_token_targets(tokens))
    torch.testing.assert_close(loss, other(tokens, labels=tokens).loss, atol=1e-5, rtol=0)
    mine = gradients(model)
    single, double = gradients_there(other, mine), gradients_there(exact, mine)
    for name, gradient in mine.items():
        assert distance(gradient, single[name]) < 1e-5, name
        assert (gradient - single[name]).abs().max() < 1e-5 * single[name].abs().max(), name
        assert distance(gradient, double[name]) < 1e-5, name
    worst = max(distance(gradient, double[name]) for name, gradient in mine.items())
    assert worst < 2 * max(distance(gradient, double[name]) for name, gradient in single.items())


def test_the_layer_scale_changes_logits() -> None:
    model = grown(build_model(SHAPE, seed=1))
    plain = GPT(dataclasses.replace(SHAPE, scale_attn_by_inverse_layer_idx=False))
    plain.load_state_dict(model.state_dict())
    assert (model.logits(ids()) - plain.logits(ids())).abs().max() > 0.1


def test_padding_rows_get_no_gradient_and_no_probability() -> None:
    model = grown(build_model(SHAPE, seed=1))
    with torch.no_grad():
        model.tokens.weight[SHAPE.vocab_size :] = 3.0  # would win every softmax if it took part
    tokens = ids()
    loss = model(tokens, next_token_targets(tokens))
    wanted = functional.cross_entropy(model.logits(tokens)[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    torch.testing.assert_close(loss, wanted)
    loss.backward()
    assert model.tokens.weight.grad is not None
    assert not model.tokens.weight.grad[SHAPE.vocab_size :].any()
    assert SHAPE.padded_vocab_size == 256


@pytest.mark.parametrize("block_logits", [1, 256 * 7, 1 << 25])
def test_the_loss_does_not_depend_on_the_block_size(block_logits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(head.BLOCK_LOGITS, "cpu", block_logits)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(40, 16, generator=generator, requires_grad=True)
    weight = torch.randn(256, 16, generator=generator, requires_grad=True)
    targets = torch.randint(200, (40,), generator=generator)
    targets[::5] = head.IGNORE
    loss = head.ChunkedCrossEntropy.apply(x, weight, targets, 200) * 2.5
    loss.backward()
    ours = (x.grad, weight.grad)
    x.grad = weight.grad = None
    wanted = functional.cross_entropy((x @ weight.T)[:, :200], targets, ignore_index=head.IGNORE) * 2.5
    wanted.backward()
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(ours[0], x.grad)
    torch.testing.assert_close(ours[1], weight.grad)


@pytest.mark.parametrize(("rows", "positions"), [(28_928, 1_152), (50_304, 640), (1 << 19, 64), (1 << 26, 1)])
def test_blocks_of_the_head_fill_a_gpus_tiles(rows: int, positions: int) -> None:
    """None has more logits than are planned for; a CPU's stay as they are, their bits are in the golden losses."""

    def on(kind: str) -> Any:
        return SimpleNamespace(device=SimpleNamespace(type=kind))

    weight: Any = SimpleNamespace(shape=(rows, 8))
    assert head.block_positions(on("cuda"), weight) == positions
    assert positions == 1 or positions * rows <= head.BLOCK_LOGITS["cuda"]
    assert head.block_positions(on("cpu"), weight) == max(1, head.BLOCK_LOGITS["cpu"] // rows)


def test_a_batch_without_targets_has_loss_zero() -> None:
    model = build_model(SHAPE, seed=0)
    assert model(ids(), torch.full_like(ids(), head.IGNORE)).item() == 0.0


def test_parameter_count_is_the_models() -> None:
    model = build_model(SHAPE, seed=0)
    padding = (SHAPE.padded_vocab_size - SHAPE.vocab_size) * SHAPE.hidden
    assert sum(parameter.numel() for parameter in model.parameters()) - padding == SHAPE.num_parameters


def test_biomedlm_has_its_published_sizes() -> None:
    shape = load_preset("biomedlm-2.7b").model.shape(seq_length=1024, vocab_size=28_896)
    assert shape.num_parameters == 2_594_247_680
    assert shape.padded_vocab_size == 28_928
    assert shape.flops_per_token == 16_556_390_400
    with torch.device("meta"):
        model = GPT(shape)
    assert sum(p.numel() for p in model.parameters()) == 2_594_247_680 + 32 * 2560


def test_initial_weights_are_gpt2s_and_depend_on_the_seed_alone() -> None:
    first, again, other = build_model(SHAPE, seed=0), build_model(SHAPE, seed=0), build_model(SHAPE, seed=1)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    assert not torch.equal(first.tokens.weight, other.tokens.weight)
    assert first.blocks[1].attention.qkv.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert first.blocks[1].mlp.project.weight.std().item() == pytest.approx(0.02 / 6**0.5, rel=0.1)
    assert not first.blocks[0].mlp.up.bias.any()


def test_the_host_holds_one_matrix_of_another_devices_model() -> None:
    """A device without numbers stands for a GPU: what is left is what the host needed, at most two of the largest."""
    code = (
        "import dataclasses, resource, torch\n"
        "from tests.train.model.test_gpt import SHAPE\n"
        "from train.model.gpt import build_model\n"
        "build_model(SHAPE, 0)\n"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "large = dataclasses.replace(SHAPE, layers=12, hidden=1024, vocab_size=16384)\n"
        "before = most()\n"
        "model = build_model(large, 0, torch.device('meta'))\n"
        "sizes = [4 * each.numel() for each in model.parameters()]\n"
        "print(most() - before, max(sizes), sum(sizes))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    used, largest, whole = map(int, done.stdout.split())
    assert used < 2.2 * largest < whole / 4


def test_all_layers_share_the_compiled_graphs_of_one() -> None:
    """Each layer scales its attention otherwise; as a number in the graph, each had a compilation of its own."""
    counts = []
    for layers in (2, 12):
        torch._dynamo.reset()
        counter = CompileCounter()
        model = build_model(dataclasses.replace(SHAPE, layers=layers), seed=0)
        for block in model.blocks:
            block.compile(backend=counter)
        with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
            loss = model(ids(), next_token_targets(ids()))
        plain = build_model(dataclasses.replace(SHAPE, layers=layers), seed=0)(ids(), next_token_targets(ids()))
        assert torch.equal(loss, plain)
        counts.append(counter.frame_count)
    assert counts[0] == counts[1]
