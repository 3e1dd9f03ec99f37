"""`plan` against the paper's and other people's arithmetic, DeepSpeed's own estimates and runs, and real files."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs
from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

from corpus.errors import UsageError
from pipelines.cli.app import main
from tests.support.small_run import SHAPE, loud_model, write_run
from tests.support.small_tokens import made_up_texts, write_tokens
from tests.support.torchrun_results import torchrun_results
from tests.support.zero_memory import SHAPE as MEASURED_SHAPE
from train.config import ModelShape
from train.export.config import FORMATS, ExportConfig
from train.export.stage import export
from train.model.gpt import build_model, next_token_targets
from train.plan.forecast import TrainingPlan, make_plan
from train.plan.gpus import known_gpu
from train.plan.lines import plan_text
from train.plan.memory import activation_bytes, checkpoint_bytes, export_bytes, model_memory, padded_parameters
from train.plan.numbers import plan_json

BIOMEDLM = ModelShape(
    layers=32,
    heads=20,
    hidden=2560,
    seq_length=1024,
    vocab_size=28_896,
    dropout=0.1,
    scale_attn_by_inverse_layer_idx=True,
)


def biomedlm(gpu: str = "H200", gpus: int = 8, mfu: float = 46.2) -> TrainingPlan:
    return make_plan("biomedlm-2.7b", tokens="34.6e9", gpu=gpu, gpus=gpus, mfu_percent=mfu, price=2.0)


def test_the_papers_arithmetic() -> None:
    plan = biomedlm()
    assert plan.shape == BIOMEDLM
    assert plan.shape.num_parameters == 2_594_247_680
    assert plan.config.steps == 286_102
    assert plan.flops == pytest.approx(4.97e21, rel=1e-3)
    assert plan.epochs == pytest.approx(8.67, abs=0.005)
    # 128 A100-40GB took 6.25 days, which is 23.0 % of their peak.
    assert biomedlm("A100-40", 128, 23.0).days == pytest.approx(6.25, rel=0.003)


@pytest.mark.parametrize(
    ("mfu", "rate", "gpu_days", "days_on_8", "days_on_64"),
    [
        (30.0, 17_928, 193.7, 24.2, 3.0),
        (40.0, 23_904, 145.3, 18.2, 2.3),
        (46.2, 27_610, 125.8, 15.7, 2.0),  # llm-foundry's rate at this shape
        (50.0, 29_880, 116.2, 14.5, 1.8),
        (55.0, 32_868, 105.6, 13.2, 1.7),
    ],
)
def test_days_on_h200(mfu: float, rate: float, gpu_days: float, days_on_8: float, days_on_64: float) -> None:
    plan = biomedlm(mfu=mfu)
    assert plan.tokens_per_second / 8 == pytest.approx(rate, rel=1e-4)
    assert plan.days * 8 == pytest.approx(gpu_days, abs=0.06)
    assert plan.days == pytest.approx(days_on_8, abs=0.06)
    assert biomedlm(gpus=64, mfu=mfu).days == pytest.approx(days_on_64, abs=0.06)


@pytest.mark.parametrize(
    ("device", "memory_gb", "name", "peak"),
    [
        ("NVIDIA H200", 150.1, "H200", 989.4),
        ("NVIDIA H200 NVL", None, "H200-NVL", 835),
        ("NVIDIA H100 80GB HBM3", 85.0, "H100", 989.4),
        ("NVIDIA H100 PCIe", 85.0, "H100-PCIe", 756),
        ("NVIDIA H100 NVL", 99.9, "H100-NVL", 835),
        ("NVIDIA A100-SXM4-40GB", None, "A100-40", 312),
        ("NVIDIA A100 80GB PCIe", None, "A100-80", 312),
        ("NVIDIA L40S", None, "L40S", 362),
        ("AMD Instinct MI300X", None, "MI300X", 1307.4),
    ],
)
def test_a_device_has_its_own_peak(device: str, memory_gb: float | None, name: str, peak: float) -> None:
    """Variants of one GPU that differ by a quarter: an H100 of the PCIe kind with the peak of SXM halves no MFU."""
    found = known_gpu(device, memory_gb)
    assert found is not None
    assert (found.name, found.bf16_tflops) == (name, peak)
    assert found.source


def test_a_device_that_is_not_in_the_table_has_no_peak() -> None:
    assert known_gpu("NVIDIA GeForce RTX 4090") is None
    assert known_gpu("Tesla V100-SXM2-32GB") is None


@pytest.mark.parametrize("ranks", [1, 8, 128])
def test_model_states_are_deepspeeds_estimate_but_for_what_it_does_otherwise(ranks: int) -> None:
    n, largest = padded_parameters(BIOMEDLM), 28_928 * 2560
    second = model_memory(BIOMEDLM, stage=2, ranks=ranks, precision="bf16", micro_batch=1)
    third = model_memory(BIOMEDLM, stage=3, ranks=ranks, precision="bf16", micro_batch=1)
    assert second is not None
    assert third is not None
    _, estimate = estimate_zero2_model_states_mem_needs(n, ranks, 1, cpu_offload=False)
    # DeepSpeed counts 16-bit gradients beside their fp32 sums; they are summed bucket by bucket and gone.
    assert second.weights + second.gradients + second.optimizer + 2 * n / ranks == pytest.approx(estimate, rel=1e-6)
    _, estimate, layer = estimate_zero3_model_states_mem_needs(n, largest, ranks, 1, cpu_offload=False)
    whole = 2 * (32 * 13 * 2560 + 2 * 2560)  # small tensors stay whole; the largest layer's gathering is transient
    assert third.weights + third.gradients + third.optimizer - whole == pytest.approx(estimate - layer, rel=1e-6)


def live_bytes(stage: int, precision: str, repository: Path) -> dict[str, int]:
    (found,) = torchrun_results(repository, 2, "tests.support.zero_memory", str(stage), precision)
    return found


MEASURED = [(0, "fp32"), (1, "bf16"), (1, "fp32"), (2, "bf16"), (2, "fp32"), (3, "bf16"), (3, "fp32")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "precision"),
    [MEASURED[1], *(pytest.param(*case, marks=pytest.mark.exhaustive) for case in MEASURED if case != MEASURED[1])],
)
def test_model_states_are_what_lives_on_a_rank(stage: int, precision: str, repository: Path) -> None:
    found = live_bytes(stage, precision, repository)
    ranks = 1 if stage == 0 else 2
    memory = model_memory(MEASURED_SHAPE, stage=stage, ranks=ranks, precision=precision, micro_batch=1)
    assert memory is not None
    expected = memory.weights + memory.gradients + memory.optimizer
    # ZeRO-2 has let go of its bucket when a micro-step has ended.
    buckets = memory.buckets if stage != 2 else 0
    assert found["peak"] == pytest.approx(expected + buckets, abs=0.002 * expected)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_activations_are_about_what_autograd_keeps(precision: str) -> None:
    shape = dataclasses.replace(BIOMEDLM, layers=3, heads=4, hidden=256, seq_length=128, vocab_size=500, dropout=0.0)
    model = build_model(shape, seed=0).to(torch.bfloat16 if precision == "bf16" else torch.float32)
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.randint(500, (2, 128))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(ids, next_token_targets(ids))
    assert loss.requires_grad
    one, two = (activation_bytes(shape, rows=rows, precision=precision) for rows in (1, 3))
    assert sum(kept.values()) == pytest.approx(two - one, rel=0.15)  # without dropout's masks; two rows of layers


def test_recomputing_keeps_each_layers_input_alone() -> None:
    whole = activation_bytes(BIOMEDLM, rows=16, precision="bf16")
    less = activation_bytes(BIOMEDLM, rows=16, precision="bf16", recompute=True)
    row = 16 * 1024 * 2560
    assert whole - less == row * (34 * 32 - (34 + 2 * 32))
    config = biomedlm("A100-40", 128).config.model_copy(update={"activation_checkpointing": True})
    roomy = dataclasses.replace(biomedlm("A100-40", 128), config=config)
    assert roomy.largest_micro_batch(1) > biomedlm("A100-40", 128).largest_micro_batch(1)
    offloaded = config.model_copy(update={"activation_checkpointing": False, "offload_optimizer": True})
    plan = dataclasses.replace(biomedlm("A100-40", 1), config=offloaded)
    assert plan.largest_micro_batch(2) > biomedlm("A100-40", 1).largest_micro_batch(2) == 0


def test_epochs_become_steps(tmp_path: Path) -> None:
    file = tmp_path / "epochs.yaml"
    paper = Path("train/presets/biomedlm-2.7b.yaml").read_text(encoding="utf-8")
    file.write_text(paper.replace("steps: 286102", "epochs: 8.67"), encoding="utf-8")
    plan = make_plan(str(file), tokens="34.6e9", gpu="H200", gpus=8, mfu_percent=40, price=None)
    assert plan.config.steps == round(8.67 * (34_600_000_000 // 1024) / 1024)
    assert plan.epochs == pytest.approx(8.67, abs=1e-5)
    with pytest.raises(UsageError, match="of which tokens"):
        make_plan(str(file), tokens=None, gpu="H200", gpus=8, mfu_percent=40, price=None)


def test_a_batch_that_grows_counts_what_it_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """15 sizes of 64 to 960 rows for 1,000 steps each, then 1,024: 120 * 64 * 1,000 rows of the warm-up."""
    file = tmp_path / "growing.yaml"
    paper = Path("train/presets/biomedlm-2.7b.yaml").read_text(encoding="utf-8")
    growing = "steps: 286102\nbatch_warmup_start: 64\nbatch_warmup_steps: 15000"
    file.write_text(paper.replace("steps: 286102", growing), encoding="utf-8")
    plan = make_plan(str(file), tokens="34.6e9", gpu="H200", gpus=4, mfu_percent=40, price=None)
    assert plan.trained_tokens == 1024 * (120 * 64 * 1000 + 271_102 * 1024)
    assert plan.epochs == pytest.approx(plan.trained_tokens / 34.6e9, rel=1e-6)
    assert plan.largest_micro_batch(1) == plan.micro_batch == 16, "a step of 64 rows on 4 GPUs has no more for each"
    assert "\n            from 64 rows on over the first 15,000 steps\n" in plan_text(plan)
    assert json.loads(plan_json(plan))["trained_tokens"] == plan.trained_tokens
    assert main(["plan", "--config", str(file), "--gpus", "128"]) == 2
    assert "128 GPUs: batch_warmup_start 64 is not a multiple; try --gpus 64" in capsys.readouterr().err
    file.write_text(paper.replace("steps: 286102", growing.replace("steps: 286102", "epochs: 8.67")), encoding="utf-8")
    longer = make_plan(str(file), tokens="34.6e9", gpu="H200", gpus=4, mfu_percent=40, price=None)
    assert longer.epochs == pytest.approx(8.67, abs=1e-5)
    assert longer.config.steps == round(8.67 * (34_600_000_000 // 1024) / 1024) + 7_500, (
        "half of 15,000 steps is missing"
    )


def test_source_weights_decide_the_passes() -> None:
    plan = biomedlm()
    tokens = dataclasses.replace(plan.tokens, total=3_000, by_source={"pmc": 2_000, "pubmed": 1_000})  # type: ignore[type-var]
    even = dataclasses.replace(plan, tokens=tokens).read_by_source()
    assert even["pmc"] == pytest.approx(2 * even["pubmed"])
    assert sum(even.values()) == pytest.approx(plan.trained_tokens)
    config = plan.config.model_copy(update={"source_weights": {"pubmed": 4.0}})
    read = dataclasses.replace(plan, tokens=tokens, config=config).read_by_source()
    assert read["pubmed"] / 1_000 == pytest.approx(4 * read["pmc"] / 2_000)


def test_files_have_the_planned_sizes(tmp_path: Path) -> None:
    shape = dataclasses.replace(SHAPE, hidden=128, seq_length=256)
    run = write_run(tmp_path / "run", loud_model(shape))
    config = ExportConfig(formats=tuple(FORMATS))
    export(config, run=str(run), output=str(tmp_path / "out"))
    planned = export_bytes(shape)
    for name, path in (
        ("safetensors float32", "folded/model.safetensors"),
        ("gguf-f16", "gguf/model-f16.gguf"),
        ("gguf-q8_0", "gguf/model-q8_0.gguf"),
        ("ct2-int8", "ct2-int8/model.bin"),
        ("ct2-float32", "ct2-float32/model.bin"),
    ):
        found = (tmp_path / "out" / path).stat().st_size
        assert planned[name] < found < planned[name] + 20_000, name  # headers, names, the tokenizer of a GGUF
    assert checkpoint_bytes(BIOMEDLM, "bf16") == pytest.approx(16 * 2.594e9, rel=1e-3)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = write_tokens(tmp_path / "tokens", made_up_texts(40, seed=1), vocab_size=300, seq_length=64)
    assert main(["plan", "--config", "tiny", "--tokens", str(tokens), "--gpus", "2", "--gpu", "A100-80"]) == 0
    shown = capsys.readouterr().out
    assert "300 steps of 4 x 64 = 256 tokens" in shown
    assert "passes over 19,8" in shown
    for argv, message in (
        (
            "--config tiny --gpus 2",
            "its row length and vocabulary follow the tokens; give --tokens, a directory or a number",
        ),
        ("--config biomedlm-2.7b --gpu TPU", "no GPU TPU in the table; it has A100-40, "),
        ("--config biomedlm-2.7b --gpus 3", "batch_rows 1024 is not a multiple; try --gpus 2"),
        ("--config biomedlm-2.7b --mfu 0", "--mfu 0: a percentage above 0"),
        ("--config biomedlm-2.7b --tokens many", "many: neither a tokens directory nor a number"),
        ("--config biomedlm-2.7b --tokens 0", "0: the number of tokens must be positive"),
        (f"--config biomedlm-2.7b --tokens {tokens}", "seq_length is 1,024 in the configuration but 64 in the tokens"),
    ):
        assert main(["plan", *argv.split()]) == 2, argv
        assert message in capsys.readouterr().err, argv


def test_a_number_of_tokens_is_enough_for_a_preset_that_follows_them(capsys: pytest.CaptureFixture[str]) -> None:
    """As configs/ablation.yaml advises: the paper's 125M, on the vocabulary and rows that ours have unasked."""
    assert main(["plan", *["--config", "125m", "--tokens", "34.6e9", "--gpus", "8"]]) == 0
    shown = capsys.readouterr().out
    assert "model       108,034,560 parameters" in shown
    assert "0.7 hours on 8 H200, 5.6 GPU-hours" in shown
    assert "with 28,896 entries and rows of 1,024, for no --tokens DIR says others" in shown


