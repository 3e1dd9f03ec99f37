"""The tasks of `passages`: hashes of a part, tallies of a part, the list; each finished one is not done again.

What the two passes find in a part goes to `_work`, with a receipt that says of what it was made.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from corpus import storage
from corpus.arrays.types import Hashes
from corpus.passages.config import PassagesConfig
from corpus.passages.counting import MOST_TALLIES, PassageCounts, hash_rows, tally_batch, tally_rows
from corpus.passages.listing import listing
from corpus.passages.reading import PassageSource, passage_batches
from corpus.passages.rows import CountRow, Passage
from corpus.stage import task_progress
from corpus.stage.manifest import Books, Manifest
from corpus.stage.workspace import WORK, Receipt, Workspace
from corpus.storage import parquet
from corpus.storage.schema import schema_of, to_table

PASSAGES, REPORT = "passages", "report"
_WORK_LEVEL = 1  # of zstd, for files that do not stay


def hashed_path(number: int) -> str:
    """Return the path, relative to the output, of the hashes of a part."""
    return f"{WORK}/hashed/{number:05d}.rows"


def tallied_path(number: int) -> str:
    """Return the path, relative to the output, of the tallies of a part."""
    return f"{WORK}/tallied/{number:05d}.parquet"


def hash_part(number: int, source: PassageSource, workspace: Workspace, config: PassagesConfig) -> Receipt:
    """Write HASH_ROW of each batch of a part, one behind the other; the receipt says how many rows each has."""
    task = f"hashed/{number:05d}"
    if done := workspace.finished(task, of=source.sha256):
        return done
    sizes: list[int] = []
    documents = passages = text_bytes = 0
    with storage.write_atomic(workspace.path(hashed_path(number))) as sink:
        for batch in passage_batches(source):
            rows = hash_rows(batch, config)
            sink.write(rows.tobytes())
            sizes.append(len(rows))
            documents, passages = documents + len(batch.doc_ids), passages + len(batch.texts)
            text_bytes += batch.line_bytes
            task_progress.add(workspace.output, "documents hashed", len(batch.doc_ids))
    return workspace.finish(
        Receipt(
            task=task,
            work=(workspace.measure_work(hashed_path(number)),),
            books=Books(read=documents, kept=documents),
            facts={"sizes": sizes, "passages": passages, "text_bytes": text_bytes},
        ),
        of=source.sha256,
    )


def hashed_rows(number: int, receipt: Receipt, workspace: Workspace, kind: np.dtype) -> Iterator[np.ndarray]:
    """Yield what `hash_part` wrote of a part, batch by batch."""
    with storage.open_read(workspace.path(hashed_path(number))) as source:
        for size in receipt.facts["sizes"]:
            yield np.frombuffer(source.read(size * kind.itemsize), kind)


def tally_part(
    number: int, source: PassageSource, frequent: Hashes, workspace: Workspace, config: PassagesConfig
) -> Receipt:
    """Write the tallies of the passages of a part whose hash is among some, ascending."""
    task, of = f"tallied/{number:05d}", f"{source.sha256} {hashlib.sha256(frequent.tobytes()).hexdigest()}"
    if done := workspace.finished(task, of=of):
        return done
    tallies: PassageCounts = {}
    with parquet.open_writer(workspace.path(tallied_path(number)), schema_of(CountRow), level=_WORK_LEVEL) as sink:
        for batch in passage_batches(source):
            tally_batch(batch, frequent, config, tallies)
            if len(tallies) >= MOST_TALLIES:
                sink.write_table(to_table(tally_rows(tallies), CountRow))
                tallies.clear()
            task_progress.add(workspace.output, "documents counted", len(batch.doc_ids))
        if tallies:
            sink.write_table(to_table(tally_rows(tallies), CountRow))
    return workspace.finish(Receipt(task=task, work=(workspace.measure_work(tallied_path(number)),)), of=of)


def tallied_batches(number: int, workspace: Workspace) -> Iterator[pa.RecordBatch]:
    """Yield what `tally_part` wrote of a part, some rows at a time."""
    yield from parquet.iter_batches(workspace.path(tallied_path(number)))


def finish_passages(
    workspace: Workspace, found: Sequence[Passage], receipts: Iterable[Receipt], numbers: dict[str, Any]
) -> Manifest:
    """Write the list of passages and its page, and commit."""
    hashed = [receipt for receipt in receipts if receipt.task.startswith("hashed/")]
    books = sum((receipt.books for receipt in hashed), Books())
    summary: dict[str, Any] = {
        "documents": books.read,
        "passages_read": sum(receipt.facts["passages"] for receipt in hashed),
        "text_bytes": sum(receipt.facts["text_bytes"] for receipt in hashed),
        **numbers,
        "passages": len(found),
        "passages_that_stay": sum(not passage.rule for passage in found),
    }
    parquet.write_table(workspace.path("passages.parquet"), to_table(found, Passage))
    with storage.write_atomic(workspace.path("passages.md")) as sink:
        sink.write(listing(found, summary).encode("utf-8", "surrogatepass"))
    parts = (
        workspace.measure("passages.parquet", role=PASSAGES, rows=len(found)),
        workspace.measure("passages.md", role=REPORT, rows=0),
    )
    return workspace.commit([Receipt(task="list", parts=parts, books=books)], summary=summary)
