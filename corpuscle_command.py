"""Entry point of the command `corpuscle`, in a module whose name is nobody else's.

Our packages have plain names, and what a folder of PYTHONPATH holds comes before what is installed: a user's
`pipelines.py` would be imported in place of the package, before any code of ours ran that could tell.
"""

import sys
from pathlib import Path
from typing import NoReturn


def command() -> NoReturn:
    """Run the command line of the packages that stand beside this file; ends the process with its exit code."""
    beside = str(Path(__file__).resolve().parent)
    sys.path.insert(0, beside)  # for this import, which takes nothing but `pipelines` from there
    from pipelines.cli.process import command as run

    sys.path.remove(beside)
    run()
