"""Command line outside of Typer: `argv` split before it, and Beam's arguments handed to the verb.

Four things a command-line parser does not do for us. What stands after `--` is Beam's and is split off.
`--pubmed a b c` (what a shell makes of a glob) becomes `--pubmed a --pubmed b --pubmed c`. A `~` is the home
directory wherever a path begins with it. `--debug` may stand anywhere, because it is added to a command that has just
failed. And a misspelled name gets the nearest known one as a suggestion, for options, verbs, keys of the YAML file and
Beam's flags alike.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import typer

from corpus.errors import UsageError
from pipelines.beam.forks import imports_without_threads

MULTI_VALUE_FLAGS = ("--pubmed", "--pmc")
DEBUG_FLAG = "--debug"
LOG_FLAG = "--log-format"
LOG_FORMATS = ("text", "json")
TEXT_FLAGS = ("--prompt", "--question", "--option", "--context")  # whose values are no paths


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandLine:
    """Parts of a command line: our own arguments, Beam's, and whether tracebacks are wanted."""

    own: tuple[str, ...]
    beam: tuple[str, ...]
    debug: bool
    log_format: str | None = None  # None: not said


def split_command_line(argv: Sequence[str]) -> CommandLine:
    """Split at the first `--`, take `--debug` and `--log-format` out of our side, and spread flags of several values.

    Raises UsageError for a format of logs that there is not.
    """
    argv = list(argv)
    cut = argv.index("--") if "--" in argv else len(argv)
    own = [word for word in argv[:cut] if word != DEBUG_FLAG]
    log_format = None
    for at in [at for at, word in enumerate(own) if word.partition("=")[0] == LOG_FLAG][::-1]:
        name, mark, value = own[at].partition("=")
        words = [name, value] if mark else own[at : at + 2]
        log_format = log_format or (words[1] if len(words) > 1 else "")
        del own[at : at + (1 if mark else 2)]
    if log_format is not None and log_format not in LOG_FORMATS:
        raise UsageError(f"{LOG_FLAG} {log_format}: it is one of {', '.join(LOG_FORMATS)}")
    return CommandLine(
        own=tuple(spread_values(expand_home(own))),
        beam=tuple(argv[cut + 1 :]),
        debug=DEBUG_FLAG in argv[:cut],
        log_format=log_format,
    )


def expand_home(words: Iterable[str]) -> list[str]:
    """Return the words with each path's leading `~` in its full length.

    A shell does it where nothing stands before it; of `--output=~/out`, or in quotation marks, it leaves a folder `~`.
    """
    found: list[str] = []
    before = ""
    for word in words:
        name, mark, value = word.partition("=")
        if word.startswith("~") and before not in TEXT_FLAGS:
            found.append(os.path.expanduser(word))
        elif mark and name.startswith("-") and value.startswith("~") and name not in TEXT_FLAGS:
            found.append(f"{name}={os.path.expanduser(value)}")
        else:
            found.append(word)
        before = word
    return found


def spread_values(words: Iterable[str]) -> list[str]:
    """Repeat a flag of `MULTI_VALUE_FLAGS` before each further value that follows it.

    A value ends at the next word that starts with `-`; a file of such a name is written `./-name`.
    """
    spread: list[str] = []
    flag, has_value = "", False
    for word in words:
        if word.startswith("-"):
            name, has_value = word.partition("=")[0], "=" in word
            flag = name if name in MULTI_VALUE_FLAGS else ""
            spread.append(word)
        elif flag and has_value:
            spread += [flag, word]
        else:
            spread.append(word)
            has_value = True
    return spread


def beam_arguments(context: typer.Context) -> tuple[str, ...]:
    """Return what stood after `--`, checked, and import Beam: all of it only for another runner than the embedded."""
    arguments: tuple[str, ...] = context.obj or ()
    import_beam(arguments)
    if arguments:
        from pipelines.cli.beam_arguments import check_beam_arguments

        check_beam_arguments(arguments)
    return arguments


def import_beam(arguments: Sequence[str] = ()) -> None:
    """Import Beam, in a verb that runs pipelines, before any room that needs it."""
    from pipelines.beam.flags import is_embedded
    from pipelines.beam.lean_import import beam_import

    with imports_without_threads(), beam_import(connectors=not is_embedded(arguments)):
        import apache_beam.runners.portability.fn_api_runner.fn_runner  # noqa: F401


def refuse_beam_arguments(context: typer.Context) -> None:
    """Raise UsageError when something stood after `--`: for the verbs that run no Beam pipeline."""
    if context.obj:
        raise UsageError(f"{context.info_name}: runs no Beam pipeline, so {' '.join(context.obj)} cannot follow --")
