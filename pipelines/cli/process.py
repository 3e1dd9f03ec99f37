"""Entry point of the command `corpuscle`: settings of the whole process, then `pipelines.cli.app.main`."""

import gc
import os
import sys
from typing import Final, NoReturn

from corpus.arrays.cache_folder import without_home
from pipelines.cli.app import main
from pipelines.cli.messages import report_error
from pipelines.cli.signals import end_on_signals

# Young objects at which the collector looks at them, instead of 700: while Beam is imported it looks in vain again and
# again, and the arrays that matter are freed by their reference count. 0.2 of 3.8 CPU s of a start of `assemble`.
YOUNG_OBJECTS: Final = 50_000


def command() -> NoReturn:
    """Run the command line of this process, and end it with the exit code."""
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    for name, value in without_home().items():  # other libraries look there, and child processes inherit it
        os.environ.setdefault(name, value)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    sys.stdout = sys.stdout or os.fdopen(nowhere, "w")  # None where the caller closed it
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


if __name__ == "__main__":
    command()
