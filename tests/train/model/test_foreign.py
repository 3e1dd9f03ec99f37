"""Models of transformers' library behind our surface: its own losses, masks, activations; and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from corpus.errors import UsageError
from tests.support.foreign_models import FAMILIES, made_config, write_model
from train.config import ModelShape
from train.foreign import ForeignConfig, ForeignShape
from train.model.attention import document_numbers, positions_in_document
from train.model.foreign import ForeignLM, build_foreign, check_causal, check_masks
from train.model.foreign_memory import row_activation_bytes, saved_bytes, whole_logits_bytes
from train.model.foreign_shape import ForeignUse, find_shape
from train.model.gpt import next_token_targets
from train.model.head import IGNORE

VOCAB, LENGTH, END = 300, 32, 7


def shape_of(folder: Path, family: str, **changes: Any) -> ForeignShape:
    made_config(family, **{"vocab_size": 312, **changes}).save_pretrained(folder)
    return find_shape(ForeignConfig(path=str(folder)), seq_length=LENGTH, vocab_size=VOCAB)


def model_of(folder: Path, family: str, **changes: Any) -> ForeignLM:
    model = build_foreign(shape_of(folder, family, **changes), seed=1, initial=None)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
    return model


def ids() -> torch.Tensor:
    numbers = torch.randint(8, VOCAB, (3, LENGTH), generator=torch.Generator().manual_seed(3))
    numbers[0, 4] = numbers[0, 9] = numbers[1, 20] = END
    return numbers


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_those_of_transformers(family: str, tmp_path: Path) -> None:
    """Its own `labels=` is the oracle, whether the loss is computed in blocks or from whole logits."""
    model, rows = model_of(tmp_path, family), ids()
    assert (model.head is None) == (family in ("phi", "gemma2"))
    parameters = list(model.parameters())
    ours = model(rows, next_token_targets(rows))
    theirs = model.model(input_ids=rows, labels=rows, use_cache=False).loss
    torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=1e-6)
    for one, other in zip(torch.autograd.grad(ours, parameters), torch.autograd.grad(theirs, parameters), strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=2e-4)
    targets = next_token_targets(rows)
    targets[1] = IGNORE  # a row that only fills a batch
    with torch.no_grad():
        each = model.eval()(rows, targets, each=True)
        logits = model.model(input_ids=rows, use_cache=False).logits
        assert not each[1].any()
        wanted = torch.nn.functional.cross_entropy(logits[2, :-1].float(), rows[2, 1:], reduction="none")
        torch.testing.assert_close(each[2, :-1], wanted, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(model(rows), logits[:, -1, :VOCAB], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "mistral", "olmo2", "gpt2"])
def test_masked_documents_are_as_if_alone(family: str, tmp_path: Path) -> None:
    model, row = model_of(tmp_path, family).eval(), ids()[:1]
    check_masks(model)
    documents = document_numbers(row, END)
    targets = next_token_targets(row)
    with torch.no_grad():
        together = model(
            row, targets, documents_BT=documents, positions_BT=positions_in_document(documents), each=True
        )[0]
        crossing = model(row, targets, each=True)[0]
        moved = model(row, targets, positions_BT=positions_in_document(documents), each=True)[0]
        for number in range(3):
            own = torch.nonzero(documents[0] == number)[:, 0]
            alone = row[:, own]
            losses = model(alone, next_token_targets(alone), each=True)[0]
            torch.testing.assert_close(together[own[:-1]], losses[:-1], atol=5e-6, rtol=1e-5)
    assert (together[5:9] - crossing[5:9]).abs().max() > 1e-4  # without masks the first document is seen
    assert (moved[5:9] - together[5:9]).abs().max() > 1e-4  # positions that begin anew are no mask by themselves


def test_the_mask_of_plain_attention_is_added(tmp_path: Path) -> None:
    """A GPT-2 with the layers' scale goes without the fused kernel, whose mask is of another form."""
    model = model_of(tmp_path, "gpt2", scale_attn_by_inverse_layer_idx=True)
    assert model.model.config._attn_implementation == "eager"  # type: ignore[union-attr]
    check_masks(model)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
