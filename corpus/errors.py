"""The error tree: what a user sees as one line, and the exit code a script sees.

Every message says what happened, where, why, and what to do next. Broken invariants of our own are
`assert`s, not these. The words for pydantic's errors are here too: options, run files and training files share them.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any


class CorpuscleError(Exception):
    """Base of all errors that end a command with one line instead of a traceback."""

    exit_code = 1


class UsageError(CorpuscleError, ValueError):
    """The command, configuration or paths given cannot work; nothing was done."""

    exit_code = 2


class OtherResultError(UsageError):
    """A directory holds a finished stage made with something else; `can_update` says that `--update` replaces it."""

    def __init__(self, found: str, can_update: bool = False) -> None:
        """Take the differences; what to do about them is said of a stage's verb, by `corpuscle run` of its file."""
        advice = "Add --update to bring it up to date, choose" if can_update else "Choose"
        super().__init__(f"{found}\n{advice} another --output, or remove that directory.")
        self.found, self.can_update = found, can_update

    def __reduce__(self) -> tuple[type["OtherResultError"], tuple[str, bool]]:
        """Return what makes it again in another process."""
        return type(self), (self.found, self.can_update)


class DataError(CorpuscleError):
    """The data broke a threshold or the books do not balance; nothing was committed."""

    exit_code = 3


class CorruptError(CorpuscleError):
    """A file is not what its checksum, manifest or format says."""

    exit_code = 4


class DiskError(CorpuscleError):
    """The disk is full or refused a write."""

    exit_code = 5


class RetryError(CorpuscleError):
    """A worker or a resource went away; the same command may succeed when run again."""

    exit_code = 75


class NotYetError(RetryError):
    """Nothing is wrong, but the rest is somebody else's to do first; said without the word error."""


def list_problems(problems: Iterable[str]) -> str:
    """Return one message of all problems: the problem when there is one, else a list, one a line."""
    lines = list(problems)
    return lines[0] if len(lines) == 1 else "\n  ".join([f"{len(lines)} things are wrong:", *lines])


def describe_error(item: Mapping[str, Any], known: Iterable[str] = ()) -> str:
    """Return one of pydantic's errors as a phrase; `known` are the keys allowed where it happened."""
    if item["type"] == "extra_forbidden":
        return f"unknown key {item['loc'][-1]!r}{did_you_mean(str(item['loc'][-1]), known)}"
    if item["type"] == "missing":
        return f"{item['loc'][-1]!r} is required"
    message = str(item["msg"]).removeprefix("Value error, ")
    given = "" if item["type"] == "value_error" else f" (got {repr(item['input'])[:200]})"
    return message[:1].lower() + message[1:] + given


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the known name nearest to a misspelled one, or nothing when none is near."""
    names = sorted(set(known))
    same = [other for other in names if _plain(other) == _plain(name)]
    near = same or get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _plain(name: str) -> str:
    return name.strip("-").replace("-", "_").lower()
