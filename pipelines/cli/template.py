"""Stage launched by a Flex Template of Dataflow: the template's parameters as a command line of ours.

Dataflow's launcher runs a file with every parameter as `--name=value`, its own among them (project, region, the place
of the job's description). Parameters that `configs/deploy/dataflow/metadata.json` lists and Beam does not know are
ours; all others are flags of Beam. The launcher ends when the job is submitted, and the job's last step commits.
"""

import shlex
from collections.abc import Sequence
from typing import Final

from corpus.errors import UsageError
from pipelines.beam.flags import NO_WAIT

STAGES: Final = {"extract": ("pubmed", "pmc"), "assemble": ("records",), "pack": ("corpus", "tokenizer")}
OWN: Final = ("stage", "output", "options", *(name for names in STAGES.values() for name in names))


def launch(words: Sequence[str]) -> int:
    """Run the stage that the launcher asks for, to its submission; returns the exit code."""
    from pipelines.cli.app import main
    from pipelines.cli.messages import report_error

    try:
        line = command_line(words)
    except UsageError as error:
        return report_error(error, debug=False)
    return main(line)


def command_line(words: Sequence[str]) -> list[str]:
    """Return our command line for the launcher's words.

    An empty parameter is one that was not given. Raises UsageError for a stage that there is not, and for a parameter
    of another one.
    """
    pairs = [word.removeprefix("--").partition("=")[::2] for word in words]
    given = {name: value for name, value in pairs if name in OWN and value}
    stage = given.pop("stage", "")
    if stage not in STAGES:
        raise UsageError(f"template: there is no stage {stage!r} to launch; give stage={'|'.join(STAGES)}")
    if absent := [name for name in ("output", *STAGES[stage]) if name not in given and name not in ("pubmed", "pmc")]:
        raise UsageError(f"template: {stage} needs {', '.join(absent)}; add to its parameters")
    if foreign := sorted(given.keys() - {"output", "options", *STAGES[stage]}):
        raise UsageError(f"template: {stage} takes no {', '.join(foreign)}; leave it out of its parameters")
    own = [word for name in STAGES[stage] if name in given for word in _option(name, given[name])]
    beam = [
        word for word, (name, value) in zip(words, pairs, strict=True) if name not in OWN and ("=" not in word or value)
    ]
    options = shlex.split(given.get("options", ""))
    return [stage, *own, "--output", given["output"], *options, "--", *beam, NO_WAIT]


def _option(name: str, value: str) -> list[str]:
    """Return an option with its values: several inputs are separated by spaces, for a comma may be in a path."""
    return [f"--{name}", *(value.split() if name in ("pubmed", "pmc") else [value])]
