"""Training configurations: presets, files, the batch that must divide, what a recipe holds."""

import re
from pathlib import Path

import pytest

from corpus.errors import UsageError
from train.config import TrainConfig, load_preset, preset_names, with_settings


def tiny(**changes: object) -> TrainConfig:
    return TrainConfig.model_validate({**load_preset("tiny").model_dump(), **changes})


def test_every_preset_loads_and_divides_on_one_rank() -> None:
    assert {"biomedlm-2.7b", "tiny"} <= {*preset_names()}
    for name in preset_names():
        load_preset(name).accumulation()


def test_biomedlm_is_the_published_recipe() -> None:
    config = load_preset("biomedlm-2.7b")
    assert config.batch_rows * 1024 == 1_048_576
    assert config.steps == 300_000_000_000 // 1_048_576
    assert (config.learning_rate, config.betas, config.eps) == (1.6e-4, (0.9, 0.95), 1e-8)
    assert config.warmup_steps == 100
    assert config.learning_rate * config.weight_decay == pytest.approx(1.6e-5, rel=1e-12)
    assert config.model.scale_attn_by_inverse_layer_idx
    assert config.precision == "bf16"


@pytest.mark.parametrize("ranks", [2**power for power in range(7)])
def test_biomedlm_divides_on_powers_of_two(ranks: int) -> None:
    config = load_preset("biomedlm-2.7b").model_copy(update={"ranks": ranks})
    assert config.accumulation() * config.micro_batch * ranks == 1024


def test_a_batch_that_does_not_divide_names_the_numbers() -> None:
    with pytest.raises(UsageError, match=r"batch_rows 8 .* micro_batch 2 x ranks 3 = 6.*--ranks 2"):
        tiny(batch_rows=8, micro_batch=2, ranks=3).accumulation()
    with pytest.raises(UsageError, match=r"batch_rows 8 .* micro_batch 3 x ranks 2 = 6.*micro_batch to 2"):
        tiny(batch_rows=8, micro_batch=3, ranks=2).accumulation()


def test_sizes_follow_the_tokens_unless_stated() -> None:
    config = load_preset("tiny")
    assert config.model.shape(seq_length=64, vocab_size=300).padded_vocab_size == 384
    with pytest.raises(UsageError, match="vocab_size is 28,896 in the configuration but 300"):
        load_preset("biomedlm-2.7b").model.shape(seq_length=1024, vocab_size=300)


def test_the_recipe_leaves_out_what_may_change() -> None:
    other = tiny(steps=7, zero_stage=3, micro_batch=1, ranks=4, eval_every=3, save_every=2, log_every=1)
    assert other.recipe() == load_preset("tiny").recipe()
    for name, value in (("seed", 5), ("learning_rate", 0.5), ("batch_rows", 64), ("clip", None)):
        assert tiny(**{name: value}).recipe() != load_preset("tiny").recipe(), name


def test_a_file_has_the_form_of_a_preset(tmp_path: Path, repository: Path) -> None:
    text = (repository / "train/presets/tiny.yaml").read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("steps: 300", "steps: 12"), encoding="utf-8")
    assert "steps: 300" in text
    assert load_preset(str(path)) == tiny(steps=12)


def test_settings_are_replaced_from_the_command_line() -> None:
    changed = with_settings(load_preset("tiny"), ["zero_stage=2", "model.dropout=0.1", "clip=null"])
    assert changed == tiny(zero_stage=2, clip=None, model={**load_preset("tiny").model.model_dump(), "dropout": 0.1})
    for wrong in ("zero_stage", "nothing.at.all=1", "stepz=3"):
        with pytest.raises(UsageError, match="--set"):
            with_settings(load_preset("tiny"), [wrong])


def test_the_length_is_steps_or_epochs() -> None:
    config = with_settings(load_preset("biomedlm-2.7b"), ["epochs=8.67"])
    assert (config.steps, config.epochs) == (0, 8.67)
    # The paper's passes over its 34.6 billion tokens are its steps, to the rounding of both.
    assert config.with_steps(34.6e9 / 1024).steps == pytest.approx(286_102, rel=3e-4)
    assert config.with_steps(34.6e9 / 1024).epochs is None
    assert config.with_steps(1).steps == 1
    assert with_settings(config, ["steps=7"]) == load_preset("biomedlm-2.7b").model_copy(update={"steps": 7})
    assert tiny(steps=0, epochs=0.5).recipe() == load_preset("tiny").recipe()
    for both in ({"epochs": 2.0}, {"steps": 0}):
        with pytest.raises(ValueError, match="`steps` or `epochs`, exactly one of them"):
            tiny(**both)


def test_all_mistakes_of_a_file_are_named_at_once(tmp_path: Path, repository: Path) -> None:
    text = (repository / "train/presets/tiny.yaml").read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("steps: 300", "step: 300").replace("heads: 4", "heads: 5"), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_preset(str(path))
    for part in (
        "mine.yaml:4:1: model",
        "unknown key 'step'; did you mean steps",
        "hidden 128 is not a multiple of heads 5",
    ):
        assert part in str(caught.value)
    presets = re.escape(", ".join(preset_names()))
    with pytest.raises(UsageError, match=f"nowhere: neither a file nor a preset; presets are {presets}, "):
        load_preset("nowhere")


def test_mistakes_of_set_are_told_as_those_of_a_file() -> None:
    with pytest.raises(UsageError) as caught:
        with_settings(load_preset("tiny"), ["model.layer=3", "zero_stage=7", "clip=[", "seed=2026-13-45"])
    lines = str(caught.value).split("\n  ")
    assert lines[0] == "4 things are wrong:"
    assert sorted(lines[1:]) == [
        "--set clip: not valid YAML: expected the node content, but found '<stream end>'",
        "--set model.layer: unknown key 'layer'; did you mean layers?",
        "--set seed: not valid YAML: month must be in 1..12",
        "--set zero_stage: input should be 0, 1, 2 or 3 (got 7)",
    ]


@pytest.mark.parametrize("text", ["[1]", "", "a: [", "a: &a [*a]", "steps: " + "1" * 5_000, "a: \0", "\ud800"])
def test_a_file_that_is_none_is_a_usage_error_with_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match=r"mine\.yaml"):
        load_preset(str(tmp_path / "mine.yaml"))
    with pytest.raises(UsageError, match="cannot be read"):
        load_preset(str(tmp_path))


def test_a_tilde_is_the_home(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_bytes((repository / "train/presets/tiny.yaml").read_bytes())
    assert load_preset("~/mine.yaml") == load_preset("tiny")
    assert with_settings(load_preset("tiny"), ["hostfile=~/hosts"]).hostfile == f"{tmp_path}/hosts"
