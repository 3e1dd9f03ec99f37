"""Signing of one file of anyone's corpus: what each document brings to the search goes to two files in `_work`.

One has a row of fixed width a document, of hashes; the other its place, its id and the numbers by which survivors are
chosen. A run that was stopped, or is brought up to date, takes them as they are as long as the file is the same.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
import xxhash

from corpus import storage
from corpus.arrays.columns import string_spans
from corpus.arrays.types import Hashes, Keys, Numbers
from corpus.dedup.candidates import bucket_rows
from corpus.dedup.minhash import Signed, band_hashes, bands_for, sign
from corpus.dedup.notices import are_notices
from corpus.dedup.shingles import normalize
from corpus.foreign.config import DedupConfig
from corpus.foreign.fields import FieldNames
from corpus.foreign.files import ForeignFile
from corpus.foreign.reading import DocumentBatch, documents
from corpus.foreign.rows import BadLine
from corpus.foreign.survivor_order import KeepRule, parse_rule, place_of
from corpus.stage import task_progress
from corpus.stage.manifest import Part
from corpus.stage.workspace import WORK, Receipt, Workspace
from corpus.storage import parquet
from corpus.storage.schema import to_table

ROWS_READ: Final = 1 << 16
_NO_ID: Final = bytes(16)
_LEVEL: Final = 1  # of zstd, for files that do not stay


def field_names(config: DedupConfig) -> FieldNames:
    """Return the keys that are read of every document."""
    return FieldNames(
        text=config.text_key, id=config.id_key, more=tuple(r.key for r in rules_of(config)), free=config.tags
    )


def rules_of(config: DedupConfig) -> list[KeepRule]:
    """Return the rules by which survivors are chosen."""
    return [parse_rule(text) for text in config.keep]


def signed_path(number: int) -> str:
    """Return the path, relative to the output, of the hashes of a file's documents."""
    return f"{WORK}/signed/{number:05d}.rows"


def listed_path(number: int) -> str:
    """Return the path, relative to the output, of the list of a file's documents."""
    return f"{WORK}/listed/{number:05d}.parquet"


def sign_task(file: ForeignFile) -> str:
    """Return the name of the task that signs a file."""
    return f"sign/{file.name}"


def signed_type(config: DedupConfig) -> np.dtype:
    """Return the type of a row of hashes."""
    bands = bands_for(config.threshold)[0]
    hashes = [("place", "<u8"), ("text", "<u8"), ("id", "<u8", (2,)), ("bands", "<u8", (bands,))]
    return np.dtype([*hashes, ("count", "u1"), ("notice", "?")])


def sign_file(number: int, file: ForeignFile, workspace: Workspace, config: DedupConfig) -> Receipt:
    """Read a file and write what its documents bring to the search; a finished one is not read again."""
    if done := workspace.finished(sign_task(file), of=_made_of(number, file)):
        return done
    rules, names = rules_of(config), field_names(config)
    kinds = [Counter[str]() for _ in rules]
    letters: list[BadLine] = []
    num_places = num_docs = text_bytes = 0
    with (
        storage.write_atomic(workspace.path(signed_path(number))) as sink,
        parquet.open_writer(workspace.path(listed_path(number)), _listed_schema(rules), level=_LEVEL) as listed,
    ):
        for batch in documents(file, names):
            num_places += batch.num_places
            letters += batch.letters
            if batch.places:
                lengths = _write_rows(batch, sink, config)
                listed.write_table(_listed(batch, lengths, file, rules, kinds))
                num_docs, text_bytes = num_docs + len(lengths), text_bytes + int(lengths.sum())
                task_progress.add(workspace.output, "documents read", len(lengths))
    facts: dict[str, Any] = {
        "documents": num_docs,
        "places": num_places,
        "text_bytes": text_bytes,
        "rejects": dict(sorted(Counter(letter.reason for letter in letters).items())),
        "kinds": [dict(sorted(kind.items())) for kind in kinds],
        "first_reject": f"{letters[0].file}:{letters[0].line}: {letters[0].detail}" if letters else "",
    }
    parts = (write_letters(letters, f"rejects/{file.name}.parquet", workspace),) if letters else ()
    work = tuple(workspace.measure_work(path) for path in (signed_path(number), listed_path(number)))
    receipt = Receipt(task=sign_task(file), parts=parts, work=work, facts=facts)
    return workspace.finish(receipt, of=_made_of(number, file))


