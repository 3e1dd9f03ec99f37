"""Changes between two states of a corpus: which documents came, went, read otherwise or moved to another split.

In: two assembled corpora, as lists of files. Out: a row for each document that is not the same in both, the change
feed. Applied to the old state it gives the new one (`apply`). A document is known by its key and compared by the
SHA-256 of its text and a hash of its other columns; shards that both corpora have are not read. What is held of a
document is 72 bytes, so both states of all of PubMed and PMC fit in 7 GB.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from corpus import storage
from corpus.arrays.lookup import index_in_sorted
from corpus.reasons import DropReason
from corpus.records import doc_id, doc_key
from corpus.stage.manifest import SPLITS, Part
from corpus.storage import parquet

NO_RECORD: Final = "no_record"
# What is said of records that are not the live one of their document.
_REPLACED: Final = (DropReason.SUPERSEDED, DropReason.OLDER_VERSION, DropReason.DELETION_NOTICE)
_STATE: Final = np.dtype([("key", "<u8"), ("text", "<u8", (4,)), ("rest", "<u8"), ("split", "u1")])
DocumentStates = npt.NDArray[np.void]


class ChangeKind(StrEnum):
    """What became of a document between two states of a corpus."""

    ADDED = "added"  # it was not in the corpus, and is now
    REMOVED = "removed"  # it was in the corpus, and is not now
    CHANGED = "changed"  # its text or another column is another one; it may have moved too
    MOVED = "moved"  # it is the same, in another split


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One document that is not the same in two states of a corpus."""

    doc_id: str
    change: str  # a `ChangeKind`
    new_text: bool  # its text is one that the old state did not hold under this id
    old_split: str  # train, validation or test; "" when it was not in the corpus
    new_split: str  # likewise, of the new state
    old_reason: str  # why it was not in the corpus: a `DropReason`, or no_record when no record had the id; else ""
    new_reason: str  # likewise, of the new state
    sha256: str  # of its text in the new state, in UTF-8, hexadecimal; "" when it was removed


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusFiles:
    """Files of one state of a corpus: parts, and the full path of each by its name."""

    parts: Sequence[Part]
    paths: Mapping[str, str]

    def of(self, *roles: str) -> list[tuple[Part, str]]:
        """Return the parts of some roles, with their full paths."""
        return [(part, self.paths[part.name]) for part in self.parts if part.role in roles]


def corpus_files(base: str, parts: Sequence[Part]) -> CorpusFiles:
    """Return the files of a committed corpus below `base`."""
    return CorpusFiles(parts=parts, paths={part.name: storage.join(base, part.path) for part in parts})


def find_changes(old: CorpusFiles, new: CorpusFiles) -> list[Change]:
    """Return the changes from one state to another, by document key; raises CorruptError for a damaged file."""
    shared = {(part.role, part.sha256) for part, _ in old.of(*SPLITS)}
    shared &= {(part.role, part.sha256) for part, _ in new.of(*SPLITS)}
    before, after = _state(old, shared), _state(new, shared)
    at = index_in_sorted(before["key"], after["key"])
    gone = before[at < 0]
    was = index_in_sorted(after["key"], before["key"])
    added, stayed = after[was < 0], after[was >= 0]
    earlier = before[was[was >= 0]]
    other_text = (stayed["text"] != earlier["text"]).any(axis=1)
    other = other_text | (stayed["rest"] != earlier["rest"])
    differs = other | (stayed["split"] != earlier["split"])
    old_reasons, new_reasons = _reasons(old, added["key"]), _reasons(new, gone["key"])
    found = [_change(None, row, True, old_reasons) for row in added]
    found += [_change(row, None, False, new_reasons) for row in gone]
    together = zip(earlier[differs], stayed[differs], other[differs], other_text[differs], strict=True)
    found += [_change(one, two, bool(text), {}, moved=not changed) for one, two, changed, text in together]
    return sorted(found, key=lambda one: doc_key(one.doc_id))


def apply(state: Mapping[str, tuple[str, str]], changes: Sequence[Change]) -> dict[str, tuple[str, str]]:
    """Return a state, (split, SHA-256 of the text) by document id, with changes applied."""
    result = dict(state)
    for change in changes:
        if change.change == ChangeKind.REMOVED:
            del result[change.doc_id]
        else:
            result[change.doc_id] = change.new_split, change.sha256
    return result


def _change(
    old: np.void | None, new: np.void | None, new_text: bool, reasons: Mapping[int, str], *, moved: bool = False
) -> Change:
    """Return the row of a document from its states, None where it is not in the corpus."""
    both = ChangeKind.MOVED if moved else ChangeKind.CHANGED
    some = old if new is None else new
    assert some is not None, "a change has a state before or after"
    reason = reasons.get(int(some["key"]), NO_RECORD)
    return Change(
        doc_id=doc_id(some["key"]),
        change=ChangeKind.ADDED if old is None else ChangeKind.REMOVED if new is None else both,
        new_text=new_text,
        old_split="" if old is None else SPLITS[old["split"]],
        new_split="" if new is None else SPLITS[new["split"]],
        old_reason=reason if old is None else "",
        new_reason=reason if new is None else "",
        sha256="" if new is None else new["text"].tobytes().hex(),
    )


def _state(files: CorpusFiles, shared: set[tuple[str, str]]) -> DocumentStates:
    """Return the documents of a corpus, _STATE[num_docs] by key, but for those in shards that both states have."""
    rows = [np.empty(0, _STATE)]
    for part, path in files.of(*SPLITS):
        if (part.role, part.sha256) not in shared:
            rows += [_rows(batch, SPLITS.index(part.role)) for batch in parquet.iter_batches(path)]
    state = np.concatenate(rows)
    return state[np.argsort(state["key"], kind="stable")]


def _rows(batch: pa.RecordBatch, split: int) -> DocumentStates:
    rows = np.empty(batch.num_rows, _STATE)
    rows["key"] = [doc_key(one) for one in batch.column("doc_id").to_pylist()]
    texts = batch.column("text").cast(pa.large_binary()).to_pylist()
    digests = b"".join(hashlib.sha256(text or b"").digest() for text in texts)
    rows["text"] = np.frombuffer(digests, "<u8").reshape(-1, 4)
    rows["rest"] = [xxhash.xxh3_64_intdigest(row) for row in _other_columns(batch)]
    rows["split"] = split
    return rows


def _other_columns(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Yield the values of each row but its text, in one piece of bytes."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name == "text":
            continue
        if pa.types.is_nested(column.type):
            column = pa.array([json.dumps(value, sort_keys=True, default=str) for value in column.to_pylist()])
        columns.append(pc.fill_null(column.cast(pa.string()), "\0"))
    joined = pc.binary_join_element_wise(*columns, "\x1f")
    yield from joined.cast(pa.binary()).to_pylist()


def _reasons(files: CorpusFiles, keys: npt.NDArray[np.uint64]) -> dict[int, str]:
    """Return why documents are not in a corpus; of several records of one, what is said of the live one."""
    wanted, found = pa.array([doc_id(key) for key in keys], pa.string()), dict[int, str]()
    for _, path in files.of("decisions") if len(keys) else ():
        table = parquet.read_table(path, ["doc_id", "kept", "reason"])
        table = table.filter(pc.and_(pc.is_in(table.column("doc_id"), wanted), pc.invert(table.column("kept"))))
        for name, reason in zip(table.column("doc_id").to_pylist(), table.column("reason").to_pylist(), strict=True):
            key = doc_key(name)
            if key not in found or found[key] in _REPLACED:
                found[key] = reason
    return found
