"""Likelihood by CTranslate2: the numbers of torch on the same export, and what int8 changes is counted."""

import re
from pathlib import Path

import pytest

from corpus.errors import UsageError
from corpus.qa.predictions import read_predictions
from corpus.qa.prompts import Prompt
from corpus.qa.store import write_questions
from tests.support.small_run import SHAPE, loud_model, write_run
from tests.train.qa.models import planted_choice
from train.config import ModelShape
from train.export.backbone import load_backbone
from train.export.config import ExportConfig
from train.export.stage import export
from train.qa.config import EvaluateConfig
from train.qa.ct2_likelihood import open_ct2_scorer
from train.qa.evaluation import evaluate
from train.qa.likelihood import score_prompts
from train.qa.result_lines import result_lines

PROMPTS = (
    Prompt(text="Patients with BRCA1 mutations received\nAnswer:", ends=(" A", " B", " C")),
    Prompt(text="The <|endoftext|> hazard ratio was 0.71, and " * 12, ends=(" β1 rises", " 5 µg·kg⁻¹ of it", " x")),
    Prompt(text="Ca²⁺", ends=(" \n", " \t", " 東")),
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("ct2")
    shape = ModelShape(**{name: getattr(SHAPE, name) for name in SHAPE.__dataclass_fields__} | {"seq_length": 160})
    run = write_run(folder / "run", loud_model(shape, noise=0.05))
    export(ExportConfig(formats=("folded", "ct2-float32", "ct2-int8")), run=str(run), output=str(folder / "export"))
    return str(folder / "export")


def test_float32_gives_the_numbers_of_torch(exported: str) -> None:
    """Ends of one id and of many, texts that are cut, and a special token's name in a text."""
    backbone = load_backbone(exported, lambda line: None, language_model=True)
    for own, there in zip(
        open_ct2_scorer(exported, "ct2-float32").score(PROMPTS), score_prompts(backbone, PROMPTS), strict=True
    ):
        assert (own.tokens, own.truncated_tokens) == (there.tokens, there.truncated_tokens)
        assert own.sums == pytest.approx(there.sums, abs=2e-3)
        assert own.per_character == pytest.approx(there.per_character, abs=2e-3)


def test_an_export_is_evaluated_in_int8_beside_torch(exported: str, tmp_path: Path) -> None:
    write_questions(planted_choice(24, "test", seed=1), str(tmp_path / "questions"))
    words = {"model": exported, "questions": str(tmp_path / "questions")}
    asked = {"task": "planted", "method": "likelihood", "format": "letters,option-text"}
    evaluate(EvaluateConfig(**asked), **words, output=str(tmp_path / "torch"))
    config = EvaluateConfig(**asked, engine="ct2-int8", beside=str(tmp_path / "torch"))
    manifest = evaluate(config, **words, output=str(tmp_path / "int8"))
    assert manifest.config["engine"] == "ct2-int8"
    lines = [line for line in result_lines(str(tmp_path / "int8"), words["questions"], config) if "beside" in line]
    assert len(lines) == 3
    there = {(row.id, row.format): row for row in read_predictions(str(tmp_path / "torch"))}
    here = read_predictions(str(tmp_path / "int8"))
    for line, form in zip(lines, dict.fromkeys(row.format for row in here), strict=True):
        own = [row for row in here if row.format == form]
        changed = sum(row.choice != there[row.id, form].choice for row in own)
        assert re.search(rf"beside: {changed} of 24 choices are others; accuracy .* McNemar p = ", line)
    assert any(row.scores != there[row.id, row.format].scores for row in here)  # int8 is no float32


def test_what_is_no_such_export_is_refused_with_the_command(exported: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"corpuscle export RUN --format ct2-int8 --output DIR"):
        open_ct2_scorer(str(tmp_path), "ct2-int8")
    with pytest.raises(ValueError, match="engine ct2-int8 is for models on this machine"):
        EvaluateConfig(engine="ct2-int8", method="chat")