def _made_of(number: int, file: ForeignFile) -> str:
    """Return what the task reads: the file, and its number, which is in the names of what it writes."""
    return f"{number} {file.digest}"


def write_letters(letters: list[BadLine], path: str, workspace: Workspace) -> Part:
    """Write dead letters as one part; return its row of the manifest."""
    parquet.write_table(workspace.path(path), to_table(letters, BadLine))
    return workspace.measure(path, role="rejects", rows=len(letters))


def _write_rows(batch: DocumentBatch, sink: IO[bytes], config: DedupConfig) -> Numbers:
    """Write a row of hashes a document; return the lengths of the texts in bytes, int64[num_docs]."""
    texts = batch.arrow_texts()
    signed = sign(normalize(texts))
    rows = np.zeros(len(texts), signed_type(config))
    rows["place"], rows["text"] = batch.places, signed.texts
    rows["bands"] = band_hashes(signed.signatures, *bands_for(config.threshold))
    rows["count"] = signed.counts
    rows["notice"] = are_notices(texts) if config.twins == "apart" else False
    digests = [
        b"\0" * 16 if one is None else xxhash.xxh3_128_digest(one.encode("utf-8", "surrogatepass")) for one in batch.ids
    ]
    rows["id"] = np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2)
    sink.write(rows.tobytes())
    return np.diff(string_spans(texts)[1]).astype(np.int64)


def _listed_schema(rules: Sequence[KeepRule]) -> pa.Schema:
    plain = [("place", pa.int64()), ("doc_id", pa.string()), ("length", pa.int64())]
    return pa.schema([*plain, *((f"order_{number}", pa.int64()) for number in range(len(rules)))])


def _listed(
    batch: DocumentBatch, lengths: Numbers, file: ForeignFile, rules: Sequence[KeepRule], kinds: list[Counter[str]]
) -> pa.Table:
    ids = [one if one is not None else f"{file.name}:{k + 1}" for one, k in zip(batch.ids, batch.places, strict=True)]
    columns: list[Any] = [batch.places, ids, lengths]
    for number, rule in enumerate(rules):
        values = [more[number] for more in batch.more]
        placed = [place_of(rule, value, size) for value, size in zip(values, lengths.tolist(), strict=True)]
        kinds[number].update(kind for _, kind in placed)
        columns.append([place for place, _ in placed])
    schema = _listed_schema(rules)
    arrays = [pa.array(column, one.type) for column, one in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def signed_rows(number: int, workspace: Workspace, config: DedupConfig) -> Iterator[np.ndarray]:
    """Yield the rows of hashes of a file, some at a time."""
    kind = signed_type(config)
    with storage.open_read(workspace.path(signed_path(number))) as source:
        while piece := source.read(kind.itemsize * ROWS_READ):
            yield np.frombuffer(piece, kind)


def buckets_of(rows: np.ndarray, keys: Keys) -> tuple[Hashes, Keys]:
    """Return (bucket hashes, document keys) of rows of hashes, as `corpus.dedup.candidates.bucket_rows` does."""
    signed = Signed(
        signatures=np.zeros((len(rows), 0), np.uint32),
        texts=rows["text"].copy(),
        counts=rows["count"].astype(np.int64),
    )
    return bucket_rows(keys, signed, rows["bands"], notices=rows["notice"])


def read_listed(number: int, workspace: Workspace, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the list of a file's documents: place, doc_id, length and the numbers that survivors are chosen by."""
    return parquet.read_table(workspace.path(listed_path(number)), columns)


def listed_ranks(listed: pa.Table, keys: Keys) -> Numbers:
    """Return the survivor ranks of listed documents, int64[num_docs, num_rules + 2]: smaller is better.

    The first column tells them from documents of another corpus, the last is the key.
    """
    named = [name for name in listed.column_names if name.startswith("order_")]
    orders = [listed.column(name).to_numpy() for name in sorted(named, key=lambda name: int(name[6:]))]
    return np.column_stack([np.zeros(len(keys), np.int64), *orders, keys.astype(np.int64)])
