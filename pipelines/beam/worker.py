"""Process of one local Beam worker: Beam's own, which ends when the command that started it is gone.

`pipelines.beam.runner` starts this file, in Python's safe mode and not as a module: a user's `random.py` or `corpus.py`
in the current folder is nobody's module here, as it is none in the command itself.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

POLL_SECONDS: Final = 0.5
PR_SET_PDEATHSIG: Final = 1  # of Linux's prctl
EXEMPT: Final = "no_grpc_proxy"  # gRPC looks at it before `no_proxy`
COMMAND: Final = "CORPUSCLE_COMMAND"  # what `corpus.arrays.numba_cache` says, it says once for all workers
LOCAL: Final = "localhost,127.0.0.1,[::1]"


def main(owner: int) -> None:
    """Work for the process `owner`, this one's parent, until it has no more work or is gone."""
    _end_with_the_parent()
    threading.Thread(target=_end_after, args=(owner,), daemon=True).start()  # before Beam: its import takes seconds
    reach_the_owner_directly()
    os.environ[COMMAND] = str(owner)
    root = str(Path(__file__).resolve().parents[2])
    sys.path.insert(0, root)
    from pipelines.beam.own_rooms import find_own_rooms

    find_own_rooms()
    sys.path.remove(root)
    from pipelines.beam.lean_import import beam_import

    with beam_import(connectors=False):
        from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main([])


def _end_with_the_parent() -> None:
    """Have Linux kill this process when the thread of Beam that started it ends: at once, and without a word."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_after(owner: int) -> None:
    """End this process at once when its parent is not the owner (any more); Beam's worker would wait for minutes."""
    while os.getppid() == owner:
        time.sleep(POLL_SECONDS)
    os._exit(1)


def reach_the_owner_directly() -> None:
    """Exempt this machine from the proxy that gRPC takes from the environment; of other libraries' it is silent."""
    exempt = os.environ.get(EXEMPT) or os.environ.get("no_proxy")
    os.environ[EXEMPT] = ",".join(filter(None, [exempt, LOCAL]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
