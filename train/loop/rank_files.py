"""Files of a checkpoint that one rank writes: now, or from a copy in host memory while training goes on.

Written later they have the same bytes: torch's own pickler makes the records of each file, storages in them are copied,
and the records go into the same writer of zip files. Each rank hashes and syncs what it wrote, so that nobody reads
back what other machines wrote, and a sync reaches the pages of the machine that has them.
"""

import os
import pickle
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from safetensors import SafetensorError

from corpus import storage
from corpus.errors import CorpuscleError, DiskError
from train.checkpoint import store
from train.checkpoint.store import FileHash
from train.loop.device import on_gpu

FULL_BYTES = 1 << 20  # a disk with less is full
_HASH_THREADS = 4
_PROTOCOL = 2  # of pickle, as torch.save has it

ZipRecord = tuple[str, Any, int]  # of a zip file: name, bytes or storage, size


class RankFiles:
    """Files of a rank in a checkpoint's folder; what could not be written is noted, for the ranks go on together."""

    def __init__(self, folder: str, *, later: bool = False, offloaded: bool = False) -> None:
        """Take the folder; `later`: copy now and write in `finish`; `offloaded`: states live in pinned host memory."""
        self.folder, self.later, self._offloaded = folder, later, offloaded
        self.failures: list[str] = []
        self.hashes: dict[str, FileHash] = {}  # of all that were written, by their name in the checkpoint
        self._names: list[str] = []
        self._work: list[Callable[[], None]] = []
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def save(self, state: Any, path: str, write: Callable[[Any, str], Any]) -> None:
        """Write an object as torch.save does, by `write`; later from a copy."""
        if not self.later:
            return self.do(lambda: write(state, path), path)
        try:
            records = record(state, offloaded=self._offloaded)
        except (RuntimeError, MemoryError) as error:
            self.failures.append(f"{self.folder}: no memory for a copy: {_first_line(error)}")
            return None
        return self.do(lambda: write_records(records, path), path)

    def do(self, write: Callable[[], Any], path: str) -> None:
        """Write a file by a function that needs nothing that training changes; later, where that is asked for."""
        self._names.append(os.path.relpath(path, self.folder))
        if self.later:
            self._work.append(lambda: self.noting(write))
        else:
            self.noting(write)

    def noting(self, write: Callable[[], Any]) -> None:
        """Write, and note why it could not be done."""
        try:
            write()
        except (OSError, RuntimeError, SafetensorError) as error:  # torch's and safetensors' own say no errno
            full = shutil.disk_usage(os.path.dirname(self.folder)).free < FULL_BYTES
            reason = "no space left on the disk" if full else _first_line(error)
            self.failures.append(f"{self.folder}: cannot be written: {reason}")

    def finish(self) -> None:
        """Write what was put off, then hash and sync all of it."""
        for write in self._work:
            if not self.failures:
                write()
        self._work = []
        if self.failures:
            return
        paths = [storage.join(self.folder, name) for name in self._names]
        try:
            with ThreadPoolExecutor(_HASH_THREADS) as pool:
                self.hashes = dict(zip(self._names, pool.map(store.hash_and_sync, paths), strict=True))
        except (OSError, CorpuscleError) as error:
            self.failures.append(f"{self.folder}: cannot be written: {_first_line(error)}")

    def start(self) -> None:
        """Finish in a thread."""
        self._thread = threading.Thread(target=self._finish_in_thread, name="checkpoint")
        self._thread.start()

    def is_written(self) -> bool:
        """Say whether `finish` has come to its end."""
        return self._thread is None or not self._thread.is_alive()

    def wait(self) -> None:
        """Wait for the thread, if there is one; raises what went wrong in it beyond a write."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _finish_in_thread(self) -> None:
        try:
            self.finish()
        except BaseException as error:  # noqa: BLE001  raised where the rank waits for it
            self._error = error


@dataclass(frozen=True, kw_only=True, slots=True)
class SaveInMaking:
    """A save whose files are not published yet."""

    done: int  # its step [steps]
    files: RankFiles  # of this rank


def raise_failures(of_ranks: list[list[str]]) -> None:
    """Raise DiskError with the first failure of any rank."""
    if everything := [failure for own in of_ranks for failure in own]:
        raise DiskError(everything[0])


def record(state: Any, *, offloaded: bool = False) -> list[ZipRecord]:
    """Return the records that torch.save would write of an object, none of which shares memory with it."""
    recorder = _Recorder(keep_pinned=not offloaded)
    with _pinned_copies() if on_gpu() else nullcontext():
        torch.serialization._save(state, recorder, pickle, _PROTOCOL, False)
    return recorder.records


def write_records(records: list[ZipRecord], path: str) -> None:
    """Write the file that torch.save writes of such records."""
    with torch.serialization._open_zipfile_writer(path) as writer:
        for name, data, size in records:
            writer.write_record(name, data, size)


def _pinned_copies() -> AbstractContextManager[Any]:
    """Have torch copy from a GPU into pinned memory, which is several times as fast; of torch 2.7 and later."""
    try:
        from torch.utils.serialization import config
    except ImportError:
        return nullcontext()
    patch = cast(Any, config).patch
    return cast(AbstractContextManager[Any], patch({"save.use_pinned_memory_for_d2h": True}))


class _Recorder:
    """What torch's pickler takes for the writer of a zip file."""

    def __init__(self, *, keep_pinned: bool) -> None:
        self.records: list[ZipRecord] = []
        self._keep_pinned = keep_pinned

    def write_record(self, name: str, data: Any, size: int) -> None:
        """Take a record; of a storage a copy, unless it is one already, made of a GPU's memory."""
        if isinstance(data, torch.UntypedStorage) and not (self._keep_pinned and data.is_pinned()):
            data = data.clone()
        self.records.append((name, data, size))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [repr(error)])[0][:300]
