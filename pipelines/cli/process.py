"""Entry point of the command `corpuscle`: settings of the whole process, then `pipelines.cli.app.main`."""

import gc
import os
import sys
from io import TextIOWrapper
from typing import Final, NoReturn

from pipelines.beam.own_rooms import find_own_rooms

# Young objects at which the collector looks at them, instead of 700: while Beam is imported it looks in vain again and
# again, and the arrays that matter are freed by their reference count. 0.2 of 3.8 CPU s of a start of `assemble`.
YOUNG_OBJECTS: Final = 50_000
STDERR: Final = 2
# Of functions that numba runs on several threads, which none of ours is; its import fails where they are 0.
NUMBA_THREADS: Final = "NUMBA_NUM_THREADS"


def command() -> NoReturn:
    """Run the command line of this process, and end it with the exit code."""
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    nowhere = _fill_streams()
    find_own_rooms()  # before any of them is imported
    from corpus.arrays.cache_folder import without_home
    from pipelines.cli.app import main
    from pipelines.cli.messages import report_error
    from pipelines.cli.signals import end_on_signals

    for name, value in without_home().items():  # other libraries look there, and child processes inherit it
        os.environ.setdefault(name, value)
    if not os.environ.get(NUMBA_THREADS, "1").strip("0").isdecimal():
        del os.environ[NUMBA_THREADS]
    sys.stdout = sys.stdout or os.fdopen(1, "w")  # None where the caller closed it
    sys.stderr = sys.stderr or os.fdopen(2, "w", errors="backslashreplace")
    if isinstance(sys.stdout, TextIOWrapper):  # as standard error: what the locale's encoding has not is escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    code = 0
    with end_on_signals() as ending:
        try:
            code = main()
        except BaseException:
            if not ending.interrupted:
                raise  # else it is what Rust makes of a KeyboardInterrupt, a PanicException
    if ending.interrupted and code == 0:  # so, or dropped by a library in the last moment
        code = report_error(KeyboardInterrupt(), debug=False)
    try:
        sys.stdout.flush()
    except OSError:  # `main` has told of it, and Python would fail once more at the end
        os.dup2(nowhere, sys.stdout.fileno())
    gc.freeze()  # what is left is not searched for cycles at the end: 0.7 of 3.8 CPU s
    sys.exit(code)


def _fill_streams() -> int:
    """Open on nothing each standard stream that the caller closed; return another such descriptor.

    Else a file of ours would get its number, and have written into it what a library says to standard error.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(descriptor, True)  # ranks and workers have it too
    return descriptor


if __name__ == "__main__":
    command()
