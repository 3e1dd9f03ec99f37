"""Batches made ahead by a thread while the device works on the ones before; their order is that of the steps."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

Batch = TypeVar("Batch")

DEPTH = 2  # batches ahead: one in hand, one in the making


class Prefetch(Generic[Batch]):
    """Iterates over `make(step)` for the steps, in order; `waited` is the seconds the last one was waited for."""

    def __init__(self, make: Callable[[int], Batch], steps: Iterable[int]) -> None:
        self.waited = 0.0
        self._queue: queue.Queue[tuple[Batch | None, BaseException | None]] = queue.Queue(DEPTH)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(make, steps), daemon=True, name="prefetch")
        self._thread.start()

    def __enter__(self) -> "Prefetch[Batch]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)  # the thread may be waiting for room
            except queue.Empty:
                continue

    def __iter__(self) -> Iterator[Batch]:
        while True:
            before = time.monotonic()
            batch, error = self._queue.get()
            self.waited = time.monotonic() - before
            if error is not None:
                if isinstance(error, StopIteration):
                    return
                raise error
            assert batch is not None, "a batch or an error"
            yield batch

    def _fill(self, make: Callable[[int], Batch], steps: Iterable[int]) -> None:
        try:
            for step in steps:
                if self._stop.is_set():
                    return
                self._queue.put((make(step), None))
            self._queue.put((None, StopIteration()))
        except Exception as error:  # noqa: BLE001  raised again where the batch is asked for
            self._queue.put((None, error))
