"""The verb `passages` of the command line: what stands in many documents.

Rooms are imported when the verb is called.
"""

from typing import Annotated

import typer

from pipelines.cli.arguments import beam_arguments
from pipelines.cli.messages import print_job
from pipelines.cli.options import LookOnly, Output, Update, config_of


def passages(
    context: typer.Context,
    given: Annotated[
        list[str],
        typer.Argument(metavar="DIR...", help="Results of `corpuscle extract` or of `corpuscle assemble`."),
    ],
    output: Output,
    update: Update = False,
    dry_run: LookOnly = False,
) -> None:
    """List the sentences and paragraphs that stand in many documents.

    They are equal but for capitals and marks at their edges, and counted exactly. Of records, all that they say in
    words is read, and each passage names the rule by which a corpus would do without it.
    """
    config, arguments = config_of(context), beam_arguments(context)
    if dry_run:
        from pipelines.passages.pipeline import forecast_passages

        typer.echo(forecast_passages(config, given=given, output=output, update=update).text())
        return
    from pipelines.passages.pipeline import passages as run_passages

    manifest = run_passages(config, given=given, output=output, beam_args=arguments, update=update)
    print_job(manifest, output, arguments)
