"""Faults of object stores and of the system: what is raised then, as the error of ours that says what to do.

botocore, aiohttp, s3fs and gcsfs raise classes of their own, and a worker's come as text: so the text decides, which
holds the class's name, or the number of the system's error.
"""

import errno
import re
from collections.abc import Mapping
from typing import Final

from corpus.errors import CorpuscleError, DiskError, RetryError, UsageError

# (what the text holds, the error, what to say); `{found}` is the line that matched.
_KINDS: Final[tuple[tuple[re.Pattern[str], type[CorpuscleError], str], ...]] = (
    (
        re.compile(r"[^\n]*(?:The specified bucket does not exist|NoSuchBucket|bucket does not exist)[^\n]*"),
        UsageError,
        "there is no such bucket ({found}); create it, or correct the address",
    ),
    (
        re.compile(
            r"[^\n]*(?:NoCredentialsError|PartialCredentialsError|CredentialRetrievalError|TokenRetrievalError|"
            r"DefaultCredentialsError|Unable to locate credentials)[^\n]*"
        ),
        UsageError,
        "the store wants credentials, and there are none ({found}); for s3:// set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY or AWS_PROFILE, for gs:// GOOGLE_APPLICATION_CREDENTIALS; workers need them too",
    ),
    (
        re.compile(
            r"[^\n]*(?:PermissionError: (?:Access Denied|Forbidden)|AccessDenied|InvalidAccessKeyId|"
            r"SignatureDoesNotMatch|ExpiredToken|HttpError: Forbidden)[^\n]*"
        ),
        UsageError,
        "the store refuses this account ({found}); it must be allowed to list, read and write there",
    ),
    (
        re.compile(
            r"[^\n]*(?:EndpointConnectionError|ConnectTimeoutError|ReadTimeoutError|ConnectionClosedError|"
            r"ClientConnectorError|ClientConnectorDNSError|ServerDisconnectedError|ClientOSError|gaierror|"
            r"Name or service not known|Temporary failure in name resolution)[^\n]*"
        ),
        RetryError,
        "the store does not answer ({found}); check the network and the address (AWS_ENDPOINT_URL, "
        "STORAGE_EMULATOR_HOST), then run the same command again",
    ),
    (
        re.compile(r"[^\n]*(?:failed to map segment from shared object|Could not find/load shared object)[^\n]*"),
        RetryError,
        "a library cannot be loaded ({found}); raise `ulimit -v`, or install again if there is memory enough",
    ),
    (
        re.compile(r"[^\n]*\bPath [^\n]* is not valid UTF-8[^\n]*"),
        UsageError,
        "a library of others opens no path that is no UTF-8 ({found}); rename the folder, or give it by a link",
    ),
)
_AGAIN: Final = "then run the same command again"
_BROKEN = (DiskError, f"the disk or the network drive fails; look at it (`dmesg`, the mount), {_AGAIN}")
_NO_MEMORY = (
    RetryError,
    f"the system has no memory or process left; raise `ulimit -u`, or use fewer --workers, {_AGAIN}",
)
_NO_FILES = (
    RetryError,
    f"raise the number of files that may be open (`ulimit -n 4096`) or use fewer --workers, {_AGAIN}",
)
_BAD_PATH = (UsageError, "check the path")
_DENIED = (
    UsageError,
    f"this user may not do that there; see `ls -ld` of it and of its folder (and `lsattr`), {_AGAIN}",
)
_NO_LOCKS = (
    UsageError,
    "this file system has not what is wanted of it (locks, renames); choose a place on a local disk",
)
# What a system says by number that no program can help.
_SYSTEM: Final[Mapping[int, tuple[type[CorpuscleError], str]]] = {
    errno.EFBIG: (DiskError, f"raise the size that a file may have (`ulimit -f`, the file system's), {_AGAIN}"),
    errno.EROFS: (DiskError, "nothing can be written there; choose another place"),
    **dict.fromkeys(
        (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN), _BROKEN
    ),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), _NO_FILES),
    **dict.fromkeys((errno.ENOMEM, errno.EAGAIN), _NO_MEMORY),
    **dict.fromkeys((errno.ENAMETOOLONG, errno.ELOOP), _BAD_PATH),
    **dict.fromkeys((errno.EACCES, errno.EPERM), _DENIED),
    **dict.fromkeys((errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV), _NO_LOCKS),
    **dict.fromkeys((errno.ETXTBSY, errno.EBUSY), (RetryError, f"something else holds it; end that, {_AGAIN}")),
}
_NUMBERED = re.compile(r"\[Errno (\d+)\] ([^\n]*)|can't start new thread")
SHOWN: Final = 300  # characters of a store's words


def store_fault(text: str) -> CorpuscleError | None:
    """Return the error for what a store's client said, with the name of its class; None when it is no such thing."""
    for pattern, kind, words in _KINDS:
        if found := list(pattern.finditer(text)):  # the last is the error; the first may be a line of its traceback
            told = " ".join(found[-1][0].partition(" [while running")[0].split())
            return kind(words.format(found=told if len(told) <= SHOWN else told[: SHOWN - 1] + "…"))
    return None


def system_fault(text: str) -> CorpuscleError | None:
    """Return the error for what the system refused, by the number in the text of an OSError; None where it is ours."""
    for found in reversed([*_NUMBERED.finditer(text)]):
        number = int(found[1]) if found[1] else errno.EAGAIN
        if number in _SYSTEM:
            kind, advice = _SYSTEM[number]
            return kind(f"{(found[2] or found[0])[:SHOWN]}; {advice}")
    return None
