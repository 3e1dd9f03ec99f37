"""Error messages and exit codes: an exception to the one line and the code that a user sees.

Our own errors carry their exit code (`pipelines.beam.runner` restores those that Beam's workers raised). A full
disk is exit 5 in whatever library it shows, even when all that is left of it is the text of a worker's
traceback. What is left is a fault of ours: exit 1, and `--debug` shows it.
"""

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from corpus import errors
from corpus.errors import describe_error, list_problems
from corpus.storage.faults import store_fault, system_fault

INTERRUPTED = 130
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_DISK_FULL_TEXT = (f"[Errno {errno.ENOSPC}]", f"[Errno {errno.EDQUOT}]", "No space left on device")
_PATH_ERRORS = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)


def explain(error: BaseException) -> tuple[str, int]:
    """Return what to tell the user about an error, without the word `error`, and the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; the same command goes on from the finished parts", INTERRUPTED
    for link in _chain(error):
        if isinstance(link, errors.CorpuscleError):
            return str(link), link.exit_code
        if _is_disk_full(link):
            return f"the disk is full: {link}; free space and run the same command again", errors.DiskError.exit_code
    if type(error).__module__.startswith("pydantic") and hasattr(error, "errors"):
        return list_problems(describe_option_errors(error.errors())), errors.UsageError.exit_code
    if isinstance(error, _PATH_ERRORS) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; check the path", errors.UsageError.exit_code
    if isinstance(error, ImportError) and "install" in str(error):
        advice = "or install all extras: pip install -e '.[gcp,train]' -c constraints.txt"
        return f"{error}; {advice}", errors.UsageError.exit_code
    if isinstance(error, MemoryError):
        return "out of memory; use fewer --workers and run the same command again", errors.RetryError.exit_code
    found = (system_fault(str(link)) for link in _causes(error))
    if fault := store_fault(f"{type(error).__name__}: {error}") or next(filter(None, found), None):
        return str(fault), fault.exit_code
    return f"{type(error).__name__}: {error} (a fault of corpuscle's own; --debug shows where)", 1


def describe_option_errors(
    found: Iterable[Mapping[str, Any]], options: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """Return pydantic's errors in the words of the command line: `--threshold: input should be …`.

    `options` names the option of a field where it is not the field's name. Of a list, the items that are wrong are
    told; that the rest is too short then says nothing more.
    """
    items = list(found)
    of_items = {item["loc"][0] for item in items if len(item["loc"]) > 1}
    told = [item for item in items if not (len(item["loc"]) == 1 and item["loc"][0] in of_items)]
    return [f"{_option(item['loc'], options)}: {describe_error(item)}" for item in told]


def _option(place: Sequence[str | int], options: Mapping[str, str]) -> str:
    """Return the option that a field was given by, without the number of a list's item."""
    names = [str(key) for key in place if isinstance(key, str)]
    return options.get(names[0]) or "--" + ".".join(names).replace("_", "-") if names else "the options"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from or while handling, nearest first."""
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        seen.append(link)
        yield link
        link = link.__cause__ or link.__context__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from; what was merely being handled meanwhile says nothing of it."""
    while error is not None:
        yield error
        error = error.__cause__


def _is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return True
    return any(text in str(error) for text in _DISK_FULL_TEXT)
