"""Run file: the YAML file of `run`, a working directory and a section a stage, read and checked.

The sections are the stages' own configurations; this module adds the file around them. Everything is
checked before any work: all errors at once, each with its line and column, misspelled keys with a
suggestion. Relative paths are relative to the current directory, as on the command line.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from pydantic import Field, ValidationError

from corpus.assemble.config import AssembleConfig
from corpus.config import GivenPath, StageConfig, Workers, runtime
from corpus.errors import UsageError, list_problems
from corpus.extract.config import ExtractConfig
from corpus.fetch.config import FetchPmcConfig, FetchPubmedConfig
from corpus.qa.known_sets import KnownName
from corpus.storage.files import exists, is_remote
from corpus.storage.yaml_source import YamlSource, merge, read_yaml
from pipelines.workflow.qa_config import FolderName, QaSection, fill_in_qa, qa_misfits
from tokenizer.config import PackConfig, TokenizerConfig
from train.config import LENGTHS, TrainConfig, load_preset, other_length, replaced
from train.foreign import PREFIX

SECTIONS_WITH_WORKERS = ("extract", "assemble", "pack")


class TrainSection(StageConfig):
    """Section `train`: a preset or a file of settings, and what replaces them."""

    name: str = Field("default", pattern=r"^[\w.-]+$", description="name of the run: <work>/runs/<name>")
    config: GivenPath = Field(
        "tiny", description="a preset (tiny, biomedlm-2.7b, …) or a YAML file of training settings"
    )
    settings: TrainConfig = Field(description="settings that replace those of `config`")
    ranks: int | None = runtime(None, "processes, GPUs or CPU ranks; null: those of `settings`", ge=1, le=1024)
    steps: int | None = Field(None, ge=1, description="optimizer steps; null: those of `settings`")

    def effective(self) -> TrainConfig:
        """Return the training settings with the section's own ranks and steps."""
        return self.settings.model_copy(update=replaced(steps=self.steps, ranks=self.ranks))


class TokenizerSection(TokenizerConfig):
    """Section `tokenizer`: the settings of the stage; what was learned once stays, so that tokens keep their ids."""

    relearn: bool = runtime(False, "learn anew when the corpus is another one, instead of keeping what was learned")


class FetchSection(StageConfig):
    """Section `fetch`: what is fetched first, below <work>/raw, and added to what `extract` reads."""

    pubmed: FetchPubmedConfig | None = Field(None, description="PubMed's files; {} for all of them")
    pmc: FetchPmcConfig | None = Field(None, description="PMC's articles; {} for all of them")


class RunConfig(StageConfig):
    """Run file as a whole: from NCBI files to a trained model, and to its scores on questions."""

    work: GivenPath = Field(description="directory below which every stage writes")
    workers: Workers = runtime(1, "local worker processes of every stage that does not name its own")
    fetch: FetchSection = Field(default_factory=FetchSection)
    extract: ExtractConfig = Field(default_factory=ExtractConfig)
    assemble: AssembleConfig = Field(default_factory=AssembleConfig)
    tokenizer: TokenizerSection = Field(default_factory=TokenizerSection)
    pack: PackConfig = Field(default_factory=PackConfig)
    train: TrainSection | None = Field(None, description="without it the run ends with token shards")
    tokenizers: dict[FolderName, GivenPath] = Field(
        default_factory=dict,
        description="further tokenizers, NAME: tokenizer.json; each packs the same text and trains a model of its own",
    )
    evaluation_sets: tuple[KnownName, ...] = runtime(
        (),
        "evaluation sets by name, looked for in the corpus; a run uses what lies in <work>/raw/evaluation, and says "
        "which of these do not",
    )
    qa: QaSection | None = Field(None, description="question sets, fine-tunings, evaluations, tables")


def load(path: str, overrides: Iterable[str] = ()) -> RunConfig:
    """Read and check a run file, with `a.b=c` overrides; raises UsageError that lists everything wrong."""
    source = read_yaml(path)
    for assignment in overrides:
        source.override(assignment)
    _fill_in(source)
    try:
        config = RunConfig.model_validate(source.data)
    except ValidationError as error:
        source.problems += source.tell(RunConfig, error)
    else:
        source.problems += _misfits(source, config)
    if source.problems:
        raise UsageError(list_problems(source.problems))
    return config


