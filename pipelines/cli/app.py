"""Command-line application `corpuscle`: one verb a stage, and the verbs around them.

Typer reads the command line; a verb builds its stage's configuration, calls the stage, and prints one line
of numbers. A room is imported when its verb is called, never before: `corpuscle --help` needs neither
Beam (5 s to import) nor torch (4 s) nor pydantic. Everything after `--` goes to Beam, checked.

Exit codes: 0 ok, 1 a fault of ours, 2 usage, 3 data over a threshold, 4 corrupt, 5 disk, 75 try again, 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from corpus.errors import UsageError
from corpus.stage.explain import INTERRUPTED
from pipelines.cli.arguments import beam_arguments, import_beam, refuse_beam_arguments, split_command_line
from pipelines.cli.dedup import dedup
from pipelines.cli.fetch import fetch
from pipelines.cli.look import account, compare, diff, inspect, rehearse, report, verify
from pipelines.cli.messages import print_job, print_summary, report_error
from pipelines.cli.models import HfModel, export, generate, plan
from pipelines.cli.options import AsJson, LookOnly, Output, Update, config_of, options_of
from pipelines.cli.passages import passages
from pipelines.cli.publish import publish
from pipelines.cli.qa import qa

app = typer.Typer(
    name="corpuscle",
    add_completion=False,
    rich_markup_mode=None,  # rich costs more than all the rest of `--help`
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="What stands after -- goes to Beam: corpuscle extract … -- --runner=DataflowRunner --project=…",
)

Corpus = Annotated[str, typer.Option(metavar="DIR", help="Result of `corpuscle assemble`.", rich_help_panel="input")]


@app.callback(invoke_without_command=True)
def corpuscle(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback for an error; may stand anywhere.")] = False,
    log_format: Annotated[
        str, typer.Option(metavar="text|json", help="Of what goes to standard error; may stand anywhere.")
    ] = "text",
) -> None:
    """Turn NCBI's PubMed and PubMed Central files into a deduplicated corpus, a tokenizer, and a trained GPT."""
    if version:
        from corpus.stage.manifest import package_version

        typer.echo(f"corpuscle {package_version()}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.add_typer(fetch)
app.add_typer(qa)


@app.command(cls=options_of("corpus.extract.config:ExtractConfig"))
def extract(context: typer.Context, output: Output, update: Update = False, dry_run: LookOnly = False) -> None:
    """Read PubMed and PMC files into records.

    Each input file becomes a Parquet part; what cannot be read is kept as a reject, with its place and the reason.
    """
    config, arguments = config_of(context), beam_arguments(context)
    from pipelines.extract import extract, forecast_extract

    if dry_run:
        typer.echo(forecast_extract(config, output=output, update=update).text())
        return
    print_job(extract(config, output=output, beam_args=arguments, update=update), output, arguments)


@app.command()
def join(
    context: typer.Context,
    shards: Annotated[list[str], typer.Argument(metavar="DIR...", help="Results of `corpuscle extract --shard I/N`.")],
    output: Output,
    max_reject_rate: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of rejected records above which it fails, instead of the shards' own."),
    ] = None,
) -> None:
    """Make one result of `extract` from its shards.

    The same bytes as one machine makes; refuses shards that are missing, given twice or made with other settings.
    """
    refuse_beam_arguments(context)
    from corpus.extract.join import join

    print_summary(join(shards, output=output, max_reject_rate=max_reject_rate), output)


@app.command(cls=options_of("corpus.assemble.config:AssembleConfig"))
def assemble(
    context: typer.Context,
    records: Annotated[
        str, typer.Option(metavar="DIR", help="Result of `corpuscle extract`.", rich_help_panel="input")
    ],
    output: Output,
    update: Update = False,
    delta: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Write what the last update added or changed as shards of their own.",
            rich_help_panel="output",
        ),
    ] = None,
    dry_run: LookOnly = False,
) -> None:
    """Deduplicate and split the records into a corpus.

    Takes each document's latest state, drops abstracts whose full text is kept and verified duplicates, and writes
    train, validation and test shards, with a reason for every document dropped.
    """
    config, arguments = config_of(context), beam_arguments(context)
    if dry_run:
        from pipelines.assemble.forecast import forecast_assemble

        typer.echo(forecast_assemble(config, records=records, output=output, update=update).text())
        return
    from pipelines.assemble.pipeline import assemble

    manifest = assemble(config, records=records, output=output, beam_args=arguments, update=update, delta=delta)
    print_job(manifest, output, arguments)


app.command(cls=options_of("corpus.foreign.config:DedupConfig"))(dedup)
app.command(cls=options_of("corpus.passages.config:PassagesConfig"))(passages)


@app.command(cls=options_of("tokenizer.config:TokenizerConfig"))
def tokenizer(
    context: typer.Context, corpus: Corpus, output: Output, update: Update = False, dry_run: LookOnly = False
) -> None:
    """Learn a byte-level BPE tokenizer from the corpus."""
    refuse_beam_arguments(context)
    config = config_of(context)
    if dry_run:
        from tokenizer.forecast import forecast_learn

        typer.echo(forecast_learn(config, corpus=corpus, output=output, update=update).text())
        return
    from tokenizer.learn import learn

    print_summary(learn(config, corpus=corpus, output=output, update=update), output)


