"""Check of Beam's own flags, which stand after `--` on the command line.

Beam only warns of a flag it does not know ("Discarding unparseable args") and goes on with its default,
so a misspelled `--runner` runs on the wrong machine. Here the flags are parsed with the parsers of all
of Beam's PipelineOptions classes, and one that none of them knows is an error with a suggestion.
"""

from collections.abc import Sequence
from typing import NoReturn

from apache_beam.options import pipeline_options

from corpus.errors import UsageError, did_you_mean
from pipelines.beam.engine import JobOptions


class _Parser(pipeline_options._BeamArgumentParser):
    """Beam's parser, raising instead of printing a page of usage and leaving."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"after --: {message}; Beam documents its flags under PipelineOptions")


def check_beam_arguments(arguments: Sequence[str]) -> None:
    """Raise UsageError, naming every flag at fault, when Beam would ignore or misread one of its arguments."""
    assert JobOptions in pipeline_options.PipelineOptions.__subclasses__()  # ours stand among Beam's
    parser = _Parser(allow_abbrev=False, add_help=False)
    for options in pipeline_options.PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    parsed, unknown = parser.parse_known_args(list(arguments))
    flags = [word for word in unknown if word.startswith("-")]
    if unknown:
        known = [name for name in parser._option_string_actions if name.startswith("--")]
        faults = [_fault(word, known) for word in flags or unknown]
        raise UsageError("after --: " + "\n".join(faults))
    _check_runner(parsed.runner)


def _fault(word: str, known: list[str]) -> str:
    name = word.partition("=")[0]
    if not name.startswith("-"):
        return f"{name!r} is no flag; Beam's arguments have the form --name=value"
    return f"Beam has no flag {name}{did_you_mean(name, known)}"


def _check_runner(runner: str | None) -> None:
    """Raise UsageError for a runner that Beam does not have; a dotted name is a class of the user's own."""
    if runner is None or "." in runner:
        return
    known = [*pipeline_options.StandardOptions.KNOWN_RUNNER_NAMES, "FnApiRunner"]
    names = {name.lower() for name in known} | {name.lower().removesuffix("runner") for name in known}
    if runner.lower() not in names:
        raise UsageError(f"after --: Beam has no runner {runner}{did_you_mean(runner, known)}")
