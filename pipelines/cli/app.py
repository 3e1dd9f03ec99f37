"""The front door: `corpuscle`, one verb a stage.

Typer reads the command line; a verb builds its stage's configuration, calls the stage, and prints one line
of numbers. A room is imported when its verb is called, never before: `corpuscle --help` needs neither
Beam (5 s to import) nor torch (4 s) nor pydantic. Everything after `--` goes to Beam, checked.

Exit codes: 0 ok, 1 a fault of ours, 2 usage, 3 data over a threshold, 4 corrupt, 5 disk, 75 try again, 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from corpus.errors import UsageError
from pipelines.cli.arguments import split_command_line
from pipelines.cli.errors import report_error
from pipelines.cli.fetch import fetch
from pipelines.cli.look import account, compare, inspect, no_beam, rehearse, report, verify
from pipelines.cli.models import export, generate, plan
from pipelines.explain import INTERRUPTED

app = typer.Typer(
    name="corpuscle",
    add_completion=False,
    rich_markup_mode=None,  # rich costs more than all the rest of `--help`
    pretty_exceptions_enable=False,
    epilog="What stands after -- goes to Beam: corpuscle extract … -- --runner=DataflowRunner --project=…",
)

# The defaults of the options repeat those of the configurations, which would cost an import; a test compares them.
Output = Annotated[str, typer.Option(metavar="DIR", help="Directory of the result; one stage, one directory.")]
Corpus = Annotated[str, typer.Option(metavar="DIR", help="Result of `corpuscle assemble`.")]
Update = Annotated[
    bool, typer.Option("--update", help="Bring the result there up to date with the inputs given, reusing what it can.")
]
Workers = Annotated[int, typer.Option(help="Local worker processes; the result does not depend on it.")]


@app.callback(invoke_without_command=True)
def corpuscle(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback for an error; may stand anywhere.")] = False,
) -> None:
    """Turn NCBI's PubMed and PubMed Central files into a deduplicated corpus, a tokenizer, and a trained GPT."""
    if version:
        from corpus.stage.manifest import package_version

        typer.echo(f"corpuscle {package_version()}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.add_typer(fetch)


@app.command()
def extract(
    context: typer.Context,
    output: Output,
    pubmed: Annotated[
        list[str] | None, typer.Option(metavar="PATH...", help="PubMed XML files (.xml, .xml.gz), directories, globs.")
    ] = None,
    pmc: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH...", help="JATS files, directories, globs, tars, or an unpacked pmc-oa-opendata tree."
        ),
    ] = None,
    pile: Annotated[bool, typer.Option("--pile", help="Also make The Pile's text, for `--profile pile`.")] = False,
    workers: Workers = 1,
    update: Update = False,
) -> None:
    """Read PubMed and PMC files into records.

    Each input file becomes a Parquet part; what cannot be read is kept as a reject, with its place and the reason.
    """
    from corpus.extract.config import ExtractConfig

    config = ExtractConfig(pubmed=tuple(pubmed or ()), pmc=tuple(pmc or ()), pile=pile, workers=workers)
    beam_args = _beam(context)
    from pipelines import extract as stage

    _summarize(stage.extract(config, output=output, beam_args=beam_args, update=update), output)


