"""Verbs `fetch pubmed` and `fetch pmc` of the command line: NCBI's files to a mirror.

Rooms are imported when a verb is called.
"""

from typing import Annotated

import typer

from pipelines.cli.arguments import refuse_beam_arguments
from pipelines.cli.messages import print_summary
from pipelines.cli.options import config_of, options_of

fetch = typer.Typer(
    name="fetch",
    help="Mirror NCBI's files: pubmed, pmc.\n\nVerified, resumable: the same command again goes on where it was.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

MirrorOutput = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Directory of the mirror; a path, gs://… or s3://…",
        rich_help_panel="output",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say how much, how long, what filters do; store nothing.", rich_help_panel="running"
    ),
]


@fetch.command(cls=options_of("corpus.fetch.config:FetchPubmedConfig"))
def pubmed(
    context: typer.Context,
    output: MirrorOutput,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Only the baseline, unless --updates.", rich_help_panel="filters")
    ] = False,
    updates: Annotated[
        bool, typer.Option("--updates", help="Only the updates, unless --baseline.", rich_help_panel="filters")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Mirror PubMed's baseline and update files, each proven by its MD5.

    Refuses a listing with a hole in its numbers.
    """
    refuse_beam_arguments(context)
    both = baseline == updates
    config = config_of(context, baseline=baseline or both, updates=updates or both)
    if dry_run:
        from corpus.fetch.estimate import estimate_pubmed

        typer.echo(estimate_pubmed(config))
        return
    from corpus.fetch.pubmed import fetch_pubmed

    print_summary(fetch_pubmed(config, output=output), output)


@fetch.command(cls=options_of("corpus.fetch.config:FetchPmcConfig"))
def pmc(
    context: typer.Context,
    output: MirrorOutput,
    ids: Annotated[
        str, typer.Option(metavar="FILE", help="PMC ids, one a line.", rich_help_panel="filters", show_default=False)
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Fetch articles of PMC's bucket into shards of .tar.gz with an index.

    The newest version of each article that passes the filters; a second run fetches what changed since.
    """
    refuse_beam_arguments(context)
    config = config_of(context, ids=ids or ())
    if dry_run:
        from corpus.fetch.estimate import estimate_pmc

        typer.echo(estimate_pmc(config))
        return
    from corpus.fetch.pmc.stage import fetch_pmc

    print_summary(fetch_pmc(config, output=output), output)
