"""How many local worker processes pay for themselves.

Each costs a start: a forked one its channel and the graph sent there, a third to two thirds of what it takes to import
Beam; one that is started afresh imports Beam once more, and all else (`python -m tests.benchmarks.start`). On small
work they cost more than they save.
"""

from collections.abc import Sequence
from typing import Final

from corpus.stage.progress import say
from pipelines.beam.flags import WORKERS, given_workers
from pipelines.beam.forks import may_fork

# CPU seconds of work for each worker, from which on the starts are at most a fifth of all: 2 workers from 20 seconds,
# and from 4 where they are forked.
SECONDS_A_WORKER: Final = 10.0
SECONDS_A_FORK: Final = 2.0


def paying_workers(asked: int, *, seconds: float, forked: bool) -> int:
    """Return how many of the workers asked for pay on work of so many CPU seconds; at least one."""
    return max(1, min(asked, int(seconds / (SECONDS_A_FORK if forked else SECONDS_A_WORKER))))


def workers_for(asked: int, *, seconds: float, stage: str, beam_args: Sequence[str]) -> int:
    """Return the number of workers to start, and say so where it is smaller than asked."""
    if given := given_workers(beam_args):
        return given
    paying = paying_workers(asked, seconds=seconds, forked=may_fork())
    if paying < asked:
        said = f"{paying} worker{'s' if paying > 1 else ''} instead of {asked}, for about {seconds:,.0f} CPU s of work"
        say(f"{stage}: {said}: more would cost more than they save (`-- {WORKERS}={asked}` starts them nevertheless)")
    return paying