def test_checkpointed_activations_change_no_bit(family: str, tmp_path: Path) -> None:
    model, rows = model_of(tmp_path, family), ids()
    results = []
    for _ in range(2):
        loss = model(rows, next_token_targets(rows))
        results.append((loss.detach(), torch.autograd.grad(loss, list(model.parameters()))))
        kept = saved_bytes(model.model.base_model, rows)  # type: ignore[arg-type]
        results[-1] += (kept,)
        model.checkpoint_activations()
    (loss, gradients, kept), (loss_again, gradients_again, kept_again) = results
    assert torch.equal(loss, loss_again)
    assert all(torch.equal(one, other) for one, other in zip(gradients, gradients_again, strict=True))
    assert kept_again < kept / 4


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
def test_compiled_layers_share_one_graph_and_change_no_bit(family: str, tmp_path: Path) -> None:
    layers = {"n_layer": 10} if family == "gpt2" else {"num_hidden_layers": 10}  # more than dynamo's limit of 8
    model, rows = model_of(tmp_path, family, **layers), ids()
    plain = model(rows, next_token_targets(rows)).detach()
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        for layer in model.layers():
            layer.compile(backend="aot_eager")
        compiled = model(rows, next_token_targets(rows)).detach()
    assert len(model.layers()) == 10
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert torch.equal(plain, compiled)


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_a_cast_leaves_rotary_frequencies_in_fp32(family: str, tmp_path: Path) -> None:
    model = model_of(tmp_path, family)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.bfloat16()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert before
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before[name])
    rows = ids()
    model(rows, next_token_targets(rows)).backward()


def test_weights_drawn_anew_are_the_seeds(tmp_path: Path) -> None:
    shape = shape_of(tmp_path, "llama")
    first, again, other = (build_foreign(shape, seed=seed, initial=None) for seed in (5, 5, 6))
    pairs = zip(first.named_parameters(), again.parameters(), other.parameters(), strict=True)
    for (name, one), same, different in pairs:
        assert torch.equal(one, same)
        assert torch.equal(one, different) == ("norm" in name)
    assert abs(float(first.head.weight.detach().std()) - 0.02) < 0.001  # type: ignore[union-attr]


def test_sizes_of_a_gpt2_are_those_of_ours(tmp_path: Path) -> None:
    found = shape_of(tmp_path, "gpt2")
    ours = ModelShape(
        layers=2, heads=2, hidden=32, seq_length=64, vocab_size=312, dropout=0, scale_attn_by_inverse_layer_idx=False
    )
    assert found.num_parameters == ours.num_parameters
    # The convention counts the row that is trained, which is half as long here as the model's positions.
    assert ours.flops_per_token - found.flops_per_token == 12 * 2 * 32 * 32


def test_the_published_sizes_of_llama_3_8b(tmp_path: Path) -> None:
    shape = shape_of(
        tmp_path, "llama", hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=8, max_position_embeddings=8192, vocab_size=128256,
    )  # fmt: skip
    assert shape.num_parameters == 8_030_261_248  # as its safetensors index on the hub says
    assert shape.lookup_parameters == 128_256 * 4096


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "gpt2", "olmo2"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_counted_activations_are_what_a_real_pass_keeps(family: str, precision: str, tmp_path: Path) -> None:
    """Counted without numbers, held against autograd's own on the CPU, whose fused attention keeps the same."""
    model = model_of(tmp_path, family)
    if precision == "bf16":
        model.bfloat16()
    real = saved_bytes(model.model.base_model, ids()[:1])  # type: ignore[arg-type]
    counted = row_activation_bytes(model.shape, precision=precision, recompute=False)
    assert counted == pytest.approx(real, rel=0.03)
    assert row_activation_bytes(model.shape, precision=precision, recompute=True) < counted
    assert whole_logits_bytes(model.shape) == 0