def test_the_text_names_every_stage_and_the_cost() -> None:
    text = plan_text(biomedlm())
    assert "15.7 days on 8 H200, 125.8 GPU-days, cost 6,0" in text
    assert "DeepSpeed has no bf16 with fp32 sums of gradients at this stage" in text
    assert [line.split()[0] for line in text.splitlines() if line.startswith(" " * 12) and "." in line] == [
        "1*",
        "2",
        "3",
    ]
    small = plan_text(biomedlm("L40S", 1))
    assert "none fits" in small


def test_the_plan_says_what_an_asynchronous_save_copies() -> None:
    """Rank 0 of 8: an eighth of 12 bytes a parameter, and 4 of the weights; the others the eighth alone."""
    n, plan = padded_parameters(BIOMEDLM), biomedlm()
    assert plan.snapshot(first=True) == pytest.approx(12 * n / 8 + 4 * n, rel=1e-6)
    assert plan.snapshot(first=False) == pytest.approx(12 * n / 8, rel=1e-6)
    assert "save_async  copies 14.3 GB of rank 0 into host memory, 3.9 of each other" in plan_text(plan)
    assert "save_async" not in plan_text(
        make_plan("tiny", tokens="1e6", gpu="H200", gpus=1, mfu_percent=40, price=None)
    )


def test_no_torch_is_needed(repository: Path) -> None:
    program = (
        "import sys; from pipelines.cli.app import main; status = main(['plan', '--config', 'biomedlm-2.7b'])\n"
        "assert status == 0 and not {'torch', 'deepspeed', 'apache_beam'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", program], cwd=repository, check=True, capture_output=True, timeout=60)
