"""Files by path, local or remote: plain paths, `gs://…`, `s3://…`, anything fsspec knows.

A file appears under its final name whole or not at all: locally by temporary name, fsync and rename,
on object stores by the store's own atomic put.
"""

import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import IO, Any

import xxhash

from corpus.errors import DiskError, RetryError, UsageError

CHUNK = 1 << 20
TEMPORARY = ".tmp-"  # starts the name of a file that is being written
_TEMPORARY_NAME = re.compile(re.escape(TEMPORARY) + r".+-\d+-[0-9a-f]+")  # its name, the process, and a random number
_STRAY_BYTE = re.compile("[\udc80-\udcff]")  # how Python's paths hold bytes that are no UTF-8


def is_remote(path: str) -> bool:
    """Say whether a path names an object store rather than a local file."""
    return "://" in str(path)


def join(base: str, *names: str) -> str:
    """Join names to a base path with forward slashes."""
    return "/".join([str(base).rstrip("/"), *names])


def base_name(path: str) -> str:
    """Return the last component of a path."""
    return PurePosixPath(str(path)).name


def readable(text: str) -> str:
    r"""Return text with each byte of a path that is no UTF-8 as `\xff`, which records, JSON and terminals can hold."""
    return _STRAY_BYTE.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def readable_name(path: str) -> str:
    """Return the last component of a path as it stands in records, manifests and names of parts."""
    return readable(base_name(path))


def open_read(path: str) -> IO[bytes]:
    """Open a file for reading raw bytes, never decompressing.

    Raises UsageError for a pipe, a socket or a device: reading one might never end, and gives each byte once.
    """
    if is_remote(path):
        return _remote_open(path, "rb")
    return open(path, "rb", opener=_open_regular)


def _open_regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)  # which for a pipe would wait for somebody who writes
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # `open` refuses a folder itself
        os.close(descriptor)
        raise UsageError(f"{path}: {kind_of_special(mode)}, not a regular file; save what it gives, and name that file")
    return descriptor


def kind_of_special(mode: int) -> str:
    """Return what a file of some mode is that is no regular one: `a pipe`."""
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def exists(path: str) -> bool:
    """Say whether a file or directory exists."""
    if is_remote(path):
        return bool(_filesystem(path).exists(path))
    return os.path.exists(path)


def size(path: str) -> int:
    """Return a file's size in bytes."""
    if is_remote(path):
        return int(_filesystem(path).size(path))
    return os.path.getsize(path)


def version(path: str) -> str:
    """Return a word that changes when a file is replaced or written again, as far as its system tells; "" for none."""
    if is_remote(path):
        fs = _filesystem(path)
        fs.invalidate_cache()
        try:
            return str(fs.ukey(path))
        except FileNotFoundError:
            return ""
    try:
        about = os.stat(path)
    except OSError:
        return ""
    return f"{about.st_dev}-{about.st_ino}-{about.st_size}-{about.st_mtime_ns}"


def list_names(base: str) -> list[str]:
    """Return the sorted names of what lies in a directory, none when it is not there."""
    if not is_remote(base):
        return sorted(os.listdir(base)) if os.path.isdir(base) else []
    fs = _filesystem(base)
    try:
        found = fs.ls(base, detail=False, refresh=True)
    except FileNotFoundError:
        return []
    finally:
        fs.invalidate_cache()  # worker processes are about to write there, unseen by a kept listing, of the parent too
    root = fs._strip_protocol(base).rstrip("/")
    return sorted({base_name(path) for path in found if path.rstrip("/") != root})


def holds_files(base: str, *, but: Collection[str] = ()) -> bool:
    """Say whether any file lies in a directory or below it, but in its entries `but` and what `write_atomic` left."""
    for name in set(list_names(base)) - set(but):
        path = join(base, name)
        folder = not is_remote(base) and os.path.isdir(path) and not os.path.islink(path)
        names = (file for _, _, files in os.walk(path) for file in files) if folder else iter((name,))
        if any(not _TEMPORARY_NAME.fullmatch(file) for file in names):
            return True
    return False


def walk_files(base: str) -> list[str]:
    """Return the sorted paths, relative to base, of all files below it."""
    return sorted(walk_sizes(base))


def walk_sizes(base: str) -> dict[str, int]:
    """Return the sizes in bytes of all files below a directory, by path relative to it; one listing of a remote one."""
    if is_remote(base):
        fs = _filesystem(base)
        fs.invalidate_cache()  # other processes write there too
        root = fs._strip_protocol(base).rstrip("/") + "/"
        found = fs.find(base, detail=True).items()
        return {path[len(root) :]: int(facts["size"]) for path, facts in found if path.startswith(root)}
    sizes = {}
    for name in (os.path.join(folder, name) for folder, _, names in os.walk(base) for name in names):
        with suppress(FileNotFoundError):  # a stage at work renames and removes files while another process looks
            sizes[os.path.relpath(name, base)] = os.lstat(name).st_size
    return sizes


