"""Error messages and exit codes: an exception to the one line and the code that a user sees.

Our own errors carry their exit code (`pipelines.beam.runner` restores those that Beam's workers raised). A full
disk is exit 5 in whatever library it shows, even when all that is left of it is the text of a worker's
traceback. What is left is a fault of ours: exit 1, and `--debug` shows it.
"""

import errno
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from corpus import errors
from corpus.errors import describe_error, list_problems

INTERRUPTED = 130
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_DISK_FULL_TEXT = (f"[Errno {errno.ENOSPC}]", f"[Errno {errno.EDQUOT}]", "No space left on device")
_PATH_ERRORS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


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
    return f"{type(error).__name__}: {error} (a fault of corpuscle's own; --debug shows where)", 1


def describe_option_errors(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return pydantic's errors in the words of the command line: `--threshold: input should be …`."""
    return [f"--{'.'.join(map(str, item['loc'])).replace('_', '-')}: {describe_error(item)}" for item in found]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from or while handling, nearest first."""
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        seen.append(link)
        yield link
        link = link.__cause__ or link.__context__


def _is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return True
    return any(text in str(error) for text in _DISK_FULL_TEXT)
