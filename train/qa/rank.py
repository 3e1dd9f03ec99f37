"""Process of one rank of a fine-tuning run: `python -m train.qa.rank WORK`, with RANK, … in the environment.

With one rank there is no such process: the command trains by itself.
"""

import contextlib
import os
import sys

from corpus.errors import CorpuscleError
from corpus.stage.progress import say
from train.job import CONSOLE_FD, write_error
from train.loop.rank import run_and_exit
from train.qa.job import read_job


def main(work: str) -> int:
    """Train one setting as one rank and return the exit code."""
    from train.qa.steps import train_setting  # torch and DeepSpeed: 5 s

    console = int(os.environ[CONSOLE_FD]) if CONSOLE_FD in os.environ else 2

    def tell(line: str) -> None:
        with contextlib.suppress(OSError):
            os.write(console, f"{line}\n".encode())

    try:
        train_setting(read_job(work), tell)
    except CorpuscleError as error:
        with contextlib.suppress(OSError):
            write_error(work, int(os.environ["RANK"]), error)
        say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    run_and_exit(lambda: main(sys.argv[1]))