def to_yaml(config: RunConfig) -> str:
    """Return the effective configuration, complete, as a run file of its own."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


def schema_text() -> str:
    """Return the JSON Schema of the run file, for editors."""
    schema = RunConfig.model_json_schema()
    schema["$defs"]["TrainSection"]["required"] = []  # `config` gives all settings their values
    schema["$defs"]["FinetuneSection"]["required"] = []  # a preset, too
    for name in _definitions_below(schema, "TrainConfig"):
        schema["$defs"][name].pop("required", None)
    return json.dumps(schema, indent=2, ensure_ascii=False)


def _fill_in(source: YamlSource) -> None:
    """Give the sections what a run has by default: common workers, kept documents, the values of its presets."""
    workers = source.data.get("workers")
    assemble = source.data.setdefault("assemble", {})
    if isinstance(assemble, dict):
        assemble.setdefault("keep_documents", True)
    for name in SECTIONS_WITH_WORKERS if workers is not None else ():
        section = source.data.setdefault(name, {})
        if isinstance(section, dict):
            section.setdefault("workers", workers)
    fill_in_qa(source)
    train = source.data.get("train")
    if not isinstance(train, dict):
        return
    chosen, settings = train.get("config", "tiny"), train.get("settings") or {}
    try:
        preset = load_preset(str(chosen), model=_foreign_model(settings)).model_dump(mode="json")
    except UsageError as error:
        source.problems.append(f"{source.place(('train', 'config'))}: {error}")
        preset = load_preset("tiny").model_dump(mode="json")
    if isinstance(settings, Mapping):
        for name in LENGTHS:  # the file's own length replaces the preset's; its two lengths are a mistake to be told
            if settings.get(name):
                preset |= other_length(name)
        train["settings"] = merge(preset, settings)


def _foreign_model(settings: Any) -> str | None:
    """Return the model of transformers' library that settings name, as `--model` has it: the file is its recipe."""
    foreign = settings.get("foreign") if isinstance(settings, Mapping) else None
    path = foreign.get("path") if isinstance(foreign, Mapping) else None
    return f"{PREFIX}{path}" if path else None


def _misfits(source: YamlSource, config: RunConfig) -> Iterator[str]:
    """Yield a line for each pair of settings that are valid alone and impossible together."""
    if config.qa:
        others = config.tokenizers if config.train else ()
        yield from qa_misfits(source, config.qa, work=config.work, trains=config.train is not None, others=others)
    if not (config.extract.pubmed or config.extract.pmc or config.fetch.pubmed or config.fetch.pmc):
        yield f"{source.place(('extract',))}: extract: give `pubmed` or `pmc` files, or both, here or under `fetch`"
    if config.tokenizers:
        yield from _tokenizer_misfits(source, config)
    if config.train:
        if is_remote(config.work):
            yield f"{source.place(('work',))}: work: training writes to a local disk; use a local path, or train: null"
        settings = config.train.effective()
        try:
            settings.accumulation()
            if settings.model is not None:  # of another model its directory tells, when it is there
                settings.model.shape(seq_length=config.pack.seq_length, vocab_size=config.tokenizer.vocab_size)
        except UsageError as error:
            yield f"{source.place(('train', 'settings'))}: train: {error}"


def _tokenizer_misfits(source: YamlSource, config: RunConfig) -> Iterator[str]:
    """Yield a line for each further tokenizer that is there and that `pack` would refuse, hours later."""
    from tokenizer.given import read_given

    for name, path in config.tokenizers.items():
        if not exists(path):  # said when the run begins, as of all its inputs
            continue
        try:
            read_given(path)
        except UsageError as error:
            yield f"{source.place(('tokenizers', name))}: tokenizers.{name}: {error}"


def _definitions_below(schema: Mapping[str, Any], name: str) -> list[str]:
    """Return the names of a definition and of all that it refers to."""
    names, waiting = [], [name]
    while waiting:
        current = waiting.pop()
        if current in names or current not in schema["$defs"]:
            continue
        names.append(current)
        text = json.dumps(schema["$defs"][current])
        waiting += [other for other in schema["$defs"] if f'"#/$defs/{other}"' in text]
    return names
