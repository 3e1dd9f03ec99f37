"""Named places where a test kills the process: `CORPUSCLE_KILL_AT=documents:renamed` or `…@3` for the third time there.

Nothing is compared when the variable is not set, which is decided once, when the process starts.
"""

import os
import signal

VARIABLE = "CORPUSCLE_KILL_AT"

_place, _, _times = os.environ.get(VARIABLE, "").partition("@")
_left = int(_times or 1)
_OWN_PLACES = ("manifest.json", "outcome.npy", "receipts.json", "_withdrawn.json")


def reach(place: str) -> None:
    """Kill this process with SIGKILL if this is the place to die at, for the time that was asked for."""
    global _left
    if not _place or place != _place:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def reach_file(path: str, when: str) -> None:
    """Reach the place of a file that is written: the name of its folder, or its own when the folder is a stage's."""
    if not _place:
        return
    folder, name = os.path.split(path)
    kind = os.path.basename(folder)
    reach(f"{name if name in _OWN_PLACES else kind}:{when}")
