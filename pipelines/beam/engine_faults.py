"""Faults of engines: what a runner of Beam raises, as the error of ours that says what to do.

An engine hands on the text of what happened elsewhere: a worker's traceback, a gRPC status, an HTTP answer. Kinds are
told by that text, the most telling first; what no row knows and has a traceback is an error of our own code there.
"""

import re
from typing import Final

from corpus import errors
from corpus.errors import CorpuscleError, DiskError, RetryError, UsageError
from corpus.storage.faults import store_fault

SHOWN: Final = 400  # characters of an engine's words
_OWN_ERROR = re.compile(r"corpus\.errors\.(\w+): (.*?)(?: \[while running|\n\n|\\n|\Z)", re.DOTALL)
_AGAIN = "finished parts are kept: run the same command again"

# (what the text holds, the error, what to say); `{found}` is what matched, or a group of it.
_KINDS: Final[tuple[tuple[re.Pattern[str], type[CorpuscleError], str], ...]] = (
    (
        re.compile(r"No module named '[^']+'|cannot import name '[^']+'|Can't get attribute '?[^\s,]+"),
        UsageError,
        "a worker lacks what this command has ({found}); its image or environment must hold corpuscle of this version "
        "and all that it needs, with the extra for the store (gcp, s3)",
    ),
    (
        re.compile(r"[^\n]*No space left on device[^\n]*"),
        DiskError,
        "the disk of a worker is full ({found}); give the workers more disk, then run the same command again",
    ),
    (re.compile(r"MemoryError"), RetryError, "a worker is out of memory; give the workers more, or fewer threads each"),
    (
        re.compile(
            r"Unable to (?:fetch remote [^\n]*?(?:: HTTP Error \d+: [\w ]+|(?=\. Also)|$)|parse (?:jar|binary) URL "
            r'"[^"]*")',
            re.MULTILINE,
        ),
        UsageError,
        "its program cannot be had: {found}. Put the file on this machine and name it after `--`: "
        "--flink_job_server_jar=PATH, --spark_job_server_jar=PATH or --prism_location=PATH",
    ),
    (
        re.compile(r"(?i)state:? CANCELLED|JOB_STATE_CANCELLED|in state Cancelled"),
        RetryError,
        f"the job was cancelled on the engine; {_AGAIN}",
    ),
    (
        # Google's client: the kind of refusal, the request, and in words why.
        re.compile(
            r"(?:BadRequest|Unauthorized|Forbidden|NotFound|Conflict|AlreadyExistsError): (?:\d{3} \w+ \S+: )?([^\n]+)"
        ),
        UsageError,
        "it refuses the job: {found}; correct the flags after `--`, or the rights of this account",
    ),
    (
        re.compile(
            r"(?i)INVALID_ARGUMENT[^\n]*|UNIMPLEMENTED[^\n]*|FAILED_PRECONDITION[^\n]*|HttpError[^\n]*|"
            r"[^\n]*unsupported feature[^\n]*"
        ),
        UsageError,
        "it refuses the job: {found}",
    ),
)
_DETAILS = re.compile(r'details = "(.*)"')  # of a gRPC error, whose text has many lines
_LOST = re.compile(
    r"(?i)UNAVAILABLE|code = Canceled|connection reset|Socket closed|EOF|lost contact with|data stream closed|"
    r"worker[^\n]* (?:lost|died|disconnected|stopped)|FutureTimeoutError|DEADLINE_EXCEEDED|context canceled"
)


def own_error(text: str) -> CorpuscleError | None:
    """Return the project's own error whose traceback a runner handed on."""
    found = _OWN_ERROR.search(text)
    kind = getattr(errors, found[1], None) if found else None
    if found and isinstance(kind, type) and issubclass(kind, CorpuscleError):
        return kind(found[2].strip())
    return None


def translated(error: BaseException, engine: str) -> BaseException:
    """Return what to raise for an engine's error: one of ours, or itself where our own code failed on a worker."""
    if isinstance(error, CorpuscleError):
        return error
    text = f"{type(error).__name__}: {error}"
    if (own := own_error(text)) is not None:
        return own
    if (fault := store_fault(text)) is not None:
        return type(fault)(f"{engine}: {fault}")
    for pattern, kind, words in _KINDS:
        if found := pattern.search(text):
            return kind(f"{engine}: {words.format(found=_short(found[found.lastindex or 0]))}")
    if isinstance(error, FileNotFoundError) and error.filename == "java":
        return UsageError(f"{engine}: needs Java, and there is none; install a runtime (Java 11 or newer)")
    if "Traceback (most recent call last)" in text:
        return error
    if _LOST.search(text):
        return RetryError(f"{engine}: the engine or a worker was lost ({_short(text)}); {_AGAIN}")
    return RetryError(f"{engine}: the job failed: {_short(text)}; the engine's console says more; {_AGAIN}")


def _short(text: str) -> str:
    """Return what gRPC says, or the last line that says something, cut."""
    if found := _DETAILS.search(text):
        text = found[1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = " ".join((lines or ["nothing said"])[-1].split())
    return told if len(told) <= SHOWN else told[: SHOWN - 1] + "…"