def remove_tree(path: str) -> None:
    """Remove a directory and all below it, if it is there."""
    if is_remote(path):
        if exists(path):
            with suppress(FileNotFoundError):  # another process removed it meanwhile
                _filesystem(path).rm(path, recursive=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def remove_file(path: str) -> None:
    """Remove a file, if it is there."""
    if is_remote(path):
        if exists(path):
            with suppress(FileNotFoundError):
                _filesystem(path).rm(path)
        return
    with suppress(FileNotFoundError):
        os.unlink(path)


def remove_temporary(base: str, *, but_below: Collection[str] = ()) -> None:
    """Remove what a killed `write_atomic` left below a local directory; nobody may be writing there.

    A sub-directory that holds a file of one of the names `but_below` is another's, who may be writing: it is left.
    """
    if is_remote(base):
        return
    for folder, folders, names in os.walk(base):
        if folder != base and not set(but_below).isdisjoint(names):
            folders.clear()
            continue
        for name in names:
            if _TEMPORARY_NAME.fullmatch(name):
                remove_file(join(folder, name))


def put_also(path: str, other: str) -> None:
    """Give the content of a file a second path, in one step: a link, or a copy where a disk has none, as on a bucket.

    Raises DiskError when there is no room for a copy.
    """
    if is_remote(path):
        fs = _filesystem(path)
        fs.cp_file(fs._strip_protocol(path), fs._strip_protocol(other))
        return
    folder = os.path.dirname(other)
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(other) and os.path.samefile(path, other):
        return
    temporary = _temporary(other)
    try:
        os.link(path, temporary)
    except OSError:
        with write_atomic(other) as sink, open_read(path) as source:
            shutil.copyfileobj(source, sink, CHUNK)
    else:
        publish(temporary, other)


def _temporary(path: str) -> str:
    return os.path.join(
        os.path.dirname(path) or ".", f"{TEMPORARY}{os.path.basename(path)}-{os.getpid()}-{os.urandom(4).hex()}"
    )


@contextmanager
def write_atomic(path: str) -> Iterator[IO[bytes]]:
    """Yield a binary file that appears at `path` only when the block ends without an error.

    Raises DiskError, naming the path, when the disk is full or not writable, RetryError when its directory vanishes.
    """
    if is_remote(path):
        with _remote_write(path) as sink:
            yield sink
        return
    temporary = _temporary(path)
    try:
        os.makedirs(os.path.dirname(temporary), exist_ok=True)
        with open(temporary, "wb") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        publish(temporary, path)
    except FileNotFoundError as error:
        if error.filename != temporary:
            raise  # of something that the block reads
        raise RetryError(f"{path}: its directory vanished while it was written; run the same command again") from error
    except IsADirectoryError as error:
        raise UsageError(
            f"{path}: a folder is where this file goes; move it away, and run the command again"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise DiskError(f"cannot write {path}: {error.strerror}; free space or choose another --output") from error
        raise
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def sha256_file(path: str) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    return _hashed(path, hashlib.sha256())


def xxh3_file(path: str) -> str:
    """Return the XXH3 hash of a file's bytes, 128 bits in hex: against damage, not against an opponent.

    For files that no one else ever gets; SHA-256 would take longer than reading them does.
    """
    return _hashed(path, xxhash.xxh3_128())


def _hashed(path: str, digest: Any) -> str:
    room = bytearray(CHUNK)
    with open_read(path) as source:
        while size := source.readinto(room):  # type: ignore[attr-defined]
            digest.update(memoryview(room)[:size])
    return str(digest.hexdigest())


def publish(temporary: str, path: str) -> None:
    """Give a local file that is written and synced its name, in the same folder, for good."""
    os.replace(temporary, path)
    sync_path(os.path.dirname(path) or ".")


def sync_path(path: str) -> None:
    """Make the bytes of a local file, or the names in a local folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remote_open(path: str, mode: str) -> IO[bytes]:
    return _filesystem(path).open(path, mode)


@contextmanager
def _remote_write(path: str) -> Iterator[IO[bytes]]:
    sink: Any = _remote_open(path, "wb")
    whole = False
    try:
        yield sink
        whole = True
    finally:
        if not whole:
            with suppress(AttributeError):  # of files in memory
                sink.closed = True  # closed or forgotten, a file of fsspec puts what it has under the final name
            with suppress(Exception):  # the error that ended the block is the one to tell
                sink.discard()
    sink.close()


def _filesystem(path: str) -> Any:
    import fsspec  # 0.35 s, and local paths never need it

    return fsspec.core.url_to_fs(path)[0]
