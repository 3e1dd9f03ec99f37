"""Section `qa` of a run file: question sets, what is fine-tuned on them, what is evaluated, and the tables of it all.

Fine-tunings and evaluations are named by their keys, which are their directories too, so that `--set
qa.finetune.medqa.settings.seeds=2` reaches each. A fine-tuning's settings begin with the preset of its task.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from corpus.config import GivenPath, StageConfig
from corpus.errors import UsageError, did_you_mean
from corpus.storage.files import is_remote
from corpus.storage.yaml_source import YamlSource
from train.qa.config import EvaluateConfig, FinetuneConfig, preset_settings

FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$")]
_OWN_MODEL = "the model that the run trains"


class FinetuneSection(StageConfig):
    """Section `qa.finetune.NAME`: one fine-tuning."""

    model: GivenPath | None = Field(None, description=f"base model; null: {_OWN_MODEL}")
    tokenizer: str | None = Field(
        None, description="name of a further tokenizer: the base model is the one that the run trains with it"
    )
    preset: GivenPath | None = Field(None, description="preset or YAML file of settings; null: that of the task")
    settings: FinetuneConfig = Field(description="settings that replace the preset's; `task` is NAME by default")


class EvaluateSection(StageConfig):
    """Section `qa.evaluate.NAME`: one evaluation."""

    finetune: str | None = Field(None, description="name of the fine-tuning whose heads answer")
    model: GivenPath | None = Field(None, description=f"a model instead of it; both null: {_OWN_MODEL}")
    settings: EvaluateConfig = Field(default_factory=EvaluateConfig, description="settings of `qa evaluate`")


class QaSection(StageConfig):
    """Section `qa`: from question sets to the paper's tables."""

    questions: tuple[GivenPath, ...] = Field(min_length=1, description="files or folders of question sets")
    partial: bool = Field(False, description="go on where a set has other counts than published")
    finetune: dict[FolderName, FinetuneSection] = Field(default_factory=dict, description="fine-tunings by name")
    evaluate: dict[FolderName, EvaluateSection] = Field(default_factory=dict, description="evaluations by name")
    references: Literal["paper", "none"] = Field("paper", description="recorded rows beside ours in the tables")


def fill_in_qa(source: YamlSource) -> None:
    """Give every fine-tuning the task of its name and the values of its preset, where the file says nothing."""
    section = source.data.get("qa")
    named = section.get("finetune") if isinstance(section, dict) else None
    if not isinstance(named, dict):
        return
    for name, given in named.items():
        one = named[name] = {} if given is None else given
        settings = (one.get("settings") or {}) if isinstance(one, dict) else None
        if not isinstance(settings, Mapping):
            continue
        task = settings.get("task", name)
        try:
            preset = preset_settings(one.get("preset"), str(task))
        except UsageError as error:
            source.problems.append(f"{source.place(('qa', 'finetune', name, 'preset'))}: {error}")
            preset = preset_settings(None, "")
        source.problems += preset.problems
        one["settings"] = {**preset.data, "task": task, **settings}


def qa_misfits(
    source: YamlSource, section: QaSection, *, work: str, trains: bool, others: Collection[str] = ()
) -> Iterator[str]:
    """Yield a line for each setting of the section that is valid alone and cannot work in its run."""
    if is_remote(work):
        yield f"{source.place(('work',))}: work: fine-tuning writes to a local disk; use a local path, or qa: null"
    for name, one in section.finetune.items():
        if one.tokenizer is not None and (one.model is not None or one.tokenizer not in others):
            known = ", ".join(others) or "none"
            problem = f"give `tokenizer` or `model`, not both; trained with further tokenizers: {known}"
            yield f"{source.place(('qa', 'finetune', name))}: qa.finetune.{name}: {problem}"
        if one.model is None and not trains:
            yield f"{source.place(('qa', 'finetune', name))}: qa.finetune.{name}: {_no_model('fine-tune')}"
    for name, scoring in section.evaluate.items():
        for problem in _evaluate_misfits(scoring, section, trains=trains):
            yield f"{source.place(('qa', 'evaluate', name))}: qa.evaluate.{name}: {problem}"


def _evaluate_misfits(scoring: EvaluateSection, section: QaSection, *, trains: bool) -> Iterator[str]:
    if scoring.finetune is not None and scoring.finetune not in section.finetune:
        known = ", ".join(section.finetune) or "none"
        near = did_you_mean(scoring.finetune, section.finetune)
        yield f"no fine-tuning is named {scoring.finetune!r}; there are {known}{near}"
    if scoring.finetune is not None and scoring.model is not None:
        yield "give `finetune` or `model`, not both"
    elif scoring.finetune is None and scoring.model is None and scoring.settings.method == "heads":
        yield "heads are those of a fine-tuning: name it by `finetune`, or set method: likelihood"
    elif scoring.finetune is None and scoring.model is None and not trains:
        yield _no_model("evaluate")
    elif not scoring.settings.tasks and scoring.settings.method != "heads":
        yield "which task? Give settings: {task: …}"


def _no_model(verb: str) -> str:
    return f"no model to {verb}: the run has no section `train`; give `model`"
