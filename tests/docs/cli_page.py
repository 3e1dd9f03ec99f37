"""`docs/cli.md`: what `corpuscle VERB --help` prints, for every verb."""

import contextlib
import io
import os
from collections.abc import Iterator
from unittest.mock import patch

import click
import typer

from pipelines.cli.app import app, main

HEAD = """# The command line

What `corpuscle VERB --help` prints, for every verb. Written by `make docs`; do not edit it here.

Exit codes: 0 ok, 1 a fault of ours, 2 usage, 3 data over a threshold, 4 corrupt, 5 disk, 75 try again, 130 interrupted.
An error is one line that says what, where, why and what to do; `--debug` adds the traceback. Everything after `--`
goes to Beam, and a flag that Beam does not know is an error. `--pubmed` and `--pmc` of `extract` take several values
each, as a shell's globs give them.
"""
COLUMNS = "100"


def page() -> str:
    """Return the page."""
    verbs = list(verb_names())
    parts = [HEAD, *(f"- [{verb}](#corpuscle-{verb.replace(' ', '-')})" for verb in verbs), ""]
    for verb in ["", *verbs]:
        words = ["corpuscle", *verb.split()]
        parts.append(f"## `{' '.join(words)}`\n\n```text\n{help_text(words[1:])}\n```\n")
    return "\n".join(parts)


def verb_names() -> Iterator[str]:
    """Yield every verb, those of a group as `group verb`, in the order of `--help`."""
    yield from _below(typer.main.get_command(app), "")


def help_text(words: list[str]) -> str:
    """Return what `corpuscle … --help` prints, without white space at the ends of lines."""
    shown = io.StringIO()
    # No colours, no boxes, one width: what the page holds depends on no terminal.
    plain = {"COLUMNS": COLUMNS, "TERMINAL_WIDTH": COLUMNS, "NO_COLOR": "1", "TERM": "dumb"}
    with patch.dict(os.environ, plain), contextlib.redirect_stdout(shown):
        code = main([*words, "--help"])
    assert code == 0, f"corpuscle {' '.join(words)} --help ends with {code}"
    return "\n".join(line.rstrip() for line in shown.getvalue().strip("\n").splitlines())


def _below(command: click.Command, name: str) -> Iterator[str]:
    found = getattr(command, "commands", None)
    if found is None:
        yield name
        return
    for word in command.list_commands(click.Context(command)):  # type: ignore[attr-defined]
        yield from _below(found[word], f"{name} {word}".strip())
