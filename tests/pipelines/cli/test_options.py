"""Options of the verbs: every field of a stage's configuration, once, with its choices, default and heading."""

import subprocess
import sys
from typing import Any, Literal, get_args, get_origin

import pytest
import typer

from corpus.assemble.config import AssembleConfig
from corpus.config import GROUPS, StageConfig, field_facts, setting
from corpus.extract.config import ExtractConfig
from corpus.fetch.config import PMC_VARIABLE, FetchPmcConfig, FetchPubmedConfig
from pipelines.cli import app
from pipelines.cli.app import main
from pipelines.cli.options import StageCommand, flat_fields, options_of
from tokenizer.config import PackConfig, TokenizerConfig
from train.export.config import ExportConfig

STAGES = {
    "extract": ExtractConfig,
    "assemble": AssembleConfig,
    "tokenizer": TokenizerConfig,
    "pack": PackConfig,
    "export": ExportConfig,
    "fetch pubmed": FetchPubmedConfig,
    "fetch pmc": FetchPmcConfig,
}
# Fields that are asked for in another way than a field of their type would be.
OWN = {"fetch pubmed": {"baseline", "updates"}, "fetch pmc": {"ids"}, "export": {"formats"}}


def verb_of(words: str) -> tuple[StageCommand, Any]:
    """Return a verb and a context in which it is asked for help."""
    command: Any = typer.main.get_command(app.app)
    context = typer.Context(command, info_name="corpuscle")
    for word in words.split():
        command = command.commands[word]
        context = typer.Context(command, parent=context, info_name=word)
    return command, context


def choices_of(annotation: Any) -> list[tuple[Any, ...]]:
    """Return the choices of every Literal in a type."""
    if get_origin(annotation) is Literal:
        return [get_args(annotation)]
    return [choices for inner in get_args(annotation) for choices in choices_of(inner)]


@pytest.mark.parametrize("words", STAGES)
def test_every_field_is_an_option_of_its_verb(words: str) -> None:
    command, context = verb_of(words)
    options = {option.name: option for option in command.get_params(context)}
    model = STAGES[words]
    assert command.model() is model
    fields = dict(flat_fields(model))
    assert set(fields) <= set(options)
    for name, field in fields.items():
        if name in OWN.get(words, ()):
            continue
        option = options[name]
        shown, told = option.get_help_record(context)
        assert option.opts[0] == field_facts(field).get("option", "--" + name.replace("_", "-"))
        assert (field.description or "")[1:] in told
        assert option.rich_help_panel in (None, *GROUPS)
        for choices in choices_of(field.annotation):
            assert "|".join(choices) in shown
        if field.default not in (None, False, ()):
            assert "default: " in told


@pytest.mark.parametrize(
    ("words", "option", "wrong"),
    [
        ("export run --output out", "--format", "bogus"),
        ("fetch pmc --output out", "--article-type", "bogus"),
        ("assemble --records records --output out", "--languages", "1"),
    ],
)
def test_an_item_of_a_list_is_named_by_its_option(
    words: str, option: str, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), option, wrong]) == 2
    told = capsys.readouterr().err
    assert f"error: {option}: " in told, "not by the field, and without the number of the item"
    assert f"(got '{wrong}')" in told
    assert "at least" not in told, "an item that is wrong is no list that is too short"


def test_help_is_grouped_in_one_order() -> None:
    command, context = verb_of("assemble")
    heads = [line.strip(":") for line in command.get_help(context).splitlines() if line[:1].isupper()][1:]
    assert heads == ["Input", "Where", "Text", "Filters", "Duplicates", "Evaluation", "Output", "Running", "Other"]


