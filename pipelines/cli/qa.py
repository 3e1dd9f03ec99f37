"""Verbs `qa …` of the command line: question sets, published or made, and results beside those of the paper.

Rooms are imported when a verb is called.
"""

from typing import Annotated, Literal

import typer

from pipelines.cli.arguments import refuse_beam_arguments
from pipelines.cli.messages import print_summary
from pipelines.cli.options import Output, config_of, options_of
from pipelines.cli.qa_answer import answer
from pipelines.cli.qa_train import evaluate, finetune

qa = typer.Typer(
    name="qa",
    help="Biomedical question answering: questions, silver, finetune, evaluate, answer, compare, results.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@qa.command()
def questions(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH…", help="Files or folders of question sets, as downloaded."),
    ],
    output: Output,
    partial: Annotated[
        bool, typer.Option("--partial", help="Go on where a set has other counts than published.")
    ] = False,
) -> None:
    """Read question sets as published into one directory, count and check them.

    MedQA, MedMCQA, PubMedQA, BioASQ, MMLU, MIRAGE, MedQuAD, HealthSearchQA or JSON lines of one's own; a file is
    recognised by its content. Prints splits, labels, lengths, what can be had without reading, repeats and overlaps.
    """
    refuse_beam_arguments(context)
    from corpus.qa.overview import manifest_lines
    from corpus.qa.stage import make_questions

    manifest = make_questions(paths, output, partial=partial)
    for line in manifest_lines(manifest):
        typer.echo(line)
    print_summary(manifest, output)


@qa.command()
def results(
    context: typer.Context,
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="Folder above the runs of `qa finetune` and `qa evaluate`.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where the tables go: .md, .html or .tex.")
    ],
    references: Annotated[
        Literal["paper", "none"], typer.Option(help="Recorded rows beside ours: those of the paper, or none.")
    ] = "paper",
    figure: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw accuracy against size too: .png or .svg.")
    ] = None,
) -> None:
    """Write the tables of the paper with our runs in them: intervals, tests between runs, baselines.

    Every number of ours comes from the predictions of finished runs; every recorded one has its source, and where
    sources differ, all values.
    """
    refuse_beam_arguments(context)
    from corpus.qa.result_stage import write_results

    typer.echo(write_results(directory, output, figure=figure, recorded=references == "paper"))


@qa.command()
def compare(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="DIR", help="Result of `corpuscle qa finetune` or `qa evaluate`.")],
    second: Annotated[
        str, typer.Argument(metavar="DIR", help="Another one, on the same questions with the same seeds.")
    ],
) -> None:
    """Compare two fine-tunings that differ in one thing, such as the tokenizer, by pairs of seed and item.

    Prints the difference with an interval (bootstrap over seeds, then items), that of each seed, and for MedQA what
    the paper's comparison of tokenizers shows.
    """
    refuse_beam_arguments(context)
    from corpus.qa.pair import pair_text

    typer.echo(pair_text(first, second))


@qa.command(cls=options_of("corpus.qa.silver.config:SilverConfig"))
def silver(
    context: typer.Context,
    corpus: Annotated[
        str, typer.Argument(metavar="CORPUS", help="Result of `corpuscle assemble`.", rich_help_panel="input")
    ],
    records: Annotated[
        str,
        typer.Option(
            metavar="DIR", help="Result of `corpuscle extract` that it was assembled from.", rich_help_panel="input"
        ),
    ],
    output: Output,
) -> None:
    """Make questions from the papers of a corpus, by rule: more to train on, and a check that needs no test set.

    Titles that ask, answered by their abstract's conclusion; titles that state, as questions of yes or no; an abstract
    and four titles of its journal. The result is a directory of questions.
    """
    refuse_beam_arguments(context)
    config = config_of(context)
    from corpus.qa.overview import manifest_lines
    from corpus.qa.silver.stage import make_silver, silver_lines

    manifest = make_silver(config, corpus=corpus, records=records, output=output)
    for line in (*silver_lines(manifest), *manifest_lines(manifest)):
        typer.echo(line)
    print_summary(manifest, output)


qa.command(cls=options_of("train.qa.config:FinetuneConfig"))(finetune)
qa.command(cls=options_of("train.qa.config:EvaluateConfig"))(evaluate)
qa.command(cls=options_of("train.qa.answer_config:AnswerConfig"))(answer)