@app.command()
def assemble(
    context: typer.Context,
    records: Annotated[str, typer.Option(metavar="DIR", help="Result of `corpuscle extract`.")],
    output: Output,
    profile: Annotated[str, typer.Option(help="How a record becomes text: clean, or pile as The Pile did.")] = "clean",
    floats: Annotated[
        str, typer.Option(help="Of figures and tables: captions, tables (with rows) or none.")
    ] = "captions",
    threshold: Annotated[float, typer.Option(help="Jaccard similarity from which two texts are duplicates.")] = 0.8,
    validation: Annotated[float, typer.Option(help="Share of documents held out, whole clusters at a time.")] = 0.005,
    test: Annotated[float, typer.Option(help="Share held out as test: packed, never trained on.")] = 0.005,
    seed: Annotated[int, typer.Option(help="Seed of the split and of the order.")] = 0,
    min_words: Annotated[int, typer.Option(help="Texts with fewer words are dropped.")] = 10,
    notice_words: Annotated[int, typer.Option(help="Errata and notices with fewer words are dropped.")] = 400,
    languages: Annotated[list[str] | None, typer.Option(help="Code of texts to keep (en); repeatable.")] = None,
    retracted: Annotated[str, typer.Option(help="Retracted papers: drop, tag or keep.")] = "drop",
    ocr: Annotated[str, typer.Option(help="Text of page scans: drop or keep.")] = "drop",
    sub_articles: Annotated[str, typer.Option(help="Reviews and replies inside articles: keep or drop.")] = "keep",
    license: Annotated[str, typer.Option(help="What its licence must allow: commercial, open or any.")] = "any",  # noqa: A002
    evaluation: Annotated[list[str] | None, typer.Option(metavar="FILE", help="Evaluation set, JSONL or JSON.")] = None,
    contaminated: Annotated[str, typer.Option(help="Texts that hold an evaluation item: report or remove.")] = "report",
    shard_mb: Annotated[int, typer.Option(help="Text of a shard, 10^6 bytes.")] = 128,
    workers: Workers = 1,
    update: Update = False,
) -> None:
    """Deduplicate and split the records into a corpus.

    Takes each document's latest state, drops abstracts whose full text is kept and verified duplicates, and writes
    train, validation and test shards, with a reason for every document dropped.
    """
    options: dict[str, Any] = {name: value for name, value in locals().items() if value is not None}
    from corpus.assemble.config import AssembleConfig

    config = AssembleConfig(**{name: value for name, value in options.items() if name in AssembleConfig.model_fields})
    beam_args = _beam(context)
    from pipelines.assemble import pipeline as stage

    _summarize(stage.assemble(config, records=records, output=output, beam_args=beam_args, update=update), output)


@app.command()
def tokenizer(
    context: typer.Context,
    corpus: Corpus,
    output: Output,
    vocab_size: Annotated[int, typer.Option(help="Entries, <|endoftext|> included.")] = 28896,
    source: Annotated[str, typer.Option(help="Documents to learn from: pubmed, pmc or all.")] = "pubmed",
) -> None:
    """Learn a byte-level BPE tokenizer from the corpus."""
    no_beam(context)
    from tokenizer.config import TokenizerConfig

    options: dict[str, Any] = {"vocab_size": vocab_size, "source": source}
    config = TokenizerConfig(**options)
    from tokenizer.learn import learn

    _summarize(learn(config, corpus=corpus, output=output), output)


@app.command()
def pack(
    context: typer.Context,
    corpus: Corpus,
    tokenizer: Annotated[str, typer.Option(metavar="DIR", help="Result of `corpuscle tokenizer`.")],
    output: Output,
    seq_length: Annotated[int, typer.Option(help="Tokens in a training row.")] = 1024,
    workers: Workers = 1,
) -> None:
    """Encode the corpus into Megatron token shards."""
    from tokenizer.config import PackConfig

    config = PackConfig(seq_length=seq_length, workers=workers)
    beam_args = _beam(context)
    from pipelines import pack as stage

    _summarize(stage.pack(config, corpus=corpus, tokenizer=tokenizer, output=output, beam_args=beam_args), output)


