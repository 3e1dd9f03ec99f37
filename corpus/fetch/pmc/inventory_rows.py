"""Rows of an inventory: S3 Inventory's CSV comes in, arrays of PMC ids, versions and ETags go out.

Only keys of the exact form `metadata/PMC<id>.<version>.json` count: no other key is ever made into a path or a request.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from corpus.arrays.hashing import GOLDEN, SPLITMIX_1
from corpus.errors import CorruptError
from corpus.ncbi.archives import gzip_stream

_KEY = r"^metadata/PMC(?P<pmcid>[1-9][0-9]{0,9})\.(?P<version>[1-9][0-9]{0,4})\.json$"
_NIBBLES = np.full(256, 255, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
PmcIds = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """Article versions: `etags` holds 16 bytes a row, the ETag itself where it is an MD5, else its hash."""

    pmcids: PmcIds
    versions: npt.NDArray[np.int32]
    etags: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.pmcids)

    @property
    def name(self) -> str:
        """The first and last id, as they stand in file names."""
        return f"{self.pmcids[0]:010d}-{self.pmcids[-1]:010d}"

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Listing":
        """Return some of the rows."""
        return Listing(pmcids=self.pmcids[rows], versions=self.versions[rows], etags=self.etags[rows])

    def newest(self) -> "Listing":
        """Return the highest version of each PMC id, by number (.10 is above .2), in the order of ids."""
        order = np.lexsort((self.versions, self.pmcids))
        ids = self.pmcids[order]
        last = np.ones(len(ids), np.bool_)
        last[:-1] = ids[1:] != ids[:-1]
        return self.take(order[last])

    def digest(self) -> str:
        """Return the identity of the rows: ids, versions and ETags."""
        state = hashlib.sha256()
        for array in (self.pmcids, self.versions, self.etags):
            state.update(np.ascontiguousarray(array).tobytes())
        return state.hexdigest()


def scatter(pmcids: PmcIds) -> npt.NDArray[np.uint64]:
    """Return a number for each PMC id that depends on it alone and is spread evenly: for samples and machines."""
    mixed = pmcids.astype(np.uint64)
    mixed *= GOLDEN
    mixed ^= mixed >> np.uint64(29)
    mixed *= SPLITMIX_1
    mixed ^= mixed >> np.uint64(32)
    return mixed


def etag_bytes(etag: str) -> bytes:
    """Return the 16 bytes that stand for an ETag."""
    if is_md5(etag):
        return bytes.fromhex(etag)
    return hashlib.blake2b(etag.encode(), digest_size=16).digest()


def is_md5(etag: str) -> bool:
    """Say whether an ETag has the form of an MD5, as that of an object uploaded in one piece has."""
    return len(etag) == 32 and all(letter in "0123456789abcdef" for letter in etag)


def read_listing(path: str, columns: Sequence[str]) -> Iterator[tuple[Listing, int]]:
    """Yield what a data file of an inventory lists, some ten thousand rows at once, with the number of other keys.

    `columns` are the manifest's names, lower-case. Raises CorruptError for a file that is damaged or no such CSV.
    """
    options = csv.ConvertOptions(
        include_columns=[name for name in ("key", "etag", "islatest", "isdeletemarker") if name in columns],
        column_types=dict.fromkeys(columns, pa.string()),
    )
    try:
        with (
            open(path, "rb") as raw,
            csv.open_csv(
                pa.PythonFile(_BlockFile(gzip_stream.chunks(raw, name=path)), mode="r"),
                read_options=csv.ReadOptions(column_names=list(columns), block_size=1 << 20),
                convert_options=options,
            ) as reader,
        ):
            yield from map(_read_batch, reader)
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise CorruptError(f"{path}: not the CSV that its manifest describes ({error}); fetch it again") from error


def _read_batch(batch: pa.RecordBatch) -> tuple[Listing, int]:
    table = pa.table(batch)
    if "islatest" in table.schema.names:  # an inventory of all object versions
        table = table.filter(pc.equal(table["islatest"], "true"))
    if "isdeletemarker" in table.schema.names:
        table = table.filter(pc.not_equal(table["isdeletemarker"], "true"))
    keys = table["key"].combine_chunks()
    if pc.any(pc.match_substring(keys, "%")).as_py():  # S3 Inventory writes keys URL-encoded
        keys = pa.array([unquote(key) for key in keys.to_pylist()], pa.string())
    named = pc.extract_regex(keys, _KEY)
    good = named.is_valid()
    ids = named.filter(good)
    listing = Listing(
        pmcids=pc.struct_field(ids, "pmcid").cast(pa.int64()).to_numpy(zero_copy_only=False),
        versions=pc.struct_field(ids, "version").cast(pa.int32()).to_numpy(zero_copy_only=False),
        etags=_etags(table["etag"].combine_chunks().filter(good)),
    )
    return listing, len(keys) - len(ids)


def _etags(texts: pa.Array) -> npt.NDArray[np.uint8]:
    """Return `etag_bytes` of an array; MD5s, nearly all there are, without a Python string each."""
    lengths = pc.binary_length(texts)
    if len(texts) and not texts.null_count and pc.all(pc.equal(lengths, 32)).as_py():
        letters = np.frombuffer(b"".join(pa.chunked_array([texts]).cast(pa.binary()).to_pylist()), np.uint8)
        halves = _NIBBLES[letters].reshape(-1, 32)
        if not (halves == 255).any():
            return halves[:, ::2] << np.uint8(4) | halves[:, 1::2]
    return np.frombuffer(b"".join(map(etag_bytes, texts.to_pylist())), np.uint8).reshape(-1, 16)


class _BlockFile(io.RawIOBase):
    """Decompressed blocks as the file that pyarrow reads."""

    def __init__(self, blocks: "object") -> None:
        self._blocks = iter(blocks)  # type: ignore[call-overload]
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = block
        taken = self._rest[:size] if size >= 0 else self._rest
        self._rest = self._rest[len(taken) :]
        return taken
