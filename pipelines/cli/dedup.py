"""The verb `dedup` of the command line: anyone's JSON lines and Parquet without their duplicates.

Rooms are imported when the verb is called.
"""

from typing import Annotated

import typer

from pipelines.cli.arguments import beam_arguments
from pipelines.cli.messages import print_job
from pipelines.cli.options import LookOnly, Output, Update, config_of


def dedup(
    context: typer.Context,
    given: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Files and directories: *.jsonl, *.jsonl.gz, *.jsonl.zst, *.parquet."),
    ],
    output: Output,
    update: Update = False,
    dry_run: LookOnly = False,
) -> None:
    """Take duplicates out of anyone's JSON lines or Parquet, or tag them.

    Exact and near duplicates by verified similarity, as in `assemble`. Files come out under DIR/data in the form, the
    folders and the bytes of the lines that they came in; each document has a decision, each bad line a dead letter.
    """
    config, arguments = config_of(context), beam_arguments(context)
    if dry_run:
        from pipelines.dedup.pipeline import forecast_dedup

        typer.echo(forecast_dedup(config, given=given, output=output, update=update).text())
        return
    from pipelines.dedup.pipeline import dedup as run_dedup

    manifest = run_dedup(config, given=given, output=output, beam_args=arguments, update=update)
    print_job(manifest, output, arguments)
