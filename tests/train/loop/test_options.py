"""Options that must not change what is learned: launchers, checkpointed activations, offloaded states, compiled blocks;
and the two that do, attention inside documents and positions that start anew."""

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounter
from torch.distributed.run import get_args_parser
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from corpus.errors import RetryError, UsageError
from tests.support.small_tokens import made_up_texts, write_tokens
from tests.train.launch.test_reshape import SETTINGS
from tokenizer.mixture import plan_mixture
from tokenizer.token_rows import TokenRows
from train.checkpoint.store import start_list
from train.config import ModelShape, TrainConfig
from train.job import read_job
from train.launch.launchers import check_hostfile, launch_command
from train.launch.processes import environment
from train.launch.stage import train
from train.loop.deepspeed_config import deepspeed_config
from train.loop.metrics import MetricsLog, read_metrics
from train.model.attention import attend, document_mask, document_numbers, positions_in_document
from train.model.gpt import build_model, next_token_targets

SHAPE = ModelShape(
    layers=2, heads=2, hidden=32, seq_length=16, vocab_size=50, dropout=0.0, scale_attn_by_inverse_layer_idx=True
)
END = 49


def config(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(SETTINGS | {"steps": 4, "warmup_steps": 1} | changes)


def ids() -> torch.Tensor:
    """Two rows of three documents each."""
    numbers = torch.randint(END, (2, 16), generator=torch.Generator().manual_seed(3))
    numbers[0, 4] = numbers[0, 9] = numbers[1, 0] = numbers[1, 15] = END
    return numbers


def test_documents_and_places_of_a_row() -> None:
    documents = document_numbers(ids(), END)
    assert documents[0].tolist() == [0] * 5 + [1] * 5 + [2] * 6
    assert documents[1].tolist() == [0] + [1] * 15
    assert positions_in_document(documents)[0].tolist() == [*range(5), *range(5), *range(6)]
    assert positions_in_document(documents)[1].tolist() == [0, *range(15)]


def test_masked_documents_are_as_if_alone() -> None:
    """With masks and positions reset, each document's losses are those of the document in a row of its own."""
    model, row = build_model(SHAPE, seed=1), ids()[:1]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
    documents = document_numbers(row, END)
    together = model(
        row, next_token_targets(row), documents_BT=documents, positions_BT=positions_in_document(documents), each=True
    )[0]
    crossing = model(row, next_token_targets(row), each=True)[0]
    for number in range(3):
        own = torch.nonzero(documents[0] == number)[:, 0]
        alone = row[:, own]
        losses = model(alone, next_token_targets(alone), each=True)[0]
        torch.testing.assert_close(together[own[:-1]], losses[:-1], atol=2e-6, rtol=1e-5)
    assert (together[5:9] - crossing[5:9]).abs().max() > 1e-3  # without masks the first document is seen


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_is_the_dense_mask() -> None:
    """Forward only: on a CPU FlexAttention has no backward pass, and training takes the dense mask there."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 2, 16, 16, generator=generator) for _ in range(3))
    documents = document_numbers(ids(), END)
    flexible = document_mask(documents, dense=False)
    assert isinstance(flexible, BlockMask)
    outs = [attend(q, k, v, mask, scale=0.3, dropout=0.0) for mask in (flexible, document_mask(documents, dense=True))]
    torch.testing.assert_close(*outs, atol=2e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_all_layers_share_one_graph_of_flex_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each layer has another scale; behind the recompile limit it would run unfused, without a word."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 2, 16, 16, generator=generator) for _ in range(3))
    documents = document_numbers(ids(), END)
    mask, graphs = document_mask(documents, dense=False), CompileCounter()
    compiled = torch.compile(flex_attention, backend=graphs)
    monkeypatch.setattr("train.model.attention._flex", lambda device: compiled)
    for layer in range(12):
        scale = 0.25 / (layer + 1)
        ours = attend(q, k, v, mask, scale=scale, dropout=0.0)
        dense = attend(q, k, v, document_mask(documents, dense=True), scale=scale, dropout=0.0)
        torch.testing.assert_close(ours, dense, atol=2e-6, rtol=1e-5)
    assert graphs.frame_count == 1


def loss_and_gradients(model: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
    loss = model(ids(), next_token_targets(ids()))
    return loss.detach(), list(torch.autograd.grad(loss, list(model.parameters())))


def test_checkpointed_activations_change_no_bit() -> None:
    model = build_model(dataclasses.replace(SHAPE, dropout=0.2), seed=1)
    results = []
    for on in (False, True):
        model.activation_checkpointing = on
        torch.manual_seed(5)  # dropout is drawn again in the backward pass, and must be the same
        results.append(loss_and_gradients(model))
    assert torch.equal(results[0][0], results[1][0])
    for plain, checkpointed in zip(results[0][1], results[1][1], strict=True):
        assert torch.equal(plain, checkpointed)


@pytest.mark.exhaustive
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a CPU needs a C++ compiler")
def test_compiled_blocks_give_the_same_loss() -> None:
    model = build_model(SHAPE, seed=1)
    plain = loss_and_gradients(model)
    for block in model.blocks:
        block.compile()
    assert {*model.state_dict()} == {*build_model(SHAPE, seed=1).state_dict()}
    compiled = loss_and_gradients(model)
    torch.testing.assert_close(compiled[0], plain[0], atol=1e-6, rtol=0)
    for ours, theirs in zip(compiled[1], plain[1], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_options_that_do_not_go_together_are_refused() -> None:
    for changes in (
        {"compile": True, "zero_stage": 3},
        {"offload_optimizer": True, "zero_stage": 0},
        {"precision": "bf16", "zero_stage": 0},
    ):
        with pytest.raises(ValueError, match="zero_stage"):
            config(**changes)


def test_options_reach_deepspeed() -> None:
    settings = deepspeed_config(
        config(offload_optimizer=True, wall_clock_breakdown=True, flops_profile_step=3, log_every=7), logs="/run/logs"
    )
    assert settings["zero_optimization"]["offload_optimizer"]["device"] == "cpu"
    assert (settings["wall_clock_breakdown"], settings["steps_per_print"]) == (True, 7)
    assert settings["flops_profiler"] == {"enabled": True, "profile_step": 3, "output_file": "/run/logs/flops.txt"}
    assert deepspeed_config(config(precision="bf16"))["bf16"]["check_grad_overflow"] is True


def test_a_hostfile_is_passed_on_and_must_fit(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# two machines\nworker-1 slots=2\nworker-2 slots=2\n")
    check_hostfile(str(hosts), 4)
    command = launch_command("/run", config(launcher="deepspeed", hostfile=str(hosts), ranks=4, micro_batch=1))
    assert command[:3] == [sys.executable, "-m", "deepspeed.launcher.runner"]
    assert command[command.index("--hostfile") + 1] == str(hosts)
    assert command[-3:] == ["--module", "train.loop.rank", "/run"]
    with pytest.raises(UsageError, match=r"4 slots for 2 ranks; give --ranks 4"):
        check_hostfile(str(hosts), 2)
    hosts.write_text("worker-1\n")
    with pytest.raises(UsageError, match="a line of a hostfile is"):
        check_hostfile(str(hosts), 1)
    with pytest.raises(UsageError, match="no hostfile is there"):
        check_hostfile(str(tmp_path / "none"), 1)
    with pytest.raises(UsageError, match="only launcher deepspeed reads one"):
        launch_command("/run", config(launcher="torchrun", hostfile="hosts"))


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=64))


def test_the_job_can_be_somebody_elses_to_start(tokens: str, tmp_path: Path) -> None:
    with pytest.raises(RetryError, match=r"torch\.distributed\.run.*-m train\.loop\.rank") as caught:
        train(config(launcher="print"), tokens=tokens, output=str(tmp_path / "run"))
    assert "run this command again with --resume" in str(caught.value)
    assert "env PET_SHUTDOWN_TIMEOUT=600 " in str(caught.value)
    assert (tmp_path / "run" / "job.json").exists()
    start_list(str(tmp_path / "run"))


def test_torchrun_leaves_ranks_the_time_to_save(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PET_SHUTDOWN_TIMEOUT", environment(1)["PET_SHUTDOWN_TIMEOUT"])
    assert get_args_parser().parse_args(["script.py"]).shutdown_timeout == 600


def test_epochs_become_steps_of_these_tokens(tokens: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = len(TokenRows(tokens, "train"))
    for weights, pass_rows in ((None, rows), ({"pubmed": 2.0, "pmc": 0.5}, None)):
        run = str(tmp_path / ("weighted" if weights else "plain"))
        asked = config(steps=0, epochs=1.5, launcher="print", source_weights=weights)
        with pytest.raises(RetryError, match="the job is written"):
            train(asked, tokens=tokens, output=run)
        job, said = read_job(run), capsys.readouterr().err
        pass_rows = pass_rows or plan_mixture(TokenRows(tokens, "train"), weights).pass_rows
        assert job.config.steps == round(1.5 * pass_rows / 4)
        assert job.config.epochs is None
        assert f"1.5 epochs of {pass_rows:,} rows are {job.config.steps:,} steps of 4" in said
        assert ": 1.5" in said  # the line of the run says its passes from the steps
    with pytest.raises(RetryError, match="the job is written"):
        train(asked, tokens=tokens, output=str(tmp_path / "fewer"), steps=3)
    assert read_job(str(tmp_path / "fewer")).config.steps == 3


@pytest.fixture(scope="module")
def plain(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two ranks of our own launcher."""
    output = tmp_path_factory.mktemp("runs") / "plain"
    train(config(ranks=2), tokens=tokens, output=str(output))
    return output


@pytest.mark.exhaustive
@pytest.mark.parametrize("launcher", ["torchrun", "deepspeed"])
def test_other_launchers_give_the_same_bytes(tokens: str, plain: Path, tmp_path: Path, launcher: str) -> None:
    train(config(ranks=2, launcher=launcher), tokens=tokens, output=str(tmp_path / "run"))
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (plain / "metrics.jsonl").read_bytes()


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "changes",
    [
        *({"offload_optimizer": True, "zero_stage": stage} for stage in (1, 2, 3)),
        {"activation_checkpointing": True, "zero_stage": 3},
        {"document_mask": True, "reset_positions": True},
        {"source_weights": {"pubmed": 2.0, "pmc": 0.5}},
        {"wall_clock_breakdown": True, "flops_profile_step": 2, "log_every": 1},
    ],
    ids=str,
)
def test_a_run_with_an_option(tokens: str, plain: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    run = tmp_path / "run"
    # One row in nine holds the end of a document: few steps may meet none.
    steps = 20 if "document_mask" in changes else config().steps
    train(config(ranks=2, **changes), tokens=tokens, output=str(run), steps=steps)
    losses = [[line["loss"] for line in read_metrics(str(each)) if "loss" in line] for each in (run, plain)]
    if "document_mask" in changes:
        train(config(ranks=2), tokens=tokens, output=str(tmp_path / "unmasked"), steps=steps)
        losses[1] = [line["loss"] for line in read_metrics(str(tmp_path / "unmasked")) if "loss" in line]
    if {"document_mask", "source_weights"} & {*changes}:
        assert losses[0] != pytest.approx(losses[1], abs=1e-4)
    else:
        assert losses[0] == pytest.approx(losses[1], abs=2e-5)
    if "flops_profile_step" in changes:
        assert "params per" in (run / "logs" / "flops.txt").read_text()
        assert "fwd" in (run / "logs" / "rank-0.log").read_text()


def test_wandb_gets_what_tensorboard_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is an option: pip install wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    log = MetricsLog(str(tmp_path), 0, wandb_project="corpuscle")
    log.record(1, {"loss": 5.0})
    log.close()
    assert list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert list((tmp_path / "tensorboard").glob("events.*"))
