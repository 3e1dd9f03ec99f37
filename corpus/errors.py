"""The error tree: what a user sees as one line, and the exit code a script sees.

Every message says what happened, where, why, and what to do next. Broken invariants of our own are
`assert`s, not these.
"""


class CorpuscleError(Exception):
    """Base of all errors that end a command with one line instead of a traceback."""

    exit_code = 1


class UsageError(CorpuscleError, ValueError):
    """The command, configuration or paths given cannot work; nothing was done."""

    exit_code = 2


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