@pytest.mark.parametrize(
    ("argv", "changed"),
    [
        ("extract --output o", {}),
        ("assemble --records r --output o", {}),
        ("assemble --records r --output o --years 2015- --journal J --journal K --exclude f",
         {"where": {"years": "2015-", "journal": ("J", "K"), "exclude": ("f",)}}),
        ("tokenizer --corpus c --output o", {}),
        ("pack --corpus c --tokenizer t --output o", {}),
        ("fetch pubmed --output o", {}),
        ("fetch pmc --output o", {}),
        ("export r --output o", {}),
        ("assemble --records r --output o --containment .9", {"containment": 0.9}),
        ("assemble --records r --output o --languages en --languages de", {"languages": ("en", "de")}),
        ("assemble --records r --output o --languages ", {"languages": ()}),
        ("assemble --records r --output o --evaluation-words 9 --evaluation-share 0.4 --evaluation f",
         {"evaluation_words": 9, "evaluation_share": 0.4, "evaluation": ("f",)}),
        ("extract --output o --pmc a b --max-reject-rate 0.5 --articles-per-part 7 --pile",
         {"pmc": ("a", "b"), "max_reject_rate": 0.5, "articles_per_part": 7, "pile": True}),
        ("tokenizer --corpus c --output o --min-frequency 3 --max-bytes 99", {"min_frequency": 3, "max_bytes": 99}),
        ("pack --corpus c --tokenizer t --output o --check-sample 0", {"check_sample": 0}),
        ("fetch pmc --output o --article-type ocr --article-type published --shard 1/2 --years 2001",
         {"article_types": ("ocr", "published"), "shard": "1/2", "years": "2001"}),
        ("fetch pubmed --output o --updates --files 1-3", {"baseline": False, "files": "1-3"}),
        ("export r --output o --dtype bfloat16 --name n", {"dtype": "bfloat16", "name": "n"}),
    ],
)  # fmt: skip
def test_settings_that_are_given_reach_the_configuration(
    argv: str, changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[StageConfig] = []

    class Stopped:
        """Stands for a configuration's class, and ends the verb when an instance is asked of it."""

        def __init__(self, command: StageCommand) -> None:
            self.model = next(model for model in STAGES.values() if command.configuration.endswith(model.__name__))
            self.model_fields = self.model.model_fields

        def __call__(self, **values: Any) -> None:
            seen.append(self.model(**values))
            raise KeyboardInterrupt

    monkeypatch.setattr(StageCommand, "model", lambda command: Stopped(command))
    assert app.main(argv.split(" ")) == 130
    assert seen == [type(seen[0])(**changed)]


def test_a_variable_names_the_server_and_the_option_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    command, _ = verb_of("fetch pmc")
    for value, argv, source in (
        ("http://a", "", "http://a"),
        ("http://a", "--source http://b", "http://b"),
        ("", "", None),
    ):
        monkeypatch.setenv(PMC_VARIABLE, value)
        context = command.make_context("pmc", ["--output", "o", *argv.split()])
        assert context.params["source"] == (source or FetchPmcConfig().source)


def test_a_new_field_of_a_stage_is_an_option_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Grown(AssembleConfig):
        flavour: Literal["sweet", "sour"] = setting("sweet", "taste of the text", group="text")
        warm: bool = setting(True, "temperature of the text", group="text")

    monkeypatch.setattr(StageCommand, "model", lambda self: Grown)
    command, context = verb_of("assemble")
    lines = " ".join(command.get_help(context).split())
    assert "--flavour sweet|sour Taste of the text. [default: sweet]" in lines
    assert "--warm / --no-warm Temperature of the text. [default: warm]" in lines


def test_a_verb_imports_its_own_configuration_alone() -> None:
    program = (
        "import sys; from pipelines.cli.app import main; code = main(['pack', '--help'])\n"
        "print(*sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"pydantic", "tokenizer.config"} <= loaded
    assert not loaded & {"apache_beam", "torch", "numpy", "pyarrow", "yaml", "corpus.assemble.config", "train.config"}


def test_options_of_names_a_configuration_without_importing_it() -> None:
    assert options_of("no.such.module:Config").configuration == "no.such.module:Config"


@pytest.mark.parametrize("words", [*STAGES, "train", "report", "rehearse", "demo"])
def test_output_and_workers_have_short_names(words: str) -> None:
    command, context = verb_of(words)
    options = {option.name: option.opts for option in command.get_params(context)}
    assert options["output"] == ["--output", "-o"]
    assert options.get("workers", ["--workers", "-w"]) == ["--workers", "-w"]
    short = [name for names in options.values() for name in names if not name.startswith("--")]
    assert len(set(short)) == len(short)
