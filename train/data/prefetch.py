"""Prefetch: batches made by a thread while the device works on those before them, in the order of the steps."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")

DEPTH = 3  # batches beyond the one handed out: two ready, one in the making


def prefetch(make: Callable[[int], Made], steps: Iterable[int]) -> Generator[Made, None, None]:
    """Yield `make(step)` of each step, in order; its error comes where that batch would. Close it to end the thread."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
    ahead: deque[Future[Made]] = deque()
    try:
        for step in steps:
            ahead.append(pool.submit(make, step))
            if len(ahead) > DEPTH:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
