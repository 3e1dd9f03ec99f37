"""Entry point of the command `corpuscle`: settings of the whole process, then `pipelines.cli.app.main`."""

import gc
import os
import sys
from typing import Final, NoReturn

from pipelines.cli.app import main
from pipelines.cli.signals import end_on_signals

# Young objects at which the collector looks at them, instead of 700: while Beam is imported it looks in vain again and
# again, and the arrays that matter are freed by their reference count. 0.2 of 3.8 CPU s of a start of `assemble`.
YOUNG_OBJECTS: Final = 50_000


def command() -> NoReturn:
    """Run the command line of this process, and end it with the exit code."""
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    sys.stdout = sys.stdout or os.fdopen(nowhere, "w")  # None where the caller closed it
    with end_on_signals():
        code = main()
    try:
        sys.stdout.flush()
    except OSError:  # `main` has told of it, and Python would fail once more at the end
        os.dup2(nowhere, sys.stdout.fileno())
    gc.freeze()  # what is left is not searched for cycles at the end: 0.7 of 3.8 CPU s
    sys.exit(code)


if __name__ == "__main__":
    command()
