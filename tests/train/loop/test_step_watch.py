"""What is watched in the loop: questions, the profiler, energy, and memory when it runs out."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from corpus.qa.predictions import read_predictions
from corpus.qa.question import Question
from corpus.qa.store import write_questions
from pipelines.cli.app import main
from tests.support.foreign_models import recipe, write_model
from tests.support.forked_ranks import fork_ranks
from tests.support.small_tokens import made_up_texts, write_tokens
from tests.train.launch.test_stage import SETTINGS
from tests.train.qa.models import planted_choice, planted_labels
from train.config import TrainConfig
from train.energy import Energy, energy_of_run
from train.job import read_job
from train.launch.stage import train
from train.loop import step_watch
from train.loop.metrics import read_metrics, read_timing
from train.loop.step_watch import memory_watched
from train.qa.config import EvaluateConfig
from train.qa.evaluation import evaluate


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=64))


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    fork_ranks(monkeypatch)


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("qa") / "questions")
    long = Question(
        id="long", task="planted", split="dev", text="w1 " * 200, options=("w1", "w2", "w3", "<|endoftext|>"), label=3
    )
    unknown = Question(id="no", task="planted", split="dev", text="w1", options=("w1", "w2", "w3", "w4"), label=None)
    asked = [*planted_choice(21, "dev", seed=1), *planted_labels(14, "dev", seed=1), long, unknown]
    write_questions(asked, folder)
    return folder


@pytest.mark.parametrize(
    ("kind", "ranks", "stage"), [("ours", 1, 1), ("ours", 2, 3), pytest.param("llama", 2, 2, marks=pytest.mark.slow)]
)
def test_questions_in_the_loop_are_those_of_evaluate(
    tokens: str, questions: str, kind: str, ranks: int, stage: int, tmp_path: Path
) -> None:
    """The accuracy after the last step is what `qa evaluate` finds of the finished run, by another scorer."""
    asked: dict[str, Any] = {"questions": questions, "questions_every": 5, "ranks": ranks, "zero_stage": stage}
    if kind == "ours":
        config = TrainConfig.model_validate(SETTINGS | asked)
    else:
        config = recipe(write_model(tmp_path / "llama", "llama", tokens), **asked)
    run = str(tmp_path / "run")
    train(config, tokens=tokens, output=run)
    lines = [line for line in read_metrics(run) if "accuracy" in line]
    assert [line["step"] for line in lines] == [5, 8]
    last: Any = lines[-1]
    settings = EvaluateConfig(task="planted,planted-labels", method="likelihood", split="dev")
    manifest = evaluate(settings, model=run, questions=questions, output=str(tmp_path / "scores"))
    assert manifest.stage == "qa evaluate"
    for task, count in (("planted", 22), ("planted-labels", 14)):
        known = [one for one in read_predictions(str(tmp_path / "scores")) if one.task == task and one.gold is not None]
        assert len(known) == count
        right = sum(one.choice == one.gold for one in known)
        assert last[f"accuracy_{task}"] == pytest.approx(right / count)


def test_a_window_of_steps_is_profiled(tokens: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(TrainConfig.model_validate(SETTINGS | {"profile_steps": [2, 3]}), tokens=tokens, output=str(run))
    events = json.loads((run / "logs" / "trace-rank-0.json").read_text())["traceEvents"]
    names = [event.get("name") for event in events]
    assert names.count("Optimizer.step#AdamW.step") == 2
    assert main(["verify", str(run)]) == 0
    with pytest.raises(ValueError, match=r"profile_steps \[3, 2\]: a first step and one not before it"):
        TrainConfig.model_validate(SETTINGS | {"profile_steps": [3, 2]})


def test_energy_is_power_times_hours_and_goes_into_log_and_card(tokens: str, tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    stated = {"device_watts": 500.0, "grid_grams_per_kwh": 400.0, "peak_tflops": 0.5}
    train(TrainConfig.model_validate(SETTINGS | stated | {"steps": 4}), tokens=tokens, output=run)
    train(TrainConfig.model_validate(SETTINGS | stated), tokens=tokens, output=run, resume=True)
    lines = read_timing(run)
    hours = sum(line["seconds"] + line["seconds_for_data"] for line in lines if "seconds" in line) / 3600
    last = [line for line in lines if "kwh" in line][-1]
    assert last["step"] == 8
    assert {"tokens_per_second", "seconds_for_data_most", "memory_gb_most", "mfu"} <= {*last}
    flops = read_job(run).shape.flops_per_token
    assert last["mfu"] == pytest.approx(last["tokens_per_second"] * flops / 0.5e12)
    assert 0 < last["kwh"] <= hours * 500 / 1000
    assert last["kwh"] > 0.8 * hours * 500 / 1000  # the last step's own seconds are written behind it
    assert last["kg_co2"] == pytest.approx(last["kwh"] * 0.4)
    assert "kWh: 1 x 500 W" in (tmp_path / "run" / "logs" / "rank-0.log").read_text()
    assert main(["export", run, "--output", str(tmp_path / "out")]) == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"## Energy\n\n{energy_of_run(run, 8)}\n" in card
    assert "kg CO2 by the grid's factor that was stated" in card
    assert energy_of_run(run, 3) == energy_of_run(run, 1) != energy_of_run(run, 8)  # a line every four steps


def test_what_is_watched_is_no_part_of_a_run() -> None:
    """The manifest's settings, and so the run's fingerprint, are the same with and without."""
    watched = {
        "device_watts": 500.0,
        "profile_steps": [2, 3],
        "questions": "/q",
        "questions_every": 5,
        "memory_snapshot": True,
    }
    assert TrainConfig.model_validate(SETTINGS | watched).identity() == TrainConfig.model_validate(SETTINGS).identity()


def test_energy_in_words() -> None:
    energy = Energy(devices=8, watts=700, hours=24 * 15.7, grams_per_kwh=380)
    assert energy.kwh == pytest.approx(2110, abs=1)
    assert energy.text() == "2,110 kWh: 8 x 700 W for 376.8 h; 802 kg CO2 at 380 g a kWh"
    assert Energy(devices=1, watts=100, hours=0.5).text() == "0.05 kWh: 1 x 100 W for 0.5 h"


class _State:
    """What `memory_watched` reads of a rank's state."""

    def __init__(self, folder: Path, *, asked: bool) -> None:
        self.job = type("J", (), {"config": type("C", (), {"memory_snapshot": asked}), "output": str(folder)})
        self.device, self.rank = torch.device("cuda"), 3


def test_memory_is_written_down_when_it_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's recorder is replaced here, for it needs a GPU; when it is called, and what is said, is ours."""
    calls: list[str] = []
    recorder = step_watch.torch.cuda.memory
    monkeypatch.setattr(recorder, "_record_memory_history", lambda **_: calls.append("record"))
    monkeypatch.setattr(recorder, "_dump_snapshot", lambda path: calls.append(path))
    state: Any = _State(tmp_path, asked=True)
    with pytest.raises(torch.OutOfMemoryError) as caught, memory_watched(state):
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert calls == ["record", str(tmp_path / "logs" / "memory-rank-3.pickle")]
    assert calls[1] in caught.value.__notes__[0]
    with pytest.raises(KeyError), memory_watched(state):
        raise KeyError
    assert calls == [*calls[:2], "record"]
    with memory_watched(_State(tmp_path, asked=False)):  # type: ignore[arg-type]
        pass
    assert len(calls) == 3
