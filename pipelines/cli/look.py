"""Verbs of the command line that look and measure: from `verify` and `inspect` to `report` and `rehearse`.

Rooms are imported when a verb is called.
"""

from typing import Annotated

import typer

from corpus.errors import CorruptError
from pipelines.cli.arguments import import_beam, refuse_beam_arguments
from pipelines.cli.options import AsJson


def verify(
    context: typer.Context,
    directory: Annotated[str, typer.Argument(metavar="DIR", help="A stage's directory, or one above several.")],
    as_json: AsJson = False,
) -> None:
    """Check finished stages: hashes, books, lineage."""
    refuse_beam_arguments(context)
    from pipelines.inspection.verification import verify_directory

    findings = verify_directory(directory)
    if as_json:
        from pipelines.inspection.json_view import verification_json

        typer.echo(verification_json(directory, findings))
    else:
        typer.echo("\n".join(findings.lines))
    if findings.num_wrong:
        raise CorruptError(f"{directory}: {findings.num_wrong} wrong in {findings.num_stages} stages, see above")


def inspect(
    context: typer.Context,
    path: Annotated[str, typer.Argument(help="A stage's directory, or one of its files.")],
    document: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="ID",
            help="One document: pmid:123, pmc:PMC123.1, a DOI, words of its title; of `dedup` its own id.",
        ),
    ] = None,
    records: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Records of a corpus, or the input of `dedup`, for the texts of duplicates."),
    ] = None,
    ids: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Show which rows of a pack, or of a run, hold the papers of this list."),
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(metavar="DIR", help="With --ids: the corpus packed, when it is not beside.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a directory or file of a stage holds."""
    refuse_beam_arguments(context)
    if ids is not None:
        from pipelines.inspection.papers import papers_text

        typer.echo(papers_text(path, ids, corpus))
        return
    if as_json:
        from pipelines.inspection.json_view import inspection_json

        typer.echo(inspection_json(path, document))
        return
    from pipelines.inspection.stages import inspect_path

    typer.echo(inspect_path(path, document, records))


def account(
    context: typer.Context,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A JATS article, a tar, or the result of `fetch pmc` or `dedup`.")
    ],
    document: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Which article of several; of `dedup` a document.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show long pieces whole, and all files.")] = False,
) -> None:
    """Show where every character of an article went, beside its XML.

    Of a result of `dedup`: where every line went, by file and reason, and clusters by size.
    """
    refuse_beam_arguments(context)
    from pipelines.inspection.accounting import account_text

    typer.echo(account_text(path, document, full=full))


def report(
    context: typer.Context,
    directory: Annotated[str, typer.Argument(metavar="DIR", help="A stage's directory, or one above several.")],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where the page goes.", show_default="DIR/report.html"),
    ] = None,
) -> None:
    """Write one HTML page about finished stages: funnel, years, lengths, duplicates, losses, texts to read."""
    refuse_beam_arguments(context)
    from pipelines.report.page import write_report

    typer.echo(write_report(directory, output))


def compare(
    context: typer.Context,
    records: Annotated[str, typer.Argument(metavar="RECORDS", help="Result of `corpuscle extract --pile`.")],
    tokenizer: Annotated[str, typer.Option(metavar="FILE", help="The tokenizer.json to count tokens with.")],
) -> None:
    """Compare the profiles clean and pile: documents, bytes, words and tokens of the same records.

    What became of a corpus since another state of it says `corpuscle diff`.
    """
    refuse_beam_arguments(context)
    from pipelines.inspection.comparison import compare

    typer.echo(compare(records, tokenizer))


def diff(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A corpus before, or a file of NEW's changes/.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Result of `corpuscle assemble`.")],
    feed: Annotated[
        str | None, typer.Option("--feed", metavar="FILE", help="Write the changes as Parquet, a row a document.")
    ] = None,
    delta: Annotated[
        str | None, typer.Option(metavar="DIR", help="Write the documents added or changed as shards of their own.")
    ] = None,
) -> None:
    """Say which documents of a corpus came, went, changed or moved to another split, and why.

    Two profiles of the same records are compared by `corpuscle compare`.
    """
    refuse_beam_arguments(context)
    from pipelines.inspection.differences import diff_text

    typer.echo(diff_text(old, new, feed=feed, delta=delta))


def rehearse(
    context: typer.Context,
    documents: Annotated[int, typer.Option(help="Made-up documents to assemble.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="Local directory for work and report.")],
    articles: Annotated[int | None, typer.Option(help="Full texts among them.", show_default="one in 200")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the documents.")] = 0,
    price: Annotated[float | None, typer.Option(min=0, help="Price of a vCPU-hour, for the cost on an engine.")] = None,
) -> None:
    """Assemble made-up documents of PubMed's statistics and say what all of PubMed would cost.

    Takes about 1 kB of disk a document while it runs, and leaves a report, `rehearsal.json`.
    """
    refuse_beam_arguments(context)
    import_beam()
    from pipelines.workflow.rehearse import rehearse

    typer.echo(rehearse(documents, output=output, articles=articles, seed=seed).text(price=price))