@app.command(cls=options_of("tokenizer.config:PackConfig"))
def pack(
    context: typer.Context,
    corpus: Corpus,
    tokenizer: Annotated[
        str,
        typer.Option(
            metavar="DIR|FILE",
            help="Result of `corpuscle tokenizer`, a Hugging Face directory, or a tokenizer.json; byte-level BPE.",
            rich_help_panel="input",
        ),
    ],
    output: Output,
    update: Update = False,
    dry_run: LookOnly = False,
) -> None:
    """Encode the corpus into Megatron token shards."""
    config, arguments = config_of(context), beam_arguments(context)
    if dry_run:
        from tokenizer.forecast import forecast_pack

        found = forecast_pack(config, corpus=corpus, tokenizer=tokenizer, output=output, update=update)
        typer.echo(found.text())
        return
    from pipelines.pack import pack

    manifest = pack(config, corpus=corpus, tokenizer=tokenizer, output=output, beam_args=arguments, update=update)
    print_job(manifest, output, arguments)


@app.command()
def train(
    context: typer.Context,
    tokens: Annotated[str, typer.Option(metavar="DIR", help="Result of `corpuscle pack`.")],
    output: Output,
    config: Annotated[
        str, typer.Option(metavar="FILE|PRESET", help="A YAML file, or a preset: `tiny`, `biomedlm-2.7b`, ….")
    ],
    init: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Start from this model's weights: a run, an export, or a GPT-2.")
    ] = None,
    model: HfModel = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps to train, instead of the configuration's.")] = None,
    ranks: Annotated[int | None, typer.Option(min=1, help="Processes: one for each GPU, or CPU ranks.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last good checkpoint.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="With --resume: take up checkpoints no list names.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="Replace a setting; may be repeated.")
    ] = None,
    dry_run: LookOnly = False,
) -> None:
    """Train a GPT, or any causal model of transformers, on the token shards with DeepSpeed ZeRO."""
    refuse_beam_arguments(context)
    from train.config import checked, load_preset, with_settings

    preset = load_preset(config, model=model)
    if init is not None:
        preset = checked(preset.model_dump() | {"init": init}, "train")
    settings = with_settings(preset, overrides or ())
    if dry_run:
        from train.config import replaced
        from train.launch.forecast import forecast_train

        settings = settings.model_copy(update=replaced(steps=steps, ranks=ranks))
        typer.echo(forecast_train(settings, tokens=tokens, output=output, resume=resume).text())
        return
    from train.launch.stage import train

    manifest = train(settings, tokens=tokens, output=output, resume=resume, steps=steps, ranks=ranks, trust=trust)
    print_summary(manifest, output)


app.command(cls=options_of("train.export.config:ExportConfig"))(export)
app.command()(generate)
app.command()(plan)
app.command(cls=options_of("corpus.publish.config:PublishConfig"))(publish)


@app.command()
def run(
    context: typer.Context,
    config: Annotated[str | None, typer.Argument(metavar="CONFIG.yaml", help="The run: a section a stage.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="Replace a value of the file; may be repeated.")
    ] = None,
    print_config: Annotated[bool, typer.Option("--print-config", help="Print the effective YAML and stop.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the file and stop.")] = False,
    update: Annotated[
        bool,
        typer.Option(
            "--update", help="Look for what is new and bring every stage up to date; a trained model stays as it is."
        ),
    ] = False,
    dry_run: LookOnly = False,
) -> None:
    """Run all the stages of a YAML file.

    The file is checked before any work starts. Finished stages are reused.
    """
    from pipelines.workflow.config import load, schema_text, to_yaml

    if schema:
        typer.echo(schema_text())
        return
    if config is None:
        raise UsageError("run: which CONFIG.yaml? Begin with a copy of configs/sample.yaml, or see --schema")
    settings = load(config, overrides or ())
    if print_config:
        typer.echo(to_yaml(settings), nl=False)
        return
    arguments = beam_arguments(context)
    if dry_run:
        from pipelines.workflow.forecast import forecast_run

        typer.echo(forecast_run(settings, update=update))
        return
    from pipelines.workflow.run import run_road

    typer.echo(run_road(settings, beam_args=arguments, update=update).text())


@app.command()
def demo(
    context: typer.Context,
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="Directory of the demo.")] = "demo",
) -> None:
    """Take a made sample all the way to a trained model.

    Writes a few thousand seeded PubMed and PMC records with planted duplicates, updates and deletions, runs the five
    stages on them, and compares what came out with what was planted.
    """
    refuse_beam_arguments(context)
    import_beam()
    from pipelines.workflow.demo import run_demo

    typer.echo(run_demo(output))


for view in (verify, inspect, report, account, compare, diff, rehearse):
    app.command()(view)


@app.command()
def doctor(
    context: typer.Context,
    as_json: AsJson = False,
    compile_now: Annotated[
        bool,
        typer.Option("--compile", help="Compile what the stages would at their first start; it is kept for all."),
    ] = False,
) -> None:
    """Check this machine and say what it lacks; of an engine too, by Beam's flags after `--`."""
    arguments: tuple[str, ...] = context.obj or ()
    from pipelines.inspection.doctor import Finding, examine

    if compile_now:
        import_beam()
        from pipelines.workflow.compile_ahead import compile_ahead

        compile_ahead()
    findings = examine()
    if arguments:
        beam_arguments(context)
        from pipelines.beam.engine_check import examine_engine

        lines = examine_engine(arguments)
        findings += [Finding(level=one[0], subject=one[1], found=one[2], advice=one[3]) for one in lines]
    if as_json:
        from pipelines.inspection.json_view import doctor_json

        typer.echo(doctor_json(findings))
    else:
        typer.echo("\n".join(finding.line() for finding in findings))
    if any(finding.level == "fail" for finding in findings):
        raise UsageError("this machine cannot run corpuscle yet; see the lines that say fail")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (that of the process by default) and return its exit code."""
    try:
        line = split_command_line(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        return report_error(error, debug=False)
    if line.log_format is not None:
        os.environ["CORPUSCLE_LOG_FORMAT"] = line.log_format  # for ranks and worker processes too
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
