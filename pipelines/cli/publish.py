"""Verb `publish`: a corpus or a model as a folder for others, and its way to the Hub."""

from typing import Annotated

import typer

from pipelines.cli.arguments import refuse_beam_arguments
from pipelines.cli.messages import print_summary
from pipelines.cli.options import Output, config_of


def publish(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="CORPUS|EXPORT",
            help="Result of `corpuscle assemble` or of `corpuscle export`.",
            rich_help_panel="input",
        ),
    ],
    output: Output,
    push: Annotated[
        str | None,
        typer.Option(metavar="ORG/NAME", help="Then send the folder to this repository of Hugging Face's Hub."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="With --push: a repository made by it is public, else private.")
    ] = False,
) -> None:
    """Write a folder that others load: texts by licence, card, attribution, Croissant, datasheet, hashes.

    Of a corpus, subsets all, open and commercial as Hugging Face's datasets loads them; of an exported model its files
    with a card that says what it is for. Nothing leaves this machine without --push.
    """
    refuse_beam_arguments(context)
    config = config_of(context)
    from corpus.publish.stage import publish

    print_summary(publish(config, source=source, output=output), output)
    if push is not None:
        from corpus.publish.push import push as push_folder

        typer.echo(push_folder(output, push, public=public))
