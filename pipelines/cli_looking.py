"""The verbs of the front door that only look: `inspect` and `account`. Rooms are imported when a verb is called."""

from typing import Annotated

import typer

from corpus.errors import UsageError


def no_beam(context: typer.Context) -> None:
    """Refuse arguments for Beam behind `--`; raises UsageError."""
    if context.obj:
        raise UsageError(f"{context.info_name}: runs no Beam pipeline, so {' '.join(context.obj)} cannot follow --")


def inspect(
    context: typer.Context,
    path: Annotated[str, typer.Argument(help="A stage's directory, or one of its files.")],
    document: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Show one document: pmid:123 or pmc:PMC123.1.")
    ] = None,
) -> None:
    """Show what a directory or file of a stage holds."""
    no_beam(context)
    from pipelines.inspection import inspect_path

    typer.echo(inspect_path(path, document))


def account(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="FILE", help="A JATS article, or a tar of them with --id.")],
    document: Annotated[str | None, typer.Option("--id", metavar="PMCID", help="Which article of a tar.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Show long pieces whole.")] = False,
) -> None:
    """Show where every character of an article went, beside its XML."""
    no_beam(context)
    from pipelines.accounting import account_text

    typer.echo(account_text(path, document, full=full))
