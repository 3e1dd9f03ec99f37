"""Source of each document of a token shard: `<stem>.src`, one byte a document, in the shard's order.

Megatron's index has no room for it, and losses by source and source weights need it. A byte is the index of the
source in `SOURCES`; that order is part of the format.
"""

from collections.abc import Iterable

import numpy as np

from corpus import storage
from corpus.errors import CorruptError
from tokenizer.arrays import SourceCodes

SOURCES = ("pubmed", "pmc")


def write_sources(stem: str, batches: Iterable[SourceCodes]) -> None:
    """Write `<stem>.src` from the codes of the documents, in batches."""
    with storage.write_atomic(stem + ".src") as sink:
        for codes in batches:
            sink.write(codes.tobytes())


def read_sources(path: str, documents: int) -> SourceCodes:
    """Return the source code of each document, uint8[documents]; raises CorruptError when the file does not fit."""
    with storage.open_read(path) as source:
        codes = np.frombuffer(source.read(), np.uint8)
    if len(codes) != documents or (codes >= len(SOURCES)).any():
        raise CorruptError(
            f"{path}: {len(codes)} documents' sources for {documents} documents, or an unknown one; "
            "remove its directory and run `corpuscle pack` again"
        )
    return codes
