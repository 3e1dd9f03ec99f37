"""The verb `fetch` of the front door: `fetch pubmed` and `fetch pmc`.

Rooms are imported when a verb is called.
"""

import os
from typing import Annotated, Any

import typer

from pipelines.cli.look import no_beam

fetch = typer.Typer(
    name="fetch",
    help="Mirror NCBI's files: pubmed, pmc.\n\nVerified, resumable: the same command again goes on where it was.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

# The address of another server than NCBI's, for mirrors and tests; an option wins over it.
PUBMED_VARIABLE, PMC_VARIABLE = "CORPUSCLE_PUBMED_SOURCE", "CORPUSCLE_PMC_SOURCE"

Output = Annotated[str, typer.Option(metavar="DIR", help="Directory of the mirror; a path, gs://… or s3://…")]
Place = Annotated[str | None, typer.Option(metavar="URL", help="Another server than NCBI's; no other is contacted.")]
Proxy = Annotated[str | None, typer.Option(metavar="URL", help="HTTP proxy; no other setting of one is read.")]
Spool = Annotated[str | None, typer.Option(metavar="DIR", help="Local place for unfinished work of a remote output.")]
Verify = Annotated[bool, typer.Option("--verify", help="Check the hashes of what is there; fetch damaged files again.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how much, how long, what filters do; store nothing.")]


@fetch.command()
def pubmed(
    context: typer.Context,
    output: Output,
    baseline: Annotated[bool, typer.Option("--baseline", help="Only the baseline, unless --updates.")] = False,
    updates: Annotated[bool, typer.Option("--updates", help="Only the updates, unless --baseline.")] = False,
    files: Annotated[str | None, typer.Option(metavar="A-B", help="Numbers of the files, as 1-10.")] = None,
    source: Place = None,
    connections: Annotated[int, typer.Option(help="Files at once.")] = 4,
    proxy: Proxy = None,
    spool: Spool = None,
    verify: Verify = False,
    dry_run: DryRun = False,
) -> None:
    """Mirror PubMed's baseline and update files, each proven by its MD5.

    Refuses a listing with a hole in its numbers.
    """
    no_beam(context)
    from corpus.fetch.config import PUBMED_SOURCE, FetchPubmedConfig

    both = not baseline and not updates
    config = FetchPubmedConfig(
        source=source or os.environ.get(PUBMED_VARIABLE) or PUBMED_SOURCE,
        baseline=baseline or both,
        updates=updates or both,
        files=files,
        connections=connections,
        proxy=proxy,
        spool=spool,
        verify=verify,
    )
    if dry_run:
        from corpus.fetch.estimate import estimate_pubmed

        typer.echo(estimate_pubmed(config))
        return
    from corpus.fetch.pubmed import fetch_pubmed

    _summarize(fetch_pubmed(config, output=output), output)


@fetch.command()
def pmc(
    context: typer.Context,
    output: Output,
    inventory: Annotated[str | None, typer.Option(metavar="DATE", help="S3 Inventory, as 2026-11-23.")] = None,
    license: Annotated[str, typer.Option(help="What the licence must allow: commercial, open or any.")] = "any",  # noqa: A002
    article_type: Annotated[list[str] | None, typer.Option(help="published, manuscript, ocr; repeatable.")] = None,
    years: Annotated[str | None, typer.Option(metavar="A-B", help="Years of publication, as 2015-2024.")] = None,
    ids: Annotated[str | None, typer.Option(metavar="FILE", help="PMC ids, one a line.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many articles, drawn evenly over all ids.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Part i of n of all ids, one a machine.")] = None,
    source: Place = None,
    connections: Annotated[int, typer.Option(help="Requests in flight, at most.")] = 128,
    proxy: Proxy = None,
    spool: Spool = None,
    verify: Verify = False,
    dry_run: DryRun = False,
) -> None:
    """Fetch articles of PMC's bucket into shards of .tar.gz with an index.

    The newest version of each article that passes the filters; a second run fetches what changed since.
    """
    no_beam(context)
    from corpus.fetch.config import PMC_SOURCE, FetchPmcConfig

    settings: dict[str, Any] = {"license": license, "article_types": tuple(article_type or ()), "years": years}
    settings |= {"ids": ids or (), "limit": limit, "shard": shard, "inventory": inventory}
    settings |= {"connections": connections, "proxy": proxy, "spool": spool, "verify": verify}
    config = FetchPmcConfig(source=source or os.environ.get(PMC_VARIABLE) or PMC_SOURCE, **settings)
    if dry_run:
        from corpus.fetch.estimate import estimate_pmc

        typer.echo(estimate_pmc(config))
        return
    from corpus.fetch.pmc.stage import fetch_pmc

    _summarize(fetch_pmc(config, output=output), output)


def _summarize(manifest: Any, output: str) -> None:
    from pipelines.inspection.summaries import summary_line

    typer.echo(summary_line(manifest, output))
