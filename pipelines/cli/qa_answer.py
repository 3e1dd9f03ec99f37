"""Verb `qa answer` of the command line: what a fine-tuned model answers to a question, a file of them, or a set.

Rooms are imported when the verb is called.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.arguments import refuse_beam_arguments
from pipelines.cli.messages import print_summary
from pipelines.cli.options import config_of

if TYPE_CHECKING:
    from corpus.qa.question import Question
    from train.qa.answer_config import AnswerConfig


QuestionOption = Annotated[
    list[str] | None, typer.Option(metavar="TEXT", help="A question; repeatable.", rich_help_panel="input")
]
Choices = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="An option of the question, in order; repeatable.", rich_help_panel="input"),
]
Given = Annotated[
    str, typer.Option("--context", metavar="TEXT", help="What it is to be answered from.", rich_help_panel="input")
]
AskedFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Questions: JSON objects, or one a line; - reads lines.", rich_help_panel="input"
    ),
]
QuestionsOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR", help="Result of `corpuscle qa questions`: answer a split of it.", rich_help_panel="input"
    ),
]
SetOutput = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="DIR", help="Where answers to a set go.", rich_help_panel="output"),
]


def answer(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Result of `corpuscle qa finetune`, or one run of it.", rich_help_panel="input"
        ),
    ],
    question: QuestionOption = None,
    option: Choices = None,
    given: Given = "",
    question_file: AskedFile = None,
    questions: QuestionsOption = None,
    output: SetOutput = None,
) -> None:
    """Answer questions with a fine-tuned model: in words, or the letter and its probability.

    Give --question or --question-file, and read the answers; or --questions and --output, for answers to a set and
    their report. Not for medical advice.
    """
    refuse_beam_arguments(context)
    config = config_of(context)
    if questions is None and output is None:
        _answer_asked(config, model, _asked(question or [], tuple(option or ()), given, question_file))
        return
    if questions is None or output is None or question or question_file:
        from corpus.errors import UsageError

        raise UsageError("answers to a set want --questions DIR and --output DIR, and no other question")
    _answer_set(config, model, questions, output)


def _answer_asked(config: "AnswerConfig", model: str, asked: "list[Question]") -> None:
    from corpus.stage.progress import say
    from train.qa.answering import WARNING, answer_lines, open_model

    tuned = open_model(model, config.run)
    say(WARNING)
    answers = answer_lines(tuned, asked, config)
    if len(asked) == 1:
        typer.echo(answers[0])
        return
    for one, text in zip(asked, answers, strict=True):
        typer.echo(f"{one.id}: {one.text}\n{text}\n")


def _answer_set(config: "AnswerConfig", model: str, questions: str, output: str) -> None:
    from corpus.stage.progress import say
    from train.qa.answering import WARNING, answer_set

    manifest = answer_set(config, model=model, questions=questions, output=output)
    say(WARNING)
    for line in manifest.summary["lines"]:
        typer.echo(line)
    print_summary(manifest, output)


def _asked(texts: list[str], options: tuple[str, ...], given: str, path: str | None) -> "list[Question]":
    """Return the questions of a command line; raises UsageError for none, or options that belong to several."""
    import sys

    from corpus.errors import UsageError
    from corpus.qa.asked import asked_question, read_asked

    if bool(texts) == (path is not None):
        raise UsageError("ask by --question TEXT or by --question-file FILE; for a set give --questions and --output")
    if path is None:
        if len(texts) > 1 and options:
            raise UsageError("--option belongs to one question; give several with their options in a --question-file")
        return [
            asked_question(text, options=options, context=given, own=str(number))
            for number, text in enumerate(texts, start=1)
        ]
    if options or given:
        raise UsageError("--option and --context belong to --question; a file has `options` and `context` of its own")
    if path != "-":
        return read_asked(path)
    lines = [line.strip() for line in sys.stdin if line.strip()]
    return [asked_question(text, own=str(number)) for number, text in enumerate(lines, start=1)]
