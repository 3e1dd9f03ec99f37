"""Progress inside a task, across worker processes: each counts in a small file, and the launcher adds them up.

A receipt says that a task is done; a single large file may take many minutes until then. Counts are those of one run.
"""

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from corpus import storage
from corpus.stage.workspace import WORK
from corpus.storage.json_files import build, parse_json

FOLDER: Final = f"{WORK}/progress"
EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _DoneCounts:
    counts: Mapping[str, int]


_done: defaultdict[str, Counter[str]] = defaultdict(Counter)  # of this process, by output
_written_at: dict[str, float] = {}


def add(output: str, what: str, number: int) -> None:
    """Add to a count of what this process did for the stage at work in `output`; none is kept for a remote one."""
    done = _done[output]
    done[what] += number
    now = time.monotonic()
    if not os.path.isdir(output) or now - _written_at.get(output, 0.0) < EVERY_SECONDS:  # remote, or it vanished
        return
    _written_at[output] = now
    folder = storage.join(output, FOLDER)
    path = os.path.join(folder, f"{os.getpid()}.json")
    with suppress(OSError):  # the work goes on without its progress; a full disk is told by what has to be written
        os.makedirs(folder, exist_ok=True)
        with open(f"{path}.new", "w", encoding="utf-8") as sink:
            json.dump(done, sink)
        os.replace(f"{path}.new", path)


def summary(output: str) -> str:
    """Return the counts of all processes, as `12,500 records read, 700 compared`; empty before the first."""
    folder = storage.join(output, FOLDER)
    total: Counter[str] = Counter()
    if not storage.is_remote(output) and os.path.isdir(folder):
        for name in sorted(os.listdir(folder)):
            with suppress(FileNotFoundError, ValueError), open(os.path.join(folder, name), "rb") as source:
                if name.endswith(".json"):  # what is no count of ours is none
                    total.update(build(_DoneCounts, {"counts": parse_json(source.read())}).counts)
    return ", ".join(f"{number:,} {what}" for what, number in total.items())


def reset(output: str) -> None:
    """Forget the counts of an earlier run."""
    _done.pop(output, None)
    _written_at.pop(output, None)
    if not storage.is_remote(output):
        storage.remove_tree(storage.join(output, FOLDER))
