"""Configuration of `train`: model sizes, recipe, layout on ranks, DeepSpeed options; presets and files of their form.

A preset is a commented YAML file in `train/presets/`; a user's own file has the same form. The *recipe* is
what must not change when a run is resumed; `steps`, the evaluation rhythm and the layout on processes may.
Numbers of `biomedlm-2.7b` come from arXiv 2403.18421 (tables 1, 5 and 6) and the published model config;
what those leave open is marked as inferred in the file. No torch here: the command line reads this.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from corpus.config import GivenPath, StageConfig, runtime
from corpus.errors import UsageError, list_problems
from corpus.storage.yaml_source import YamlSource, parse_yaml, read_yaml
from train.batches import Batches, dividing_starts, nearest
from train.foreign import PREFIX, ForeignConfig, ForeignShape

LENGTHS: dict[str, Any] = {"steps": 0, "epochs": None}  # the two ways to state how long to train, each when left out
PADDING = 128  # embedding rows are padded to a multiple: 28,896 is no multiple of 64, which costs GEMM speed


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelShape:
    """Sizes of a model, with nothing left open; `vocab_size` is the tokenizer's, without padding rows."""

    layers: int
    heads: int
    hidden: int
    seq_length: int
    vocab_size: int
    dropout: float
    scale_attn_by_inverse_layer_idx: bool

    @property
    def padded_vocab_size(self) -> int:
        """Rows of the embedding table: the vocabulary rounded up to a multiple of 128."""
        return -(-self.vocab_size // PADDING) * PADDING

    @property
    def num_parameters(self) -> int:
        """Parameters without padding rows; the output head shares the token embedding."""
        per_layer = 12 * self.hidden**2 + 13 * self.hidden  # qkv, projections, MLP, biases, two LayerNorms
        embeddings = (self.vocab_size + self.seq_length) * self.hidden
        return embeddings + self.layers * per_layer + 2 * self.hidden

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations of one trained token: 6N + 12·L·d·T, N without position embeddings."""
        weights = self.num_parameters - self.seq_length * self.hidden
        return 6 * weights + 12 * self.layers * self.hidden * self.seq_length


AnyShape = ModelShape | ForeignShape


class ModelConfig(BaseModel):
    """Configuration of a GPT-2 style model; sizes left out are taken from the tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    layers: int = Field(ge=1, description="transformer blocks")
    heads: int = Field(ge=1, description="attention heads")
    hidden: int = Field(ge=1, description="width of the residual stream")
    seq_length: int | None = Field(None, ge=2, description="tokens in a row; must be the tokens' own when given")
    vocab_size: int | None = Field(None, ge=1, description="tokenizer entries; must be the tokens' own when given")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout of embeddings, attention and residual branches")
    scale_attn_by_inverse_layer_idx: bool = Field(
        True, description="divide attention logits of layer l (from 0) by l + 1, as the published BioMedLM does"
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        return self

    def shape(self, *, seq_length: int, vocab_size: int) -> ModelShape:
        """Return the full sizes for tokens of this row length and vocabulary.

        Raises UsageError when the configuration states others.
        """
        for name, own, found in (
            ("seq_length", self.seq_length, seq_length),
            ("vocab_size", self.vocab_size, vocab_size),
        ):
            if own is not None and own != found:
                raise UsageError(
                    f"model.{name} is {own:,} in the configuration but {found:,} in the tokens; "
                    f"pack the corpus to fit, or take `{name}` out of the configuration to follow the tokens"
                )
        fields = self.model_dump(exclude={"seq_length", "vocab_size"})
        return ModelShape(**fields, seq_length=seq_length, vocab_size=vocab_size)


class TrainConfig(StageConfig):
    """Configuration of `train`: tokens to checkpoints."""

    model: ModelConfig | None = Field(None, description="sizes of a GPT-2 of ours; left out with `foreign`")
    foreign: ForeignConfig | None = Field(None, description="a model of transformers' library instead; null: ours")
    steps: int = Field(0, ge=0, description="optimizer steps; also the horizon of the cosine; 0: from `epochs`")
    epochs: float | None = runtime(None, "passes over the training rows, 8.67 say, instead of `steps`", gt=0)
    batch_rows: int = Field(ge=1, description="rows in the global batch of one step")
    learning_rate: float = Field(gt=0, description="peak learning rate")
    batch_warmup_start: int | None = Field(
        None, ge=1, description="rows in the first step's batch, which grows by as many to batch_rows; null: no warm-up"
    )
    batch_warmup_steps: int | None = Field(
        None, ge=1, description="steps until the batch has batch_rows; with batch_warmup_start"
    )
    betas: tuple[float, float] = Field((0.9, 0.95), description="AdamW moment decay rates")
    eps: float = Field(1e-8, gt=0, description="AdamW denominator term")
    weight_decay: float = Field(0.1, ge=0, description="AdamW decay, multiplied by the learning rate; all parameters")
    warmup_steps: int = Field(ge=0, description="steps of linear warm-up from 0")
    final_lr_fraction: float = Field(0.1, ge=0, le=1, description="learning rate at the end, as a share of the peak")
    decay_steps: int | None = Field(
        None, ge=1, description="WSD: the rate stays at its peak and falls over the last so many steps; null: cosine"
    )
    clip: float | None = Field(1.0, gt=0, description="limit of the global gradient norm; null: none")
    seed: int = Field(0, ge=0, description="seed of the initial weights, the order of rows and dropout")
    precision: Literal["bf16", "fp32"] = Field("fp32", description="bf16: compute; master weights and sums in fp32")
    zero_stage: Literal[0, 1, 2, 3] = Field(1, description="what DeepSpeed shards over ranks")
    micro_batch: int = Field(ge=1, description="rows of one forward pass on one rank")
    source_weights: dict[str, float] | None = Field(
        None, description="how often each source (pubmed, pmc) is seen in one pass; null: every row once"
    )
    document_mask: bool = Field(False, description="attention stays inside a document; BioMedLM's did not")
    reset_positions: bool = Field(False, description="positions count from 0 in every document; BioMedLM's did not")
    init: GivenPath | None = runtime(
        None, "a model to start from instead of random weights: a run, an export, or a GPT-2 of transformers' form"
    )
    resize_vocabulary: bool = runtime(False, "with init: the tokens may be of another tokenizer than the model's")
    eval_every: int = Field(ge=1, description="steps between validation losses")
    eval_rows: int = Field(ge=1, description="validation rows used, evenly spaced over the split")
    sample_tokens: int = runtime(24, "tokens of the sample printed with each validation loss; 0: none", ge=0)
    sample_prompt: str = runtime("The patients", "how the sample begins")
    verify_tokens: bool = runtime(False, "hash all tokens before the start, not only blocks of every file")
    eval_minutes: float | None = runtime(
        None, "minutes between validation losses at most; metrics.jsonl then differs from run to run", gt=0
    )
    save_every: int = runtime(1000, "steps between checkpoints", ge=1)
    save_minutes: float | None = runtime(None, "minutes between checkpoints at most, whatever the steps", gt=0)
    save_async: bool = runtime(False, "training goes on while a checkpoint is written from a copy in host memory")
    keep_checkpoints: int = runtime(3, "newest checkpoints kept", ge=1)
    keep_every: int | None = runtime(None, "checkpoints at a multiple of this many steps are kept too", ge=1)
    stall_seconds: float = runtime(60, "a step that takes longer is told, with the rank that the others wait for", gt=0)
    log_every: int = runtime(10, "steps between printed lines", ge=1)
    ranks: int = runtime(1, "processes, one for each GPU", ge=1, le=1024)
    device: Literal["auto", "cpu", "cuda"] = runtime("auto", "auto: a GPU where there is one, and never silently none")
    launcher: Literal["own", "torchrun", "deepspeed", "print"] = runtime("own", "who starts the ranks")
    hostfile: GivenPath | None = runtime(None, "machines for launcher deepspeed: `NAME slots=GPUS` a line")
    deterministic: bool = runtime(
        False, "torch's deterministic algorithms alone: slower on a GPU, the same bits each time"
    )
    compile: bool = runtime(False, "torch.compile of the blocks; not with ZeRO-3")
    activation_checkpointing: bool = runtime(False, "compute activations again in the backward pass: less memory")
    offload_optimizer: bool = runtime(False, "keep optimizer states in CPU memory; ZeRO-1 to 3")
    max_skipped_steps: int = runtime(0, "updates left out, for gradients not finite, before a stop", ge=0)
    spike_nats: float | None = runtime(2.0, "loss above the median of the last 100 that is a spike; null: off", gt=0)
    on_spike: Literal["stop", "warn", "skip"] = runtime(
        "warn",
        "what a spike does; skip: go back to a checkpoint and leave its rows out, for a loss not finite too",
    )
    skip_steps: int = runtime(3, "with on_spike skip: rows of so many steps are left out, the last the spike's", ge=1)
    max_rollbacks: int = runtime(5, "with on_spike skip: times that a run goes back before it stops", ge=1)
    wandb_project: str | None = runtime(None, "also log to this project of Weights & Biases")
    wall_clock_breakdown: bool = runtime(False, "DeepSpeed's times of forward, backward and step in logs/rank-0.log")
    flops_profile_step: int | None = runtime(None, "step that DeepSpeed profiles into logs/flops.txt", ge=1)
    questions: GivenPath | None = runtime(None, "result of `qa questions` that the model is asked in the loop")
    questions_split: Literal["dev", "val", "train", "test"] = runtime("dev", "which of its questions")
    questions_every: int = runtime(1000, "steps between two times", ge=1)
    questions_limit: int = runtime(200, "first questions of each task", ge=1)
    memory_snapshot: bool = runtime(False, "record what a GPU's memory holds, into logs/ when it runs out of it")
    device_watts: float | None = runtime(None, "power of one device; null: the most of this GPU by its maker", gt=0)
    grid_grams_per_kwh: float | None = runtime(None, "CO2 of a kWh of your grid, for the CO2 in the log", ge=0)
    profile_steps: tuple[int, int] | None = runtime(
        None, "first and last step that torch's profiler traces into logs/trace-rank-N.json"
    )
    peak_tflops: float | None = runtime(None, "peak of one device for MFU; null: from the GPU's name", gt=0)

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        self._check_model()
        self._check_batches()
        if bool(self.steps) == (self.epochs is not None):
            given = f"both are given ({self.steps:,} and {self.epochs:g})" if self.epochs else "neither is given"
            raise ValueError(f"the length is `steps` or `epochs`, exactly one of them; {given}")
        if self.decay_steps and 0 < self.steps < self.warmup_steps + self.decay_steps:
            raise ValueError(
                f"warmup_steps {self.warmup_steps:,} and decay_steps {self.decay_steps:,} do not fit into "
                f"{self.steps:,} steps"
            )
        if self.compile and self.zero_stage == 3:
            raise ValueError("compile does not go with zero_stage 3, whose gathering cuts the graphs; use 1 or 2")
        if self.precision == "bf16" and self.zero_stage == 0:
            raise ValueError("DeepSpeed has no bf16 with fp32 gradient sums in zero_stage 0; use 1, 2 or 3")
        if self.resize_vocabulary and self.init is None and self.foreign is None:
            raise ValueError("resize_vocabulary is about the model to start from; give `init`, or leave it out")
        if self.profile_steps and not 1 <= self.profile_steps[0] <= self.profile_steps[1]:
            raise ValueError(f"profile_steps {list(self.profile_steps)}: a first step and one not before it, from 1 on")
        if self.offload_optimizer and self.zero_stage == 0:
            raise ValueError("offload_optimizer needs zero_stage 1, 2 or 3")
        return self

    def _check_model(self) -> None:
        """Raise ValueError unless there is one model: sizes of ours, or a directory of transformers' form."""
        if self.model is None and self.foreign is None:
            raise ValueError(
                "no model: name its sizes (`model: {layers, heads, hidden}`), or give --model hf:DIR, a directory of "
                "transformers' form"
            )
        if self.foreign is None:
            return
        if self.model is not None:
            raise ValueError(
                f"the model's sizes are those of {self.foreign.path}, and `model` names others: with --model hf:DIR a "
                "configuration holds the recipe alone; take `model` out of it"
            )
        if self.init is not None:
            raise ValueError("init is of a GPT-2 of ours; with --model hf:DIR the weights are that directory's")

    def _check_batches(self) -> None:
        """Raise ValueError unless batches grow in whole stages, or not at all."""
        start, full = self.batch_warmup_start, self.batch_rows
        if (start is None) != (self.batch_warmup_steps is None):
            raise ValueError("batch_warmup_start and batch_warmup_steps go together: give both, or neither")
        if start is None or start in (fitting := dividing_starts(full, 1)):
            return
        near = nearest(fitting, start)
        raise ValueError(
            f"batch_warmup_start {start:,} is no divisor of batch_rows {full:,} below it; "
            + (f"the nearest are {near}" if near else "such a batch cannot grow: leave it out")
        )

    @property
    def batches(self) -> Batches:
        """Return the sizes of the run's batches."""
        start, steps = self.batch_warmup_start or self.batch_rows, self.batch_warmup_steps or 0
        return Batches(full=self.batch_rows, start=start, steps=steps)

    def with_steps(self, pass_rows: float) -> "TrainConfig":
        """Return the configuration with `epochs` turned into steps, the nearest number and at least one.

        `pass_rows` is the rows of one pass, with `source_weights` counted.
        """
        if self.epochs is None:
            return self
        return self.model_copy(update={"steps": self.batches.count_for(self.epochs * pass_rows), "epochs": None})

    def accumulation(self) -> int:
        """Return the micro-steps of one step, of the largest batch; raises UsageError when a batch does not divide."""
        together = self.micro_batch * self.ranks
        if self.batch_rows % together:
            raise UsageError(
                f"batch_rows {self.batch_rows} is not a multiple of micro_batch {self.micro_batch} x "
                f"ranks {self.ranks} = {together}; {self._advice()}"
            )
        start = self.batch_warmup_start
        if start is not None and start % together:
            near = nearest(dividing_starts(self.batch_rows, together), start)
            raise UsageError(
                f"batch_warmup_start {start:,} is not a multiple of micro_batch {self.micro_batch} x "
                f"ranks {self.ranks} = {together}; "
                + (f"set it to {near}" if near else "no smaller batch is: take a smaller micro_batch or fewer ranks")
            )
        return self.batch_rows // together

    def identity(self) -> dict[str, Any]:
        """Return the fields that decide the bytes; a cosine and equal batches are left out, as when all had them."""
        fields = super().identity()
        if self.decay_steps is None:
            del fields["decay_steps"]
        if self.batch_warmup_start is None:
            del fields["batch_warmup_start"], fields["batch_warmup_steps"]
        if self.foreign is None:
            del fields["foreign"]
        else:
            del fields["model"], fields["foreign"]["path"]  # where it lies; what it is stands among the inputs
        return fields

    def recipe(self) -> dict[str, Any]:
        """Return the settings that a resumed run must keep: all that decide weights, but for the layout and `steps`."""
        may_change = {"steps", "zero_stage", "micro_batch", "eval_every", "eval_rows"}
        return {name: value for name, value in self.identity().items() if name not in may_change}

    def _advice(self) -> str:
        if self.batch_rows % self.ranks:
            near = [count for count in range(1, self.batch_rows + 1) if self.batch_rows % count == 0]
            best = min(near, key=lambda count: (abs(count - self.ranks), count))
            return f"use a number of ranks that divides it, such as --ranks {best}"
        share = self.batch_rows // self.ranks
        fits = max(size for size in range(1, self.micro_batch + 1) if share % size == 0)
        return f"set micro_batch to {fits}, or another divisor of {share}"


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets, sorted."""
    files = resources.files("train").joinpath("presets").iterdir()
    return tuple(sorted(Path(file.name).stem for file in files if file.name.endswith(".yaml")))


def load_preset(name_or_path: str, *, model: str | None = None) -> TrainConfig:
    """Return a preset by name, or the configuration of a YAML file of the same form.

    `model`, `hf:DIR`, is trained instead of sizes, of which the configuration then has none. Raises UsageError, listing
    every mistake with its place, when there is none or it is not valid.
    """
    if name_or_path in preset_names():
        preset = resources.files("train").joinpath("presets", f"{name_or_path}.yaml")
        return _with_model(parse_yaml(preset.read_text(encoding="utf-8"), name_or_path), model)
    path = os.path.expanduser(name_or_path)
    if not os.path.exists(path):  # which a NUL or a name too long is no error for
        raise UsageError(
            f"{name_or_path}: neither a file nor a preset; presets are {', '.join(preset_names())}, "
            "and a file has the form of train/presets/tiny.yaml"
        )
    return _with_model(read_yaml(path), model)


def _with_model(source: YamlSource, model: str | None) -> TrainConfig:
    """Return the configuration of a source with the model of `--model hf:DIR`, if one is given."""
    if model is not None:
        if not model.startswith(PREFIX) or model == PREFIX:
            raise UsageError(
                f"--model {model}: it is hf:DIR, a directory of transformers' form; sizes stand in --config"
            )
        stated = source.data.get("foreign")
        own = {**stated} if isinstance(stated, dict) else {}
        source.data["foreign"] = own | {"path": model.removeprefix(PREFIX)}
    return _valid(source)


def with_settings(config: TrainConfig, assignments: Iterable[str]) -> TrainConfig:
    """Return a configuration with `a.b=c` replaced, c as YAML; raises UsageError, listing every mistake."""
    source = YamlSource(name="--set", data=config.model_dump(), example="zero_stage=2 or model.dropout=0")
    for assignment in assignments:
        source.override(assignment)
        name = assignment.partition("=")[0].strip()
        if name in LENGTHS:
            source.data |= other_length(name)
    return _valid(source)


def _valid(source: YamlSource) -> TrainConfig:
    try:
        config = TrainConfig.model_validate(source.data)
    except ValidationError as error:
        source.problems += source.tell(TrainConfig, error)
    if source.problems:
        raise UsageError(list_problems(source.problems))
    return config


def other_length(given: str) -> dict[str, Any]:
    """Return the settings that reset the other one of `steps` and `epochs`: a later setting replaces an earlier one."""
    return {name: value for name, value in LENGTHS.items() if name != given}


def replaced(*, steps: int | None, ranks: int | None) -> dict[str, Any]:
    """Return the settings that stand for a command's own `steps` and `ranks`, where given."""
    changes: dict[str, Any] = {} if ranks is None else {"ranks": ranks}
    return changes if steps is None else {**changes, "steps": steps, **other_length("steps")}


def checked(content: dict[str, Any], place: str) -> TrainConfig:
    """Return a configuration from plain values; raises UsageError, listing every mistake, when they are not valid."""
    return _valid(YamlSource(name=place, data=content))
