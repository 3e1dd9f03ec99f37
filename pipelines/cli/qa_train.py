"""Verbs `qa finetune` and `qa evaluate` of the command line: a model to heads, and its answers to predictions.

Rooms are imported when a verb is called.
"""

import math
from typing import Annotated, Any

import typer

from pipelines.cli.arguments import refuse_beam_arguments
from pipelines.cli.messages import print_summary
from pipelines.cli.options import Output, config_of

Questions = Annotated[
    str, typer.Option(metavar="DIR", help="Result of `corpuscle qa questions`.", rich_help_panel="input")
]


def finetune(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Our run, our export, or any directory of transformers' form.",
            rich_help_panel="input",
        ),
    ],
    questions: Questions,
    output: Output,
    preset: Annotated[
        str | None,
        typer.Option(metavar="FILE|PRESET", help="Settings; default: the task's preset.", rich_help_panel="input"),
    ] = None,
) -> None:
    """Fine-tune a model on questions: a head for choices or labels, or to answer in words; by learning rate and seed.

    The same command goes on after a kill, to the same bytes; finished runs are not done again.
    """
    refuse_beam_arguments(context)
    from train.qa.config import finetune_config
    from train.qa.stage import finetune

    config = finetune_config(preset, _given(context))
    manifest = finetune(config, model=model, questions=questions, output=output)
    for rate, found in manifest.summary["rates"].items():
        for split, spread in found.items():
            if spread is not None:
                typer.echo(
                    f"{config.task} {split}, learning rate {rate}, {config.seeds} seeds: "
                    f"{100 * spread['mean']:.1f} ± {100 * spread['sd']:.1f}"
                )
    for line in _loss_lines(config.task, manifest.summary.get("dev_loss", {})):
        typer.echo(line)
    print_summary(manifest, output)


def evaluate(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Result of `corpuscle qa finetune` for heads; for likelihood our run, export, or any decoder; or a "
            "server's address, https://HOST/v1.",
            rich_help_panel="input",
        ),
    ],
    questions: Questions,
    output: Output,
) -> None:
    """Score a model on questions by fine-tuned heads, likelihood, or a server's chat; print a line a task."""
    refuse_beam_arguments(context)
    config = config_of(context)
    from train.qa.evaluation import evaluate
    from train.qa.result_lines import result_lines

    manifest = evaluate(config, model=model, questions=questions, output=output)
    for line in result_lines(output, questions, config):
        typer.echo(line)
    print_summary(manifest, output)


def _loss_lines(task: str, losses: dict[str, float | None]) -> list[str]:
    """Return a line for each learning rate of a run of long form."""
    return [
        f"{task} dev, learning rate {rate}: {loss:.4f} nats a token of an answer, perplexity {math.exp(loss):.2f}"
        for rate, loss in losses.items()
        if loss is not None
    ]


def _given(context: typer.Context) -> dict[str, Any]:
    """Return the settings that were given on the command line: the others are the preset's."""
    from pipelines.cli.options import __name__ as options

    values: dict[str, Any] = context.meta[options]
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if str(context.get_parameter_source(name)).endswith("COMMANDLINE")
    }
