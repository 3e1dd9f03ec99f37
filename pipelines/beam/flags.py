"""Beam's flags, what stands after `--`, as far as a stage itself looks at them; Beam reads them."""

import os
from collections.abc import Sequence
from typing import Final

NO_WAIT: Final = "--no_wait_until_finish"
WORKERS: Final = "--direct_num_workers"  # of the embedded runner


def is_embedded(beam_args: Sequence[str]) -> bool:
    """Say whether the pipeline runs in this process and its children, sharing the local disk."""
    return not any(arg == "--runner" or arg.startswith("--runner=") for arg in beam_args)


def is_dry_run(beam_args: Sequence[str]) -> bool:
    """Say whether the runner is only asked to build and validate the graph."""
    return any(arg.lower() in ("--dry_run", "--dry_run=true") for arg in beam_args)


def leaves_job(beam_args: Sequence[str]) -> bool:
    """Say whether the job is left to its engine once it is submitted."""
    return NO_WAIT in beam_args


def given_workers(beam_args: Sequence[str]) -> int | None:
    """Return the number that Beam's own flag asks for (0: one a core), obeyed whatever the work; None without it."""
    for place, word in enumerate(beam_args):
        name, equals, number = word.partition("=")
        if name == WORKERS:
            return int(number if equals else beam_args[place + 1]) or os.cpu_count() or 1
    return None
