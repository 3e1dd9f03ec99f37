"""Put on PYTHONPATH by the tests: makes a process kill itself with SIGKILL at a named point of the code under test.

A point is `module:function:before|after|inside:N`: at the N-th call in that process, before or after it (of a
generator: when it is exhausted), or, of a write, when half of the bytes are there. With `:PATTERN` behind it only calls
with a text argument that matches count. CORPUSCLE_KILL_ANY is the point of every process, CORPUSCLE_KILL that of rank 0
of a training. CORPUSCLE_KILL_VICTIM is the number of a process that dies in its place. The code under test knows
nothing of this. With CORPUSCLE_ABORT_AT_EXIT every rank's interpreter aborts when it is torn down, as C++ libraries
whose threads still run do now and then.
"""

import atexit
import functools
import importlib
import inspect
import os
import signal
import threading
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any


def arm(point: str) -> None:
    """Replace the function of a point by one that kills the process around its N-th call."""
    module_name, path, *call = point.split(":")
    when, number, *patterns = call
    *classes, name = path.split(".")
    place: Any = importlib.import_module(module_name)
    for part in classes:
        place = getattr(place, part)
    real: Callable[..., Any] = getattr(place, name)
    calls, counting = 0, threading.Lock()

    def is_now(arguments: tuple[Any, ...]) -> bool:
        nonlocal calls
        texts = [argument for argument in arguments if isinstance(argument, str)]
        if not all(any(fnmatch(text, pattern) for text in texts) for pattern in patterns):
            return False
        with counting:  # files are hashed by several threads
            calls += 1
            return calls == int(number)

    @functools.wraps(real)
    def deadly(*arguments: Any, **named: Any) -> Any:
        now = is_now(arguments)
        if now and when == "before":
            die()
        if now and when == "inside":
            real(arguments[0], arguments[1][: len(arguments[1]) // 2], *arguments[2:])
            die()
        result = real(*arguments, **named)
        if now and when == "after":
            die()
        return result

    def deadly_generator(*arguments: Any, **named: Any) -> Any:
        now = is_now(arguments)
        yield from real(*arguments, **named)
        if now:
            die()

    setattr(place, name, deadly_generator if inspect.isgeneratorfunction(real) else deadly)


def die() -> None:
    """Kill this process, or the one that the environment names."""
    os.kill(int(os.environ.get("CORPUSCLE_KILL_VICTIM") or os.getpid()), signal.SIGKILL)


def arm_as_asked() -> None:
    """Do what the environment asks of this process."""
    if "CORPUSCLE_KILL_ANY" in os.environ:
        arm(os.environ["CORPUSCLE_KILL_ANY"])
    if os.environ.get("RANK") is None:
        return
    if "CORPUSCLE_KILL" in os.environ and os.environ["RANK"] == "0":
        arm(os.environ["CORPUSCLE_KILL"])
    if "CORPUSCLE_ABORT_AT_EXIT" in os.environ:
        atexit.register(os.abort)


arm_as_asked()
