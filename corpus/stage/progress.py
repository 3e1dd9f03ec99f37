"""Progress that a person sees: a bar on a terminal, one line per 30 seconds otherwise, nothing in between.

All of it goes to standard error; standard output is for results.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from corpus import storage
from corpus.stage.events import emit, logs_are_json

LINE_SECONDS = 30.0
POLL_SECONDS = 0.5


def say(line: str) -> None:
    """Print one line for the user on standard error, and put it into the log of the stage that runs."""
    text = storage.readable(line)
    emit("message", text=text)
    if not logs_are_json():
        print(text, file=sys.stderr, flush=True)


class Progress:
    """Counts done units of a known or unknown total and shows them."""

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._done, self._inside = 0, ""
        self._start = self._shown = time.monotonic()
        has_bar = sys.stderr.isatty() and not logs_are_json()
        self._bar: Any = _open_bar(label, total) if has_bar else None

    def advance(self, count: int = 1) -> None:
        """Add finished units."""
        self.reach(self._done + count)

    def reach(self, done: int, inside: str = "") -> None:
        """Set the number of finished units, and say what is done inside those at work."""
        self._done, self._inside = done, f" ({inside})" if inside else ""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, description=self._label + self._inside)
        if time.monotonic() - self._shown >= LINE_SECONDS:
            self._shown = time.monotonic()
            emit("progress", what=self._label, done=done, total=self._total, unit=self._unit, inside=inside)
            if self._bar is None and not logs_are_json():
                print(storage.readable(self._line()), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the bar down."""
        if self._bar is not None:
            self._bar.stop()

    def _line(self) -> str:
        seconds = time.monotonic() - self._start
        rate = self._done / seconds if seconds else 0.0
        if self._total is None:
            return f"{self._label}: {self._done:,} {self._unit}{self._inside}, {rate:,.1f}/s"
        left = f", about {(self._total - self._done) / rate:,.0f} s left" if rate else ""
        return f"{self._label}: {self._done:,} of {self._total:,} {self._unit}{self._inside}, {rate:,.1f}/s{left}"


@contextmanager
def progress(label: str, total: int | None = None, unit: str = "files") -> Iterator[Progress]:
    """Show progress while the block runs."""
    shown = Progress(label, total, unit)
    try:
        yield shown
    finally:
        shown.close()


@contextmanager
def watched(
    label: str, total: int | None, count: Callable[[], int], unit: str = "files", inside: Callable[[], str] = str
) -> Iterator[None]:
    """Show progress of work done elsewhere (other processes) by asking `count` and `inside` twice a second."""
    stop = threading.Event()

    def poll(shown: Progress) -> None:
        while not stop.wait(POLL_SECONDS):
            shown.reach(count(), inside())

    with progress(label, total, unit) as shown:
        thread = threading.Thread(target=poll, args=(shown,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _open_bar(label: str, total: int | None) -> Any:
    from rich import progress as rich_progress
    from rich.console import Console

    bar = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    bar.add_task(label, total=total)
    bar.start()
    return bar
