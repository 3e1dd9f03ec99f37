"""Verbs `qa finetune` and `qa evaluate`: presets, options over them, printed lines, exit codes."""

from pathlib import Path

import pytest
import yaml

from corpus.errors import UsageError
from corpus.qa.store import write_questions
from pipelines.cli.app import main
from tests.train.qa.models import planted_choice, write_gpt2
from train.qa.config import finetune_config, preset_names

PRESETS = Path(__file__).parents[3] / "train" / "qa" / "presets"


def test_a_model_is_fine_tuned_and_evaluated_by_two_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        one for split, size in (("train", 16), ("dev", 8), ("test", 8)) for one in planted_choice(size, split, seed=1)
    ]
    write_questions(asked, str(tmp_path / "questions"))
    (tmp_path / "settings.yaml").write_text("epochs: 1\nbatch_questions: 8\nlearning_rates: [1.0e-3]\nmax_tokens: 32\n")
    model, given = str(write_gpt2(tmp_path / "model")), ["--questions", str(tmp_path / "questions")]
    tuned, scored = str(tmp_path / "tuned"), str(tmp_path / "scored")
    words = ["--task", "planted", "--preset", str(tmp_path / "settings.yaml"), "--seeds", "2", "--output", tuned]
    assert main(["qa", "finetune", model, *given, *words]) == 0
    assert "planted test, learning rate 0.001, 2 seeds: " in capsys.readouterr().out
    assert main(["qa", "evaluate", tuned, *given, "--output", scored]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("planted test 8: ")
    assert "(2 seeds), 95 %" in line
    assert line.endswith("format paper, 0 truncated")
    assert main(["qa", "evaluate", model, *given, "--task", "planted", "--output", str(tmp_path / "x")]) == 2
    assert main(["qa", "finetune", model, *given, "--task", "other", "--output", str(tmp_path / "y")]) == 2


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_valid_and_say_where_each_number_is_from(name: str) -> None:
    config = finetune_config(name, {"task": name})
    assert config.train_tasks == (("medmcqa", "medqa") if name == "mmlu" else (name,))
    lines = (PRESETS / f"{name}.yaml").read_text().splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            assert any(mark in line for mark in ("[paper]", "[code]", "inferred")), line
    assert {*yaml.safe_load("\n".join(lines))} <= {*type(config).model_fields}


def test_what_is_given_replaces_the_preset() -> None:
    config = finetune_config(None, {"task": "medqa", "seeds": 2})
    assert (config.seeds, config.warmup_fraction, config.epochs) == (2, 0.5, 6)
    with pytest.raises(UsageError, match="which --task"):
        finetune_config(None, {})
    with pytest.raises(UsageError, match="no bf16"):
        finetune_config(None, {"task": "medqa", "precision": "bf16"})
