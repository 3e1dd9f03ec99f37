"""Extract task: an input file (or chunk of loose files) in, Parquet parts of records and rejects out.

With `pile`, each part of records has a side table in `pile/`, row for row, of the text that The Pile's scripts made.
Plain functions, run by a Beam worker or by a test. Records are written in row groups as they are read,
so memory does not grow with the file. A file that is damaged as a whole gives no record at all.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from corpus.errors import CorruptError, DataError, RetryError
from corpus.extract.config import ExtractConfig
from corpus.extract.inputs import InputTask, JatsTar, PubmedFile, other_kind
from corpus.extract.search import first_of
from corpus.ncbi.archives.kinds import FileKind, OtherKindError, file_kind
from corpus.ncbi.pubmed.reader import read_pubmed_xml
from corpus.pile.side_table import PileRow, pile_row
from corpus.records import Kind, Record, Reject
from corpus.stage import task_progress
from corpus.stage.manifest import Books, Manifest, Part
from corpus.stage.progress import say
from corpus.stage.withdraw import changes_text
from corpus.stage.workspace import Receipt, Workspace, receipt_of
from corpus.storage import parquet
from corpus.storage.json_files import BadJsonError, read_json
from corpus.storage.schema import schema_of, to_table
from corpus.text.language import languages_of

# Rows held as Python objects before they become a row group: about 15 MB of citations, 20 MB of articles.
CITATION_ROWS, ARTICLE_ROWS = 5000, 250
# Dead letters of one file: a third of a baseline file, which then is no file of NLM's.
MAX_REJECTS = 10_000
# A share says little of few records: it counts from so many on, and fewer may have so many rejects whatever it is.
# Damage at its usual rate gives a job of that size one or two, a reader that fails on a kind of file gives many more.
SHARE_FROM, FEW_REJECTS = 1000, 3
RECEIPTS_FILE = "receipts.json"


def extract_task(task: InputTask, workspace: Workspace, config: ExtractConfig) -> Receipt:
    """Read one input task and write its parts; a finished task is not read again.

    A file that is damaged as a whole, or is not the one that was hashed, leaves no receipt, so that it is read again
    when it was fetched again; what is wrong travels in the facts of the receipt returned.
    """
    name = f"extract/{task.name}"
    if done := workspace.finished(name, of=task.fingerprint):
        return done
    rows_per_part = config.articles_per_part if isinstance(task, JatsTar) else None
    sink = _PartSink(workspace=workspace, task=task, rows_per_part=rows_per_part, pile=config.pile)
    before = task.versions()
    wrong: dict[str, Any] = {}
    try:
        with sink:
            for item, xml in _read(task):
                sink.add(item, xml)
            parts = sink.finish()
    except OtherKindError as error:
        wrong = {error.kind.option: [storage.readable(path) for path in task.paths if file_kind(path) is error.kind]}
    except FileNotFoundError as error:
        if error.filename not in (file.path for file in task.files):
            raise
        wrong = {"changed": [storage.readable(error.filename)]}
    except CorruptError as error:
        wrong = {"corrupt": storage.readable(str(error))}
    if wrong := task.differing(before) or wrong:
        return Receipt(task=name, parts=(), facts=wrong)
    books = Books(read=sink.num_records + len(sink.rejects), kept=sink.num_records, dropped=sink.reasons())
    facts = dict(sorted(sink.facts.items()))
    return workspace.finish(Receipt(task=name, parts=tuple(parts), books=books, facts=facts), of=task.fingerprint)


def conclude(receipts: list[Receipt], workspace: Workspace, config: ExtractConfig) -> Manifest:
    """Commit the extraction.

    Raises RetryError when an input file is another one than at the start, CorruptError when one is damaged, DataError
    when more records were rejected than may be; all name the files and commit nothing.
    """
    if changed := sorted({path for receipt in receipts for path in receipt.facts.get("changed", ())}):
        count = "1 input file" if len(changed) == 1 else f"{len(changed):,} input files"
        said = "changed or vanished after the start; nothing was committed, run the same command again"
        raise RetryError(f"{count} {said}: {first_of(changed)}")
    if problems := [*_wrong_kinds(receipts), *_other_than_fetched(receipts), *_damaged(receipts)]:
        raise CorruptError("\n".join(problems))
    books = sum((receipt.books for receipt in receipts), Books())
    if sum(books.dropped.values()) > allowed_rejects(books, config.max_reject_rate):
        raise DataError(_too_many(books, receipts, workspace, config.max_reject_rate))
    facts: Counter[str] = Counter()
    for receipt in receipts:
        facts.update(receipt.facts)
    kept = _write_receipts(receipts, workspace)
    return workspace.commit([*receipts, kept], summary=dict(sorted(facts.items())))


def _other_than_fetched(receipts: list[Receipt]) -> list[str]:
    found = sorted(path for receipt in receipts for path in receipt.facts.get("damaged", ()))
    if not found:
        return []
    count = "1 file is" if len(found) == 1 else f"{len(found):,} files are"
    said = "not what the manifest of their fetch says; nothing was committed, fetch them again with `--verify`"
    return [f"{count} {said}: {first_of(found)}"]


def _damaged(receipts: list[Receipt]) -> list[str]:
    corrupt = sorted(str(receipt.facts["corrupt"]) for receipt in receipts if "corrupt" in receipt.facts)
    if not corrupt:
        return []
    listed = "\n  ".join(corrupt[:20])
    return [
        f"{len(corrupt)} input file(s) are damaged; nothing was committed, the other files are kept and will be "
        f"reused. Fetch these again and run the same command:\n  {listed}"
    ]


def _wrong_kinds(receipts: list[Receipt]) -> list[str]:
    """Return a message for each kind of files that was given as the other one."""
    found = {
        kind: sorted(path for receipt in receipts for path in receipt.facts.get(kind.option, ())) for kind in FileKind
    }
    return [f"nothing was committed; {other_kind(paths, kind)}" for kind, paths in found.items() if paths]


def allowed_rejects(books: Books, rate: float) -> float:
    """Return how many rejects a job may have: a share of its records; of a small job a few, but not more than it kept.

    A share of 0 allows none in any job.
    """
    share = rate * books.read
    if books.read >= SHARE_FROM or rate == 0:
        return share
    return max(share, min(FEW_REJECTS, books.kept))


def _too_many(books: Books, receipts: list[Receipt], workspace: Workspace, rate: float) -> str:
    """Return the message for more rejects than may be, with the files that have the most."""
    worst = sorted(receipts, key=lambda receipt: (-sum(receipt.books.dropped.values()), receipt.task))[:10]
    where = ", ".join(
        f"{receipt.task.removeprefix('extract/')} ({sum(receipt.books.dropped.values())} of {receipt.books.read})"
        for receipt in worst
        if receipt.books.dropped
    )
    small = f" (and more than {FEW_REJECTS}, or than were kept)" if books.read < SHARE_FROM and rate else ""
    return (
        f"{sum(books.dropped.values())} of {books.read} records were rejected, more than max_reject_rate = {rate}"
        f"{small}: {where}. Nothing was committed; see them with `corpuscle inspect {workspace.path('rejects')}`, "
        "and allow more with --max-reject-rate"
    )


def _write_receipts(receipts: list[Receipt], workspace: Workspace) -> Receipt:
    """Write what each file gave, so that an update need not read it again."""
    rows = [asdict(receipt) for receipt in sorted(receipts, key=lambda receipt: receipt.task)]
    with storage.write_atomic(workspace.path(RECEIPTS_FILE)) as sink:
        sink.write(json.dumps(rows, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return Receipt(task="receipts", parts=(workspace.measure(RECEIPTS_FILE, role="receipts", rows=len(rows)),))


def read_receipts(path: str) -> list[Receipt]:
    """Return what each file gave; raises CorruptError when the file is not as it was written."""
    remedy = "remove it, and all files are read again"
    content = read_json(path, remedy)
    try:
        if not isinstance(content, list):
            raise BadJsonError("no list")
        return [receipt_of(receipt) for receipt in content]
    except BadJsonError as error:
        raise CorruptError(f"{path}: not what `extract` wrote ({error}); {remedy}") from error


def reuse_extracted(workspace: Workspace, manifest: Manifest) -> list[str]:
    """Leave receipts for the inputs that are as they were when `manifest` was committed; return their parts' paths.

    Says how many files are read again, and why.
    """
    path = workspace.path(RECEIPTS_FILE)
    stated = next((part for part in manifest.parts if part.path == RECEIPTS_FILE), None)
    if stated is None or not storage.exists(path) or storage.sha256_file(path) != stated.sha256:
        say(f"{workspace.output}: has no intact {RECEIPTS_FILE}, so all files are read again")
        return []
    receipts = read_receipts(path)
    before = {item.name: item.fingerprint for item in manifest.inputs}
    now = {item.name: item.fingerprint for item in workspace.inputs}
    same = {name for name in now if before.get(name) == now[name]}
    reused = [receipt for receipt in receipts if receipt.task.removeprefix("extract/") in same]
    for receipt in reused:
        workspace.finish(receipt, of=now[receipt.task.removeprefix("extract/")])
    changes = {"new": now.keys() - before, "changed": (now.keys() & before) - same, "gone": before.keys() - now}
    say(
        f"{workspace.output}: {len(reused)} of {len(now)} inputs are unchanged and not read again; "
        + changes_text(changes)
    )
    return [part.path for receipt in reused for part in receipt.parts]


def _read(task: InputTask) -> Iterator[tuple[Record | Reject, bytes]]:
    if isinstance(task, PubmedFile):
        return read_pubmed_xml(task.paths[0])
    from corpus.extract.articles import read_articles_xml  # a sixth of a second that a citation need not wait for

    return read_articles_xml(task)


@dataclass(kw_only=True)
class _PartSink:
    """Collects records and rejects of one task into Parquet parts, and The Pile's text into a table beside each."""

    workspace: Workspace
    task: InputTask
    rows_per_part: int | None
    pile: bool
    rejects: list[Reject] = field(default_factory=list)
    num_records: int = 0
    facts: Counter[str] = field(default_factory=Counter)
    _pending: list[Record] = field(default_factory=list)
    _pending_pile: list[PileRow] = field(default_factory=list)
    _parts: list[Part] = field(default_factory=list)
    _num_parts: int = 0
    _open: ExitStack = field(default_factory=ExitStack)
    _writers: dict[str, Any] = field(default_factory=dict)  # by role
    _rows_in_part: int = 0

    def __enter__(self) -> "_PartSink":
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
        part_full = self.rows_per_part is not None and self._rows_in_part + len(self._pending) == self.rows_per_part
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
        for role, writer in self._writers.items():
            rows = table if role == "records" else to_table(self._pending_pile, PileRow)
            writer.write_table(rows, row_group_size=max(1, rows.num_rows))
        self._rows_in_part += table.num_rows
        self._pending, self._pending_pile = [], []
        task_progress.add(self.workspace.output, "records read", table.num_rows)

    def _open_part(self) -> None:
        if not self._writers:
            for role, row in {"records": Record, **({"pile": PileRow} if self.pile else {})}.items():
                path = self.workspace.path(self._part_name(role))
                self._writers[role] = self._open.enter_context(parquet.open_writer(path, schema_of(row)))

    def _part_name(self, role: str) -> str:
        suffix = "" if self.rows_per_part is None else f"-{self._num_parts:05d}"
        return f"{role}/{self.task.name}{suffix}.parquet"

    def _end_part(self) -> None:
        self._open_part()
        self._open.close()
        for role in self._writers:
            self._parts.append(self.workspace.measure(self._part_name(role), role=role, rows=self._rows_in_part))
        self._writers, self._rows_in_part = {}, 0
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
