"""Messages at the end of a command: its line of numbers, or the line of its error and the exit code."""

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer
from typer.exceptions import TyperException

from corpus.errors import NotYetError, did_you_mean
from corpus.stage.explain import explain

if TYPE_CHECKING:
    from corpus.stage.manifest import Manifest

BEAM_VERBS = ("extract", "assemble", "dedup", "passages", "pack", "run")


def print_summary(manifest: "Manifest | None", output: str, *, left: bool = False) -> None:
    """Print what a stage did; None stands for a dry run, or for a job that was left to its engine."""
    from pipelines.inspection.summaries import summary_line

    typer.echo(summary_line(manifest, output, left=left))
    if manifest is not None and manifest.stage == "assemble":
        from pipelines.assemble.summary import report_lines

        typer.echo("\n".join(report_lines(manifest)))
    if manifest is not None and manifest.stage == "dedup":
        from pipelines.dedup.summary import dedup_lines

        typer.echo("\n".join(dedup_lines(manifest)))
    if manifest is not None and manifest.stage == "passages":
        from pipelines.passages.summary import passages_lines

        typer.echo("\n".join(passages_lines(manifest, output)))


def print_job(manifest: "Manifest | None", output: str, arguments: Sequence[str]) -> None:
    """Print what a stage on Beam did; arguments: what stood after `--`."""
    from pipelines.beam.flags import leaves_job

    print_summary(manifest, output, left=leaves_job(arguments))


def report_error(error: BaseException, *, debug: bool) -> int:
    """Print what went wrong, with the traceback when asked for, and return the exit code."""
    from corpus.stage.events import emit, logs_are_json
    from corpus.stage.progress import say

    if debug:
        traceback.print_exception(error)
    message, code = (usage_message(error), error.exit_code) if isinstance(error, TyperException) else explain(error)
    if logs_are_json():
        emit("exit", code=code, error=type(error).__name__, cause=message)
    else:
        say(message if isinstance(error, NotYetError) else f"error: {message}")
    return code


def usage_message(error: TyperException) -> str:
    """Return the line for a command line that Typer could not read."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "corpuscle"
    unknown = getattr(error, "option_name", None)
    if unknown and hasattr(error, "possibilities"):
        known = [name for option in context.command.params for name in option.opts] if context is not None else []
        options = ["--help", *(name for name in known if name.startswith("-"))]
        plain = unknown.lstrip("-")  # of `--corpus x` where the command takes `x` alone
        hint = (
            f"; its value is given alone: {path} {plain.upper()}" if plain in known else did_you_mean(unknown, options)
        )
        message = f"{path}: no option {unknown}{hint}"
        if context is not None and context.command.name in BEAM_VERBS and not message.endswith("?"):
            message += "; Beam's own flags go after --"
    else:
        text = error.format_message().rstrip(".")
        message = f"{path}: {text[:1].lower()}{text[1:]}{_given(error)}"
    return f"{message} (see {path} --help)"


def _given(error: TyperException) -> str:
    """Return the value that an option could not take, as pydantic says it; nothing where it is not known."""
    found: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    return f" (got {str(found[0]['input'])[:100]!r})" if found and "input" in found[0] else ""
