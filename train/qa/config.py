"""Configuration of `qa finetune`: task, format, recipe, layout on ranks; presets of the paper's tasks. No torch here.

A preset is a commented YAML file in `train/qa/presets/`, of the name of its task. The published hyper-parameters are
few: what is inferred is marked so, on its line.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from corpus.config import StageConfig, runtime, setting
from corpus.errors import UsageError, list_problems
from corpus.storage.yaml_source import YamlSource, parse_yaml, read_yaml


class FinetuneConfig(StageConfig):
    """Configuration of `qa finetune`: a model and questions to fine-tuned heads."""

    task: str = setting("", "task whose dev and test are scored: medqa, pubmedqa, …", group="input")
    train: str = setting("", "tasks trained on, joined by +; by default the task itself", group="input")
    format: Literal["auto", "paper", "released", "linkbert"] = setting(
        "auto", "how a question becomes tokens; auto: linkbert for encoders, else paper", group="text"
    )
    max_tokens: int = setting(512, "tokens of a row; the model's own limit if that is less", group="text", ge=8)
    keep: Literal["auto", "end", "start"] = setting(
        "auto", "which end of a long text stays; auto: end, start in format released", group="text"
    )
    pool: Literal["auto", "last", "cls", "mean"] = setting(
        "auto", "state that the head reads; auto: cls for encoders, else the last token", group="text"
    )
    new_rows: Literal["normal", "mean"] = setting(
        "normal", "start of new special tokens: N(0, 0.02), or the mean of all tokens", group="text"
    )
    learning_rates: tuple[float, ...] = setting((1e-5,), "peak learning rate; several are a sweep", min_length=1)
    seeds: int = setting(1, "runs of each setting, with seeds from 0", ge=1)
    epochs: float = setting(3.0, "passes over the training questions", gt=0)
    batch_questions: int = setting(32, "questions in the global batch of one step", ge=1)
    warmup_fraction: float = setting(0.5, "share of the steps in which the rate rises from 0", ge=0, le=1)
    betas: tuple[float, float] = setting((0.9, 0.999), "AdamW moment decay rates")
    eps: float = setting(1e-8, "AdamW denominator term", gt=0)
    weight_decay: float = setting(0.0, "AdamW decay, multiplied by the learning rate", ge=0)
    clip: float | None = setting(1.0, "limit of the global gradient norm", gt=0)
    dropout: float | None = setting(None, "dropout of the whole backbone instead of its own", ge=0, lt=1)
    selection: Literal["best-dev", "last"] = setting("best-dev", "epoch whose weights are kept")
    freeze_layers: int = setting(0, "lowest layers that stay as they are, the embeddings with them", ge=0)
    lora: int = setting(0, "rank of low-rank adapters on all linear maps; 0: train the weights themselves", ge=0)
    lora_alpha: int = setting(16, "scale of the adapters, divided by their rank", ge=1)
    precision: Literal["fp32", "bf16"] = setting("fp32", "bf16: compute; master weights and sums in fp32")
    zero_stage: Literal[0, 1, 2] = setting(0, "what DeepSpeed shards over ranks", group="running")
    micro_batch: int = setting(4, "questions of one forward pass on one rank", group="running", ge=1)
    ranks: int = runtime(1, "processes, one for each GPU", group="running", ge=1, le=1024)

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        if self.batch_questions % (self.micro_batch * self.ranks):
            raise ValueError(
                f"batch_questions {self.batch_questions} is not a multiple of micro_batch {self.micro_batch} x "
                f"ranks {self.ranks}"
            )
        if self.precision == "bf16" and self.zero_stage == 0:
            raise ValueError("DeepSpeed has no bf16 with fp32 gradient sums in zero_stage 0; use 1 or 2")
        if self.lora and self.freeze_layers:
            raise ValueError("with lora every weight of the model is frozen; leave freeze_layers out")
        if any(rate <= 0 for rate in self.learning_rates) or len({*self.learning_rates}) < len(self.learning_rates):
            raise ValueError("learning_rates must be above 0, each given once")
        return self

    @property
    def train_tasks(self) -> tuple[str, ...]:
        """Tasks trained on, in the order given."""
        return tuple(filter(None, (self.train or self.task).split("+")))

    def accumulation(self) -> int:
        """Return the micro-steps of one step."""
        return self.batch_questions // (self.micro_batch * self.ranks)

    def settings(self) -> list["Setting"]:
        """Return the runs that the configuration asks for, in order: every learning rate with every seed."""
        many = len(self.learning_rates) > 1
        return [
            Setting(learning_rate=rate, seed=seed, many=many)
            for rate in self.learning_rates
            for seed in range(self.seeds)
        ]


class EvaluateConfig(StageConfig):
    """Configuration of `qa evaluate`: a model or a server, and questions, to predictions."""

    task: str = setting("", "tasks, joined by commas; of a fine-tuned model its own by default", group="input")
    split: Literal["test", "dev", "val", "train"] = setting("test", "split that is scored", group="input")
    method: Literal["heads", "likelihood", "chat"] = setting(
        "heads", "who answers: fine-tuned heads, a language model by likelihood, or a server's chat"
    )
    engine: Literal["torch", "ct2-int8", "ct2-float32", "lm_eval"] = setting(
        "torch",
        "who computes heads or likelihood; ct2-*: CTranslate2, of an export in that format, on the CPU; lm_eval: "
        "lm-evaluation-harness, likelihood alone",
    )
    format: str = setting("letters", "of likelihood: letters, option-text, or both with a comma", group="text")
    shots: int = setting(0, "worked examples before each question, from the train split", group="text", ge=0)
    seed: int = setting(0, "draws the worked examples", group="text", ge=0)
    limit: int | None = setting(None, "score the first questions of a task only", group="filters", ge=1)
    batch: int = runtime(8, "questions read together", group="running", ge=1)
    context: str = runtime(
        "", "assembled corpus whose passages stand before each question, in the place of its context", group="text",
        metavar="DIR",
    )  # fmt: skip
    beside: str = runtime(
        "", "another result on these questions: says how many choices differ, and which is better", group="evaluation",
        metavar="DIR",
    )  # fmt: skip
    documents: int = setting(8, "passages of --context before a question, each of another document", group="text", ge=1)
    contamination: str = runtime(
        "", "result of `assemble --evaluation`: the corpus that the model was trained on", group="evaluation",
        metavar="DIR",
    )  # fmt: skip
    name: str = setting("", "model's name at the server", group="server", option="--model", metavar="NAME")
    answer_tokens: int = setting(16, "tokens of an answer in chat", group="server", ge=1)
    top: int = setting(20, "likeliest next tokens that a server lists for letters", group="server", ge=2)
    key_env: str = runtime(
        "", "environment variable that holds the server's key; OPENAI_API_KEY by default", group="server",
        metavar="NAME",
    )  # fmt: skip
    requests: int = runtime(4, "requests in flight", group="server", ge=1, le=256)
    attempts: int = runtime(8, "tries of one request", group="server", ge=1)
    timeout: float = runtime(120.0, "seconds until an answer must be there", group="server", gt=0)
    price_in: float | None = runtime(None, "price of a million tokens read", group="server", ge=0)
    price_out: float | None = runtime(None, "price of a million tokens written", group="server", ge=0)

    @model_validator(mode="after")
    def _formats_known(self) -> Self:
        if self.engine != "torch" and self.method == "chat":
            raise ValueError(f"engine {self.engine} is for models on this machine; chat asks a server")
        if self.engine == "lm_eval" and self.method != "likelihood":
            raise ValueError("engine lm_eval is one of likelihood; add method likelihood")
        if unknown := sorted({*self.formats} - {"letters", "option-text"}):
            raise ValueError(f"format {unknown[0]!r} is not letters, option-text or both")
        return self

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats of the prompts, in the order given."""
        return tuple(filter(None, self.format.split(",")))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks, in the order given."""
        return tuple(filter(None, self.task.split(",")))


class Setting(StageConfig):
    """One run of a sweep."""

    learning_rate: float = Field(gt=0)
    seed: int = Field(ge=0)
    many: bool  # the sweep has several learning rates

    @property
    def name(self) -> str:
        """Directory of the run, below the output."""
        return f"lr-{self.learning_rate:g}-seed-{self.seed}" if self.many else f"seed-{self.seed}"


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets, sorted."""
    files = resources.files("train.qa").joinpath("presets").iterdir()
    return tuple(sorted(Path(file.name).stem for file in files if file.name.endswith(".yaml")))


def finetune_config(preset: str | None, given: Mapping[str, Any]) -> FinetuneConfig:
    """Return the configuration of a preset, or of a YAML file, with the values that were given in their place.

    Without a name it is the task's own preset, if there is one. Raises UsageError, listing every mistake.
    """
    source = preset_settings(preset, str(given.get("task", "")))
    source.data |= given
    try:
        config = FinetuneConfig.model_validate(source.data)
    except ValidationError as error:
        source.problems += source.tell(FinetuneConfig, error)
        raise UsageError(list_problems(source.problems)) from error
    if not config.task:
        raise UsageError(f"which --task? Presets are {', '.join(preset_names())}")
    return config


def preset_settings(preset: str | None, task: str) -> YamlSource:
    """Return the settings of a preset or YAML file; without a name those of the task's own preset, if there is one.

    Raises UsageError for a file that cannot be read.
    """
    if preset is None:
        preset = task if task in preset_names() else None
    if preset is None:
        return parse_yaml("{}", "qa finetune")
    if preset in preset_names():
        return parse_yaml(resources.files("train.qa").joinpath("presets", f"{preset}.yaml").read_text("utf-8"), preset)
    return read_yaml(preset)
