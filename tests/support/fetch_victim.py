"""A fetch in a process of its own that dies by SIGKILL: `python -m tests.support.fetch_victim BASE OUTPUT POINT...`.

A point is `before|after|inside:module:function:n`, the n-th call of a function of ours or of `os`. `inside` is for
writes: half of the bytes reach the file.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def arm(point: str) -> None:
    """Replace the function of a point by one that kills this process at the n-th call."""
    when, module, name, nth = point.split(":")
    holder: Any = importlib.import_module(module)
    *outer, last = name.split(".")
    for part in outer:
        holder = getattr(holder, part)
    real: Callable[..., Any] = getattr(holder, last)
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == int(nth) and when == "before":
            die()
        if calls == int(nth) and when == "inside":
            real(args[0], args[1][: len(args[1]) // 2], *args[2:])
            die()
        result = real(*args, **kwargs)
        if calls == int(nth) and when == "after":
            die()
        return result

    setattr(holder, last, wrapped)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    base, output, *points = sys.argv[1:]
    from tests.support.small_fetch import run

    for point in points:
        arm(point)
    run(base, output)


if __name__ == "__main__":
    main()
