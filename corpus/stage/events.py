"""Events of a running stage: start, progress, messages, and the end or the failure with its exit code, as JSON lines.

`events.jsonl` beside the manifest is for whoever operates stages; like `run.json` it holds times and is no part of the
data. A stage that is up to date leaves no line, since nothing happened. With `--log-format json` the same events go to
standard error in place of text.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

from corpus import storage
from corpus.errors import UsageError
from corpus.stage.explain import explain

EVENTS_LOG: Final = "events.jsonl"
LOG_FORMAT: Final = "CORPUSCLE_LOG_FORMAT"  # an environment variable, so that a training's ranks have it too
_CAUSE_LENGTH: Final = 2000

Event = dict[str, Any]
_listeners: list[Callable[[Event], None]] = []


def logs_are_json() -> bool:
    """Say whether standard error takes events in place of text."""
    return os.environ.get(LOG_FORMAT) == "json"


def forget_listeners() -> None:
    """Have events of this process go to no log of a stage: in a copy of the process that runs it."""
    _listeners.clear()


def emit(event: str, **facts: Any) -> None:
    """Tell an event: to the log of the stage that runs, and to standard error where that takes events."""
    told: Event = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
    told |= {name: storage.readable(fact) if isinstance(fact, str) else fact for name, fact in facts.items()}
    for listener in tuple(_listeners):
        listener(told)
    if logs_are_json():
        print(json.dumps(told, ensure_ascii=False), file=sys.stderr, flush=True)


class _Log:
    """The lines of one run, held back until something has happened that deserves a file."""

    def __init__(self, output: str) -> None:
        self._path, self._waiting = storage.join(output, EVENTS_LOG), list[str]()
        self._remote = storage.is_remote(output)

    def add(self, event: Event) -> None:
        """Take an event; progress says that there is work, and from then on lines are written at once."""
        self._waiting.append(json.dumps(event, ensure_ascii=False) + "\n")
        if event["event"] == "progress" and not self._remote:
            self.write()

    def write(self) -> None:
        """Append what waits (on a bucket: instead of the last run's log); one that cannot be written fails nothing."""
        lines, self._waiting = "".join(self._waiting), []
        with suppress(OSError):
            if self._remote:
                with storage.write_atomic(self._path) as sink:
                    sink.write(lines.encode())
            elif os.path.isdir(os.path.dirname(self._path)):
                with open(self._path, "a", encoding="utf-8") as sink:
                    sink.write(lines)


@contextmanager
def recorded_events(output: str, committed: Callable[[], Event | None]) -> Iterator[None]:
    """Record the events of a stage at work in `output`; `committed` says at the end what it committed, if anything.

    Of nested stages each has its own log, and the outer one has the lines of the inner ones too.
    """
    log = _Log(output)
    _listeners.append(log.add)
    try:
        emit("start", output=output, pid=os.getpid())
        yield
        if (done := committed()) is not None:
            emit("end", output=output, code=0, **done)
            log.write()
    except BaseException as error:
        emit("failure", output=output, **failure_of(error))
        if not isinstance(error, UsageError):  # with which nothing was done, so that nothing is written either
            log.write()
        raise
    finally:
        _listeners.remove(log.add)


def failure_of(error: BaseException) -> Event:
    """Return exit code, kind and cause of what ends a stage."""
    if isinstance(error, SystemExit):
        return {"code": error.code, "error": "Stopped", "cause": "stopped by a signal; the same command goes on"}
    message, code = explain(error)
    return {"code": code, "error": type(error).__name__, "cause": message[:_CAUSE_LENGTH]}
