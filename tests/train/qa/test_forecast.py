"""Plan of a fine-tuning: its bytes against torch's own tensors, its time by hand, what fits, and what it says."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2Model

from corpus.errors import UsageError
from corpus.qa.store import write_questions
from pipelines.cli.app import main
from tests.train.qa.models import WORDS, planted_choice, planted_labels, write_gpt2
from train.config import ModelShape
from train.plan.gpus import load_gpus
from train.qa.answerer import build_answerer
from train.qa.config import FinetuneConfig
from train.qa.data import TaskShape
from train.qa.forecast import FinetunePlan, Mode, plan_finetune, trained_parameters
from train.qa.heads import batch_rows

SHAPE = ModelShape(
    layers=2, heads=2, hidden=32, seq_length=96, vocab_size=len(WORDS) + 2, dropout=0.0,
    scale_attn_by_inverse_layer_idx=False,
)  # fmt: skip


def plan_of(shape: ModelShape = SHAPE, *, labels: int = 1, **settings: Any) -> FinetunePlan:
    return FinetunePlan(
        config=FinetuneConfig(task="planted", **settings), shape=shape, questions=10, rows=1 if labels > 1 else 4,
        labels=labels, row_tokens=16, gpu=load_gpus()["H200"], gpus=1, mfu=0.4, price=None,
    )  # fmt: skip


def num_bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize(("mode", "lora"), [("full", 0), ("lora", 4)])
def test_bytes_are_those_of_torchs_tensors(tmp_path: Path, mode: Mode, lora: int, labels: int) -> None:
    config = FinetuneConfig(task="planted", lora=lora)
    kind: Any = "choice" if labels == 1 else "class"
    shape = TaskShape(kind=kind, labels=() if labels == 1 else tuple("abc"))
    answerer, card = build_answerer(config, str(write_gpt2(tmp_path / "model")), shape, 0, lambda line: None)
    trained = [parameter for parameter in answerer.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    special = card.special_ids.values()
    rows = [[[5, 6, *special]] * (4 if labels == 1 else 1)] * 2
    answerer(batch_rows(rows), torch.tensor([0, 0])).backward()
    optimizer.step()
    moments = [value for state in optimizer.state.values() for value in state.values() if value.numel() > 1]
    small = [value for state in optimizer.state.values() for name, value in state.items()
             if name != "step" and value.numel() == 1]  # fmt: skip
    plan = plan_of(labels=labels, lora=lora)
    memory = plan.memory(mode, "fp32", 1)
    assert sum(one.numel() for one in trained) == trained_parameters(SHAPE, mode, rank=lora, labels=labels)
    assert memory.weights == num_bytes(answerer.parameters())
    assert memory.gradients == num_bytes(one.grad for one in trained if one.grad is not None)
    assert memory.optimizer == num_bytes(moments) + num_bytes(small)
    halves = plan.memory(mode, "bf16", 1)
    assert 2 * halves.weights == memory.weights
    assert halves.gradients + halves.optimizer == 18 * sum(one.numel() for one in trained)


@pytest.mark.parametrize(("length", "scaled"), [(64, True), (192, True), (128, False)])
def test_activations_are_what_transformers_keeps(length: int, scaled: bool) -> None:
    more: Any = {"attn_implementation": "eager" if scaled else "sdpa"}
    config = GPT2Config(
        vocab_size=64, n_embd=128, n_layer=2, n_head=4, n_positions=256, bos_token_id=1, eos_token_id=1,
        scale_attn_by_inverse_layer_idx=scaled, **more,
    )  # fmt: skip
    model = GPT2Model(config).train()
    weights, kept = {one.data_ptr() for one in model.parameters()}, dict[int, int]()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.randint(0, 64, (4, length))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(ids, attention_mask=torch.ones_like(ids), use_cache=False)
    shape = ModelShape(
        layers=2, heads=4, hidden=128, seq_length=256, vocab_size=64, dropout=0.1,
        scale_attn_by_inverse_layer_idx=scaled,
    )  # fmt: skip
    expected = plan_of(shape, max_tokens=length).memory("full", "fp32", 1).activations
    assert expected == pytest.approx(sum(kept.values()), rel=0.1)


def test_time_and_cost_by_hand() -> None:
    plan = plan_finetune(
        "biomedlm-2.7b", settings="medqa", questions=None, row_tokens=190, tokens=None, gpu="A100-80", gpus=2,
        mfu_percent=50, price=2.0,
    )  # fmt: skip
    assert (plan.questions, plan.rows, plan.runs) == (10_178, 4, 5)
    assert plan.tokens == 10_178 * 6 * 4 * 190
    weights = 2_594_247_680 - 1024 * 2560
    operations = 6 * weights + 12 * 32 * 2560 * 190
    assert plan.hours("full") == pytest.approx(5 * plan.tokens * operations / (2 * 312e12 * 0.5) / 3600, rel=1e-6)
    assert plan.hours("lora") == pytest.approx(plan.hours("full") * 4 / 6)
    # One 24 GB GPU takes LoRA in bf16, and all weights of 2.6 billion parameters want more than 40 GB.
    assert plan.largest_micro_batch("lora", "bf16", 24) >= 1
    assert not plan.largest_micro_batch("full", "bf16", 40)
    assert not plan.largest_micro_batch("full", "fp32", 40)


def test_questions_are_counted_or_stated(tmp_path: Path) -> None:
    asked = [*planted_choice(20, "train", seed=1), *planted_labels(30, "train", seed=1)]
    write_questions(asked, str(tmp_path / "q"))
    settings = tmp_path / "one.yaml"
    for task, wanted in (("planted", (20, 4, 1)), ("planted-labels", (30, 1, 2))):
        settings.write_text(f"task: {task}\nmax_tokens: 64\n")
        plan = plan_finetune(
            "biomedlm-2.7b", settings=str(settings), questions=str(tmp_path / "q"), row_tokens=None, tokens=None,
            gpu="H200", gpus=1, mfu_percent=40, price=None,
        )  # fmt: skip
        assert (plan.questions, plan.rows, plan.labels, plan.row_tokens) == (*wanted, 64)
    settings.write_text("task: mine\n")
    with pytest.raises(UsageError, match="how many questions"):
        plan_finetune("biomedlm-2.7b", settings=str(settings), questions=None, row_tokens=None, tokens=None, gpu="H200",
                      gpus=1, mfu_percent=40, price=None)  # fmt: skip


def test_the_command_says_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", "--config", "biomedlm-2.7b", "--finetune", "pubmedqa", "--price", "2"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "questions   450 of pubmedqa, 1 row, 1,024 tokens each" in out
    assert "24 GB    40 GB    80 GB" in out
    assert "LoRA 16     20,986,880 trained parameters" in out
    assert main(["plan", "--config", "biomedlm-2.7b", "--row-tokens", "5"]) == 2
    assert "add --finetune" in capsys.readouterr().err
