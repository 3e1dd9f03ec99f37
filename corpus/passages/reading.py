"""Passages of documents, batch by batch: of the texts of a corpus, or of all that records say, each with its rule.

In: parts of finished stages. Out: batches of passages with their document, as parallel columns. A passage is a sentence
of a line, or a line of two sentences and more; headings are none. A batch is of `BATCH_BYTES` of rows.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.types import Hashes, Mask, Numbers
from corpus.passages.cutting import cut_sentences
from corpus.passages.folding import fold, passage_hashes
from corpus.records import Record
from corpus.stage.reading import check_content
from corpus.storage import parquet
from corpus.storage.schema import from_batch
from corpus.text.pieces import pieces_of

BATCH_ROWS: Final = 4000
BATCH_BYTES: Final = 4 << 20  # of rows before they are compressed; their passages take twenty times as much
UNREAD: Final = frozenset({"accounts", "links", "mesh", "keywords", "unknown_elements"})  # columns of records
_HEADING: Final = re.compile(r"#{1,6} ")  # before a heading of a rendered text
_MARK: Final = re.compile(r"\s*- ")  # before an item of a list there


@dataclass(frozen=True, kw_only=True, slots=True)
class PassageSource:
    """A part of a stage's result that is read: records, or documents of a corpus."""

    path: str
    kind: Literal["records", "corpus"]
    sha256: str
    bytes: int  # of the file


@dataclass(kw_only=True)
class CutBatch:
    """Passages of some documents, in order; columns of [num_passages]."""

    doc_ids: list[str] = field(default_factory=list)  # [num_documents]
    texts: list[str] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)  # places in `doc_ids`
    paragraphs: list[bool] = field(default_factory=list)  # of two sentences or more
    alone: list[bool] = field(default_factory=list)  # a line of their own
    rules: list[str] = field(default_factory=list)
    line_bytes: int = 0  # of all lines [bytes]

    def add(self, doc_id: str, lines: Iterable[tuple[str, str]]) -> None:
        """Take in a document: its lines, each with the rule that takes it."""
        owner = len(self.doc_ids)
        self.doc_ids.append(doc_id)
        for line, rule in lines:
            self.line_bytes += len(line.encode("utf-8", "surrogatepass"))
            sentences = cut_sentences(line)
            several = len(sentences) > 1
            passages = [*sentences, line] if several else sentences
            self.texts += passages
            self.owners += [owner] * len(passages)
            self.paragraphs += [*[False] * len(sentences), *[True] * several]
            self.alone += [*[not several] * len(sentences), *[True] * several]
            self.rules += [rule] * len(passages)

    @cached_property
    def folded(self) -> pa.LargeStringArray:
        """The passages folded."""
        return fold(self.texts)

    @cached_property
    def hashes(self) -> Hashes:
        """The hash of each passage, uint64[num_passages]."""
        return passage_hashes(self.folded, np.array(self.paragraphs, np.bool_))

    def long_enough(self, min_characters: int) -> Mask:
        """Say which passages have so many characters when folded, bool[num_passages]."""
        return np.asarray(pc.utf8_length(self.folded).to_numpy(zero_copy_only=False) >= min_characters)

    def owner_numbers(self) -> Numbers:
        """Return the document of each passage, int64[num_passages]."""
        return np.array(self.owners, np.int64)


def passage_batches(source: PassageSource) -> Iterator[CutBatch]:
    """Yield the passages of a part; raises CorruptError, at the end, for a file that is not the manifest's."""
    records = source.kind == "records"
    columns, without = (None, UNREAD) if records else (["doc_id", "text"], frozenset[str]())
    for rows in parquet.iter_batches(source.path, columns, BATCH_ROWS, without=without, batch_bytes=BATCH_BYTES):
        batch = CutBatch()
        for doc_id, lines in _records(rows) if records else _documents(rows):
            batch.add(doc_id, lines)
        yield batch
    check_content(source.path, source.sha256)


def _documents(rows: Any) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    for doc_id, text in zip(*(rows.column(name).to_pylist() for name in ("doc_id", "text")), strict=True):
        yield doc_id, ((line, "") for line in text_lines(text))


def _records(rows: Any) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    for record in from_batch(rows, Record, without=UNREAD):
        pieces = (piece for piece in pieces_of(record) if not piece.heading)
        yield record.doc_id, ((line, piece.rule) for piece in pieces for line in piece.text.split("\n"))


def text_lines(text: str) -> Iterator[str]:
    """Yield the lines of a rendered text but for its headings, without bullets of lists."""
    for line in text.split("\n"):
        if _HEADING.match(line):
            continue
        mark = _MARK.match(line)
        if plain := " ".join((line[mark.end() :] if mark else line).split()):
            yield plain
