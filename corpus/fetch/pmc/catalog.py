"""Catalog of article versions, sorted by id on the local disk, so that memory holds 8 bytes an article and no more.

Rows come in any order. They are dealt out to files, one a span of ids, and each file is then sorted and filtered alone.
Nothing here is kept over a kill: it is made again from the archived inventory, 1 CPU second a million rows.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from corpus.errors import DiskError
from corpus.fetch.pmc.inventory_rows import Listing, PmcIds, read_listing

_ROW = np.dtype([("pmcid", "<i8"), ("version", "<i4"), ("etag", "u1", (16,))])
_SPAN_BITS = 18  # ids of one file: 262,144, of which some 60 % are open access


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """Article versions in a file, sorted by id, one an id; `rows` are those of the file that count, None for all."""

    path: str
    pmcids: PmcIds
    rows: PmcIds | None = None

    def __len__(self) -> int:
        return len(self.pmcids)

    def take(self, rows: PmcIds) -> "Catalog":
        """Return some of the rows of a whole catalog, given in ascending order."""
        assert self.rows is None
        return replace(self, pmcids=self.pmcids[rows], rows=rows)

    def read(self, first: int, last: int) -> Listing:
        """Return the rows first to last, without the last."""
        size = _ROW.itemsize
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            if self.rows is None:
                raw = os.pread(descriptor, size * (last - first), size * first)
            else:
                raw = b"".join(os.pread(descriptor, size, size * row) for row in self.rows[first:last].tolist())
        finally:
            os.close(descriptor)
        return _listing(np.frombuffer(raw, _ROW))


class CatalogWriter:
    """Appends sorted listings to the file of a catalog."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._pmcids: list[PmcIds] = []
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "wb").close()

    def add(self, listing: Listing) -> None:
        """Append rows whose ids are above all that are there; raises DiskError."""
        self._pmcids.append(listing.pmcids)
        _append(self._path, listing)

    def finish(self) -> Catalog:
        """Return the catalog."""
        return Catalog(path=self._path, pmcids=_joined(self._pmcids))


@dataclass(frozen=True, kw_only=True, slots=True)
class IdPartitions:
    """The rows of an inventory in files of a span of ids each, in the order of ids."""

    folder: str
    num_rows: int  # article versions
    num_others: int  # keys that name no metadata of an article

    def __iter__(self) -> Iterator[Listing]:
        for name in sorted(os.listdir(self.folder)):
            yield _listing(np.fromfile(os.path.join(self.folder, name), _ROW))


def partition_by_id(paths: Sequence[str], columns: Sequence[str], folder: str) -> IdPartitions:
    """Deal out the data files of an inventory below a local folder; raises CorruptError and DiskError."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    num_rows = num_others = 0
    for path in paths:
        for listing, others in read_listing(path, columns):
            spans = listing.pmcids >> _SPAN_BITS
            for span in np.unique(spans).tolist():
                _append(os.path.join(folder, f"{span:06d}"), listing.take(spans == span))
            num_rows += len(listing)
            num_others += others
    return IdPartitions(folder=folder, num_rows=num_rows, num_others=num_others)


def _append(path: str, listing: Listing) -> None:
    rows = np.empty(len(listing), _ROW)
    rows["pmcid"], rows["version"], rows["etag"] = listing.pmcids, listing.versions, listing.etags
    try:
        with open(path, "ab") as sink:
            sink.write(rows.tobytes())
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror}; free space and run the same command again") from error


def _listing(rows: np.ndarray) -> Listing:
    return Listing(
        pmcids=np.ascontiguousarray(rows["pmcid"]),
        versions=np.ascontiguousarray(rows["version"]),
        etags=np.ascontiguousarray(rows["etag"]),
    )


def _joined(parts: Sequence[PmcIds]) -> PmcIds:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
