"""Put on PYTHONPATH by the tests: makes rank 0 kill itself with SIGKILL at a named point of training or saving.

CORPUSCLE_KILL is `module:function:before|after:N`: at the N-th call in that process, before or after it. The code
under test knows nothing of this. With CORPUSCLE_ABORT_AT_EXIT every rank's interpreter aborts when it is torn down,
as C++ libraries whose threads still run do now and then.
"""

import atexit
import importlib
import os
import signal
import threading
from collections.abc import Callable
from typing import Any


def arm(module_name: str, path: str, when: str, number: int) -> None:
    """Replace a function by one that kills the process around its `number`-th call."""
    *classes, name = path.split(".")
    place: Any = importlib.import_module(module_name)
    for part in classes:
        place = getattr(place, part)
    real: Callable[..., Any] = getattr(place, name)
    calls, counting = 0, threading.Lock()

    def deadly(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        with counting:  # files are hashed by several threads
            calls += 1
            own = calls
        if own == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **named)
        if own == number and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(place, name, deadly)


def arm_as_asked() -> None:
    """Do what the environment asks of this process."""
    if os.environ.get("RANK") is None:
        return
    if "CORPUSCLE_KILL" in os.environ and os.environ["RANK"] == "0":
        named_module, function, moment, count = os.environ["CORPUSCLE_KILL"].split(":")
        arm(named_module, function, moment, int(count))
    if "CORPUSCLE_ABORT_AT_EXIT" in os.environ:
        atexit.register(os.abort)


arm_as_asked()
