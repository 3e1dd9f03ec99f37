"""Documents of a token shard: `<stem>.docs`, 24 bytes a document in the shard's order: its key and its text's hash.

Megatron's index has no room for them. They say which paper each range of tokens is of, and let `pack --update` know a
text that it has encoded before. A row is the document's key, uint64 (`corpus.records.doc_key`), and the XXH3 (128 bits)
of its text in UTF-8, the high half first, both little endian.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from corpus import storage
from corpus.errors import CorruptError
from corpus.records import doc_key

PACKED = np.dtype([("key", "<u8"), ("high", "<u8"), ("low", "<u8")])
PackedDocuments = npt.NDArray[np.void]


def packed_documents(doc_ids: Sequence[str], texts: Sequence[bytes]) -> PackedDocuments:
    """Return the rows, PACKED[num_docs], of documents by their ids and texts in UTF-8."""
    rows = np.empty(len(texts), PACKED)
    digests = np.frombuffer(b"".join(map(xxhash.xxh3_128_digest, texts)), ">u8").reshape(-1, 2)
    rows["key"] = np.fromiter(map(doc_key, doc_ids), np.uint64, len(doc_ids))
    rows["high"], rows["low"] = digests[:, 0], digests[:, 1]
    return rows


def write_documents(stem: str, batches: Iterable[PackedDocuments]) -> None:
    """Write `<stem>.docs` from the rows of the documents, in batches."""
    with storage.write_atomic(stem + ".docs") as sink:
        for rows in batches:
            sink.write(rows.tobytes())


def read_documents(path: str, documents: int) -> PackedDocuments:
    """Return the rows, PACKED[documents], of a shard; raises CorruptError when the file does not fit."""
    with storage.open_read(path) as source:
        raw = source.read()
    if len(raw) != documents * PACKED.itemsize:
        raise CorruptError(
            f"{path}: {len(raw)} bytes for {documents} documents; remove its directory and run `corpuscle pack` again"
        )
    return np.frombuffer(raw, PACKED)
