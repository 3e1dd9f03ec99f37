"""The end of one file of `dedup`: its output, its decisions, the dead letters of repeated ids, and its books."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.arrays.types import Keys
from corpus.errors import DataError
from corpus.foreign.config import DedupConfig
from corpus.foreign.decisions import decide_documents, kept_places, tags_of
from corpus.foreign.fates import ForeignFates
from corpus.foreign.files import ForeignFile
from corpus.foreign.keys import foreign_places
from corpus.foreign.reading import raw_at
from corpus.foreign.rows import LineReject, bad_line
from corpus.foreign.signing import read_listed, rules_of, sign_file, write_letters
from corpus.foreign.survivor_order import mixed_kinds
from corpus.foreign.writing import write_file
from corpus.stage import task_progress
from corpus.stage.manifest import Books
from corpus.stage.reject_limit import allowed_rejects
from corpus.stage.workspace import Receipt, Workspace
from corpus.storage import parquet

DATA, DECISIONS, REJECTS = "data", "decisions", "rejects"


def conclude_file(
    number: int, file: ForeignFile, workspace: Workspace, config: DedupConfig, fates: ForeignFates, repeated: Keys
) -> Receipt:
    """Write all that comes of a file; a finished one is not written again. repeated: keys of documents whose id is."""
    task = f"write/{file.name}"
    if done := workspace.finished(task):
        return done
    signed = sign_file(number, file, workspace, config)  # done before: what it wrote is read
    listed = read_listed(number, workspace, ["place", "doc_id"])
    numbers, places = foreign_places(repeated)
    again = np.isin(listed.column("place").to_numpy(), places[numbers == number])
    parts = _repeated_letters(file, listed.filter(pa.array(again)), workspace)
    listed = listed.filter(pa.array(~again))
    decisions = decide_documents(number, file.name, listed, fates, tag=config.duplicates == "tag")
    wanted = kept_places(decisions, signed.facts["places"], _bad_places(signed, workspace, places[numbers == number]))
    path = f"{DATA}/{file.name}"
    tags = tags_of(decisions, config.tags) if config.tags else None
    write_file(file, workspace.path(path), wanted, tags, listed.column("place").to_numpy())
    kept = int(np.count_nonzero(decisions.column("kept").to_numpy(zero_copy_only=False)))
    parts.append(workspace.measure(path, role=DATA, rows=kept))
    parts.append(_write_decisions(decisions, file, workspace))
    task_progress.add(workspace.output, "written", kept)
    found = Counter(reason for reason in decisions.column("reason").to_pylist() if reason)
    rejects = Counter(signed.facts["rejects"]) + Counter({str(LineReject.DUPLICATE_ID): int(again.sum())})
    dropped = rejects if config.tags else rejects + found
    books = Books(read=kept + dropped.total(), kept=kept, dropped=dict(sorted(dropped.items())))
    return workspace.finish(Receipt(task=task, parts=tuple(parts), books=books, facts={"duplicates": dict(found)}))


def _write_decisions(decisions: pa.Table, file: ForeignFile, workspace: Workspace) -> Any:
    path = f"{DECISIONS}/{file.name}.parquet"
    parquet.write_table(workspace.path(path), decisions)
    return workspace.measure(path, role=DECISIONS, rows=decisions.num_rows)


def _bad_places(signed: Receipt, workspace: Workspace, repeated: Any) -> Any:
    """Return the places of a file's dead letters, those of repeated ids too."""
    paths = [workspace.find(part.path) for part in signed.parts if part.role == REJECTS]
    lines = [parquet.read_table(path, ["line"]).column("line").to_numpy() - 1 for path in paths]
    return np.concatenate([*lines, repeated]).astype(np.int64)


def _repeated_letters(file: ForeignFile, repeated: pa.Table, workspace: Workspace) -> list[Any]:
    """Write a dead letter for each document whose id an earlier one has; return the part, none for none."""
    if not repeated.num_rows:
        return []
    rows = zip(*(repeated.column(name).to_pylist() for name in ("place", "doc_id")), strict=True)
    raws = raw_at(file, repeated.column("place").to_numpy())
    reason, said = LineReject.DUPLICATE_ID, "an earlier document, by file name and line, has the id"
    letters = [
        bad_line(file.name, place, offset, reason, f"{said} {doc_id[:200]}", raw, doc_id)
        for (place, doc_id), (offset, raw) in zip(rows, raws, strict=True)
    ]
    return [write_letters(letters, f"{REJECTS}/{file.name}.ids.parquet", workspace)]


def check_signed(receipts: Iterable[Receipt], num_repeated: int, config: DedupConfig) -> None:
    """Raise DataError when there are more dead letters than may be, or values by which nobody can choose."""
    receipts = sorted(receipts, key=lambda receipt: receipt.task)
    rejects: Counter[str] = Counter({str(LineReject.DUPLICATE_ID): num_repeated})
    for receipt in receipts:
        rejects.update(receipt.facts["rejects"])
    documents = sum(receipt.facts["documents"] for receipt in receipts) - num_repeated
    bad = rejects.total()
    books = Books(read=documents + bad, kept=documents, dropped=dict(rejects))
    if bad > allowed_rejects(books, config.max_reject_rate):
        raise DataError(_too_many(books, receipts, config))
    for number, rule in enumerate(rules_of(config)):
        kinds = {kind for receipt in receipts for kind in receipt.facts["kinds"][number]}
        if mixed_kinds([*kinds]):
            said = "numbers in some documents and dates in others, which cannot be compared; nothing was committed"
            raise DataError(f"--keep {config.keep[number]}: {rule.key} holds {said}; choose another --keep")
        if rule.key and kinds == {"none"}:
            said = f"no document has a value at {rule.key} that it could go by; nothing was committed"
            raise DataError(f"--keep {config.keep[number]}: {said}; correct the key, or choose another --keep")


def _too_many(books: Books, receipts: Iterable[Receipt], config: DedupConfig) -> str:
    counts = ", ".join(f"{reason} {count:,}" for reason, count in sorted(books.dropped.items()) if count)
    first = next((receipt.facts["first_reject"] for receipt in receipts if receipt.facts["first_reject"]), "")
    advice = "name the text by --text-key and the id by --id-key, or allow more with --max-reject-rate"
    if books.dropped.get(LineReject.DUPLICATE_ID):
        advice += '; --id-key "" lets all documents go by file and line'
    return (
        f"{sum(books.dropped.values()):,} of {books.read:,} lines are no document ({counts}), more than "
        f"max_reject_rate = {config.max_reject_rate}{f': {first}' if first else ''}. Nothing was committed; {advice}"
    )
