"""Side by side: many small requests to a store at once, for each takes as long as the way there and back.

A disk is asked one by one: it answers at once, and threads would only wait for one another.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

Subject = TypeVar("Subject")
Reply = TypeVar("Reply")
AT_ONCE: Final = 16  # requests; a bucket answers thousands a second


def side_by_side(work: Callable[[Subject], Reply], items: Iterable[Subject], *, remote: bool) -> Iterator[Reply]:
    """Yield what `work` gives for each item, in their order; in a store `AT_ONCE` are at work, and none further ahead.

    Raises what `work` raises, in its place among the answers.
    """
    if not remote:
        yield from map(work, items)
        return
    waiting: deque[Future[Reply]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for item in items:
                if len(waiting) == AT_ONCE:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(work, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:  # of a caller that goes no further, or behind an error
                future.cancel()