@app.command()
def train(
    context: typer.Context,
    tokens: Annotated[str, typer.Option(metavar="DIR", help="Result of `corpuscle pack`.")],
    output: Output,
    config: Annotated[str, typer.Option(metavar="FILE|PRESET", help="A YAML file, or `tiny` or `biomedlm-2.7b`.")],
    steps: Annotated[int | None, typer.Option(min=1, help="Steps to train, instead of the configuration's.")] = None,
    ranks: Annotated[int | None, typer.Option(min=1, help="Processes: one for each GPU, or CPU ranks.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last good checkpoint.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="With --resume: take up checkpoints no list names.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="Replace a setting; may be repeated.")
    ] = None,
) -> None:
    """Train a GPT on the token shards with DeepSpeed ZeRO."""
    no_beam(context)
    from train.config import load_preset, with_settings

    settings = with_settings(load_preset(config), overrides or ())
    from train.launch.stage import train as launch

    options: dict[str, Any] = {"resume": resume, "steps": steps, "ranks": ranks, "trust": trust}
    _summarize(launch(settings, tokens=tokens, output=output, **options), output)


for made in (export, generate, plan):
    app.command()(made)


@app.command()
def run(
    context: typer.Context,
    config: Annotated[str | None, typer.Argument(metavar="CONFIG.yaml", help="The run: a section a stage.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="Replace a value of the file; may be repeated.")
    ] = None,
    print_config: Annotated[bool, typer.Option("--print-config", help="Print the effective YAML and stop.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the file and stop.")] = False,
) -> None:
    """Run all the stages of a YAML file.

    The file is checked before any work starts. Finished stages are reused.
    """
    from pipelines.workflow.config import load, schema_text, to_yaml

    if schema:
        typer.echo(schema_text())
        return
    if config is None:
        raise UsageError("run: which CONFIG.yaml? Begin with a copy of configs/shared-data.yaml, or see --schema")
    settings = load(config, overrides or ())
    if print_config:
        typer.echo(to_yaml(settings), nl=False)
        return
    beam_args = _beam(context)
    from pipelines.workflow.run import run_road

    typer.echo(run_road(settings, beam_args=beam_args).text())


@app.command()
def demo(
    context: typer.Context,
    output: Annotated[str, typer.Option(metavar="DIR", help="Directory of the demo.")] = "demo",
) -> None:
    """Take a made sample all the way to a trained model.

    Writes a few thousand seeded PubMed and PMC records with planted duplicates, updates and deletions, runs the five
    stages on them, and compares what came out with what was planted.
    """
    no_beam(context)
    from pipelines.workflow.demo import run_demo

    typer.echo(run_demo(output))


for look in (verify, inspect, report, account, compare, rehearse):
    app.command()(look)


@app.command()
def doctor(context: typer.Context) -> None:
    """Check this machine and say what it lacks."""
    no_beam(context)
    from pipelines.inspection.doctor import examine

    findings = examine()
    typer.echo("\n".join(finding.line() for finding in findings))
    if any(finding.level == "fail" for finding in findings):
        raise UsageError("this machine cannot run corpuscle yet; see the lines that say fail")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (that of the process by default) and return its exit code."""
    line = split_command_line(sys.argv[1:] if argv is None else argv)
    try:
        code = app(args=list(line.own), prog_name="corpuscle", standalone_mode=False, obj=line.beam)
        if code == INTERRUPTED:  # Typer's answer to Ctrl-C
            raise KeyboardInterrupt
        sys.stdout.flush()
    except BrokenPipeError:  # `corpuscle inspect … | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):  # which Typer answers with 1
            raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  the last line of defence: one line, one code
        return report_error(error, debug=line.debug)
    return 0


def _beam(context: typer.Context) -> tuple[str, ...]:
    """Return Beam's arguments, checked; the check imports Beam, so only when there are any."""
    arguments: tuple[str, ...] = context.obj
    if arguments:
        from pipelines.cli.beam_arguments import check_beam_arguments

        check_beam_arguments(arguments)
    return arguments


def _summarize(manifest: Any, output: str) -> None:
    from pipelines.inspection.summaries import summary_line

    typer.echo(summary_line(manifest, output))
    if manifest is not None and manifest.stage == "assemble":
        from pipelines.assemble.summary import report_lines

        typer.echo("\n".join(report_lines(manifest)))
