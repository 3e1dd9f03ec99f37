"""The process around the front door: how a command starts and how it ends, at the least cost.

Of 3.3 CPU seconds that `assemble` took for 5,000 citations, 0.6 were the garbage collector's, which walked the objects
of Beam's modules again and again while they were being imported, 0.6 went into taking the interpreter apart at the end,
and 0.25 into threads of numpy's and scipy's OpenBLAS that turn in circles before they sleep (2 cores; more on more).
Of 8.7 s for 300,000, 0.3 went into fresh pages: Beam runs its steps in threads, and glibc gives the large arrays of
threads back to the system as soon as they are freed, to get them again, filled with zeros, for the next batch.
"""

import atexit
import ctypes
import gc
import os
import sys
from contextlib import suppress
from typing import Final, NoReturn

from pipelines.cli.app import main

PIPELINES: Final = ("extract", "assemble", "pack", "rehearse")

# A young collection every so many objects instead of 700: what imports and pipelines make is no garbage, and the
# arrays that matter are freed by their reference count.
YOUNG_OBJECTS, YOUNG_RUNS, MIDDLE_RUNS = 50_000, 20, 20

# Of glibc's mallopt: its number, the value, and what a process that starts reads instead. Arrays of 32 MB and more
# still go back at once; 32 MB is also the most that every version of glibc takes.
ALLOCATION: Final = (
    (-8, 1, "MALLOC_ARENA_MAX"),
    (-3, 32 << 20, "MALLOC_MMAP_THRESHOLD_"),
    (-1, 256 << 20, "MALLOC_TRIM_THRESHOLD_"),
)


def command() -> NoReturn:
    """Run the command line of this process, and end it with the exit code."""
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_RUNS, MIDDLE_RUNS)
    if sys.argv[1:2] and sys.argv[1] in PIPELINES:
        _suit_pipelines()
    leave(main())


def _suit_pipelines() -> None:
    """Choose, for this process and the worker processes it starts, what the user has not chosen."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no step multiplies matrices
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # None but with glibc
    for number, value, variable in ALLOCATION:
        if variable not in os.environ and mallopt is not None:
            os.environ[variable] = str(value)
            mallopt(number, value)


def leave(code: int) -> NoReturn:
    """End the process as `sys.exit` does, except that its objects are not taken apart one by one."""
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # none where the caller closed it
        with suppress(OSError):  # `main` has told of all that can be told, and a reader may have seen enough
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    command()