def test_a_head_with_more_than_a_product_needs_whole_logits(tmp_path: Path) -> None:
    assert whole_logits_bytes(shape_of(tmp_path, "gemma2")) == 14 * LENGTH * 312


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("T5Config", {}, r"an encoder–decoder \(t5\); --model hf:DIR trains decoders"),
        ("ViTConfig", {}, r"vit has no language model for AutoModelForCausalLM"),
        ("MixtralConfig", {}, r"a mixture of experts \(mixtral, num_local_experts 8\).*give a dense model"),
        ("LlamaConfig", {"quantization_config": {"quant_method": "gptq", "bits": 4}}, r"its weights are quantized"),
        ("LlamaConfig", {"max_position_embeddings": 16}, r"it has 16 positions, .*32: pack them with --seq-length 16"),
        ("LlamaConfig", {"vocab_size": 290}, r"290 rows, .* 300 entries: .*pack --tokenizer .*resize_vocabulary=true"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(
    name: str, changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    config = made_config(name, changes.pop("vocab_size", 300), **changes)
    config.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=said):
        find_shape(ForeignConfig(path=str(tmp_path)), seq_length=LENGTH, vocab_size=VOCAB)


@pytest.mark.parametrize(
    ("family", "use", "said"),
    [
        ("gemma2", ForeignUse(document_mask=True), r"Gemma2ForCausalLM has layers of a sliding window of 16"),
        ("MambaConfig", ForeignUse(document_mask=True), r"MambaForCausalLM has layers of linear_attention"),
        ("MambaConfig", ForeignUse(reset_positions=True), r"MambaForCausalLM takes no position_ids"),
        ("BloomConfig", ForeignUse(reset_positions=True), r"BloomForCausalLM takes no position_ids"),
        ("XLNetConfig", ForeignUse(activation_checkpointing=True), r"XLNetLMHeadModel has no activation checkpointing"),
    ],
)
def test_an_option_that_a_family_lacks_is_refused_by_name(
    family: str, use: ForeignUse, said: str, tmp_path: Path
) -> None:
    made_config(family, 312).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=said):
        find_shape(ForeignConfig(path=str(tmp_path)), seq_length=LENGTH, vocab_size=VOCAB, use=use)


def test_what_only_shows_in_numbers_is_refused_when_it_is_built(tmp_path: Path) -> None:
    """A BERT reads both ways, whatever its class is called; BLOOM's masks have another form."""
    bert = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    with pytest.raises(UsageError, match=r"BertLMHeadModel: a position sees those behind it"):
        build_foreign(shape_of(tmp_path / "bert", "BertConfig", **bert), seed=0, initial=None)
    bloom = build_foreign(
        shape_of(tmp_path / "bloom", "BloomConfig", hidden_size=32, n_layer=2, n_head=4), seed=0, initial=None
    )
    check_causal(bloom)
    with pytest.raises(UsageError, match=r"BloomForCausalLM: takes no mask of documents"):
        check_masks(bloom)


def test_a_directory_without_a_model_is_refused_with_what_to_give(tmp_path: Path) -> None:
    asked = ForeignConfig(path=str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"none: no config\.json; --model hf:DIR takes a directory"):
        find_shape(asked, seq_length=LENGTH, vocab_size=VOCAB)
    write_model(tmp_path / "export" / "folded", "gpt2", None)
    with pytest.raises(UsageError, match=r"of this export give hf:.*folded") as caught:
        find_shape(ForeignConfig(path=str(tmp_path / "export")), seq_length=LENGTH, vocab_size=VOCAB)
    advised = str(caught.value).rpartition("hf:")[2]
    assert find_shape(ForeignConfig(path=advised), seq_length=LENGTH, vocab_size=VOCAB).model_type == "gpt2"
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "config.json").write_text('{"model_type": "llama9"}')
    with pytest.raises(UsageError, match=r"model_type llama9: transformers 5\.\d+\.\d+ has no such family"):
        find_shape(ForeignConfig(path=str(tmp_path / "new")), seq_length=LENGTH, vocab_size=VOCAB)
