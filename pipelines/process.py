"""The process around the front door: how a command starts and how it ends, at the least cost.

Of 3.3 CPU seconds that `assemble` took for 5,000 citations, 0.6 were the garbage collector's, which walked the objects
of Beam's modules again and again while they were being imported, 0.6 went into taking the interpreter apart at the end,
and 0.25 into threads of numpy's and scipy's OpenBLAS that turn in circles before they sleep (2 cores; more on more).
"""

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

from pipelines.cli import main
from pipelines.cli_errors import BEAM_VERBS

# A young collection every so many objects instead of 700: what imports and pipelines make is no garbage, and the
# arrays that matter are freed by their reference count.
YOUNG_OBJECTS, YOUNG_RUNS, MIDDLE_RUNS = 50_000, 20, 20
BLAS_THREADS = "OPENBLAS_NUM_THREADS"


def command() -> NoReturn:
    """Run the command line of this process, and end it with the exit code."""
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_RUNS, MIDDLE_RUNS)
    if {*BEAM_VERBS, "rehearse"} & {*sys.argv[1:2]}:
        os.environ.setdefault(BLAS_THREADS, "1")  # no step multiplies matrices; worker processes inherit it
    leave(main())


def leave(code: int) -> NoReturn:
    """End the process as `sys.exit` does, except that its objects are not taken apart one by one."""
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # none where the caller closed it
        with suppress(OSError):  # `main` has told of all that can be told, and a reader may have seen enough
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    command()
