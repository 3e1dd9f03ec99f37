"""Sink of one extract task: records, rejects and side tables in, Parquet parts out.

Records are written in row groups as they are read, so memory does not grow with the file; a part appears under its name
when it is whole.
"""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import CorruptError
from corpus.extract.inputs import InputTask, PubmedFile
from corpus.metadata import TABLES, SideTables
from corpus.pile.side_table import PileRow, pile_row
from corpus.records import Kind, Record, Reject
from corpus.stage import task_progress
from corpus.stage.manifest import Part
from corpus.stage.workspace import Workspace
from corpus.storage import parquet
from corpus.storage.schema import schema_of, to_table
from corpus.text.language import languages_of

# Rows held as Python objects before they become a row group: about 15 MB of citations, 20 MB of articles.
CITATION_ROWS, ARTICLE_ROWS = 5000, 250
# Dead letters of one file: a third of a baseline file, which then is no file of NLM's.
MAX_REJECTS = 10_000
METADATA = "metadata"  # folder of the side tables, and the first word of their roles


@dataclass(kw_only=True)
class PartSink:
    """Collects records and rejects of one task into Parquet parts, and The Pile's text into a table beside each."""

    workspace: Workspace
    task: InputTask
    rows_per_part: int | None
    pile: bool
    side: SideTables | None = None
    rejects: list[Reject] = field(default_factory=list)
    num_records: int = 0
    facts: Counter[str] = field(default_factory=Counter)
    _pending: list[Record] = field(default_factory=list)
    _pending_pile: list[PileRow] = field(default_factory=list)
    _parts: list[Part] = field(default_factory=list)
    _num_parts: int = 0
    _open: ExitStack = field(default_factory=ExitStack)
    _writers: dict[str, Any] = field(default_factory=dict)  # by role
    _rows_in_part: Counter[str] = field(default_factory=Counter)  # by role

    def __enter__(self) -> "PartSink":
        return self

    def __exit__(self, *raised: Any) -> None:
        self._open.__exit__(*raised)  # the part being written appears under its name only without an error

    def add(self, item: Record | Reject, xml: bytes) -> None:
        """Take one record, with the XML that it was read from, or one reject."""
        if isinstance(item, Reject):
            self.rejects.append(item)
            if len(self.rejects) > MAX_REJECTS:
                raise CorruptError(f"{self.task.paths[0]}: more than {MAX_REJECTS:,} dead letters; fetch it again")
            return
        self._pending.append(item)
        if self.pile:
            self._pending_pile.append(pile_row(item, xml))
        self.num_records += 1
        group = CITATION_ROWS if isinstance(self.task, PubmedFile) else ARTICLE_ROWS
        part_full = self.rows_per_part is not None and (
            self._rows_in_part["records"] + len(self._pending) == self.rows_per_part
        )
        if len(self._pending) == group or part_full:
            self._flush()
        if part_full:
            self._end_part()

    def finish(self) -> list[Part]:
        """Write what is left and return the parts."""
        self._flush()
        if self._writers or not self._parts:
            self._end_part()
        if self.rejects:
            name = f"rejects/{self.task.name}.parquet"
            parquet.write_table(self.workspace.path(name), to_table(self.rejects, Reject))
            self._parts.append(self.workspace.measure(name, role="rejects", rows=len(self.rejects)))
        return self._parts

    def reasons(self) -> dict[str, int]:
        """Count the rejects by reason."""
        return dict(sorted(Counter(str(reject.reason) for reject in self.rejects).items()))

    def _flush(self) -> None:
        if not self._pending:
            return
        table = _with_languages(to_table(self._pending, Record), self._pending)
        self.facts.update(f"{kind}s" for kind in (str(record.kind) for record in self._pending))
        for record in self._pending:
            if record.kind is Kind.ARTICLE:  # its accounts hold those of its sub-articles
                self.facts.update(_account_facts(record))
            self.facts.update(f"articles_with_unknown_element:{name}" for name in record.unknown_elements)
        self.facts["text_bytes"] += _text_bytes(table)
        self._open_part()
        rows = {"records": table}
        if self.pile:
            rows["pile"] = to_table(self._pending_pile, PileRow)
        if self.side is not None:
            rows |= {f"{METADATA}/{name}": to_table(found, TABLES[name]) for name, found in self.side.take().items()}
        for role, one in rows.items():
            if one.num_rows:
                self._writers[role].write_table(one, row_group_size=one.num_rows)
            self._rows_in_part[role] += one.num_rows
        self._pending, self._pending_pile = [], []
        task_progress.add(self.workspace.output, "records read", table.num_rows)

    def _open_part(self) -> None:
        if not self._writers:
            side = {} if self.side is None else {f"{METADATA}/{name}": row for name, row in TABLES.items()}
            for role, row in {"records": Record, **({"pile": PileRow} if self.pile else {}), **side}.items():
                path = self.workspace.path(self._part_name(role))
                self._writers[role] = self._open.enter_context(parquet.open_writer(path, schema_of(row)))

    def _part_name(self, role: str) -> str:
        suffix = "" if self.rows_per_part is None else f"-{self._num_parts:05d}"
        return f"{role}/{self.task.name}{suffix}.parquet"

    def _end_part(self) -> None:
        self._open_part()
        self._open.close()
        for role in self._writers:
            rows = self._rows_in_part[role]
            self._parts.append(self.workspace.measure(self._part_name(role), role=role, rows=rows))
        self._writers, self._rows_in_part = {}, Counter()
        self._num_parts += 1


def _with_languages(table: pa.Table, records: list[Record]) -> pa.Table:
    """Return the records' table with the two columns that the readers leave open."""
    for name, languages in zip(("title_language", "text_language"), languages_of(records), strict=True):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(index), pa.array(languages, pa.string()))
    return table


def _account_facts(record: Record) -> dict[str, int]:
    """Return where the characters of an article's XML went, by names for the manifest."""
    facts = {f"{'kept' if one.kept else 'dropped'}:{one.name}": one.characters for one in record.accounts}
    return {**facts, "article_characters": sum(one.characters for one in record.accounts)}


def _text_bytes(table: pa.Table) -> int:
    """Return the UTF-8 bytes of the title, abstract and body columns: what shards are planned by."""
    total = 0
    for name in ("title", "abstracts", "body"):
        column = table.column(name).combine_chunks()
        texts = column if name == "title" else pc.list_flatten(column)
        texts = texts if name == "title" else pc.struct_field(texts, "text")
        total += pc.sum(pc.binary_length(texts)).as_py() or 0
    return int(total)
