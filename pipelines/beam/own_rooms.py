"""Our packages before others of their names: a `train.py` of a user's in a folder of PYTHONPATH is none of ours.

The names are plain words, and PYTHONPATH comes before what is installed. Only `pipelines` itself must be found.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

ROOMS: Final = ("corpus", "pipelines", "tokenizer", "train")


class OwnRooms(MetaPathFinder):
    """Finds the packages that stand beside `pipelines`, whatever else `sys.path` holds."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the place of one of our packages, None for all else."""
        if path is not None or fullname not in ROOMS:
            return None
        return PathFinder.find_spec(fullname, [str(Path(__file__).resolve().parents[2])], target)


def find_own_rooms() -> None:
    """Have this process find our packages first; once is enough."""
    if not any(isinstance(finder, OwnRooms) for finder in sys.meta_path):
        sys.meta_path.insert(0, OwnRooms())
