"""Extract task: an input file (or chunk of loose files) in, Parquet parts of records and rejects out.

With `pile`, each part of records has a side table in `pile/`, row for row, of the text that The Pile's scripts made;
with `metadata` one in each folder of `metadata/`, whose rows name their record.
Plain functions, run by a Beam worker or by a test. Records are written in row groups as they are read,
so memory does not grow with the file. A file that is damaged as a whole gives no record at all.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from corpus import storage
from corpus.errors import CorruptError, DataError, RetryError
from corpus.extract.config import ExtractConfig
from corpus.extract.inputs import InputTask, JatsTar, PubmedFile, other_kind
from corpus.extract.part_sink import PartSink
from corpus.extract.search import first_of
from corpus.metadata import SideTables
from corpus.ncbi.archives.kinds import FileKind, OtherKindError, file_kind
from corpus.ncbi.pubmed.reader import read_pubmed_xml
from corpus.records import Kind, Record, Reject
from corpus.stage.manifest import Books, Manifest
from corpus.stage.progress import say
from corpus.stage.reject_limit import FEW_REJECTS, SHARE_FROM, allowed_rejects
from corpus.stage.withdraw import changes_text
from corpus.stage.workspace import Receipt, Workspace, receipt_of
from corpus.storage.json_files import BadJsonError, read_json

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
    side = SideTables() if config.metadata else None
    sink = PartSink(workspace=workspace, task=task, rows_per_part=rows_per_part, pile=config.pile, side=side)
    before = task.versions()
    wrong: dict[str, Any] = {}
    try:
        with sink:
            for item, xml in _read(task, side):
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


def _read(task: InputTask, side: SideTables | None) -> Iterator[tuple[Record | Reject, bytes]]:
    if isinstance(task, PubmedFile):
        return read_pubmed_xml(task.paths[0]) if side is None else read_pubmed_xml(task.paths[0], side)
    from corpus.extract.articles import read_articles_xml  # a sixth of a second that a citation need not wait for

    return read_articles_xml(task) if side is None else _with_metadata(read_articles_xml(task), side)


def _with_metadata(
    items: Iterable[tuple[Record | Reject, bytes]], side: SideTables
) -> Iterator[tuple[Record | Reject, bytes]]:
    """Yield what is read of articles, the metadata of each in `side` before it."""
    from corpus.ncbi.jats.metadata import add_article_metadata

    for item, xml in items:
        if isinstance(item, Record) and item.kind is Kind.ARTICLE:
            add_article_metadata(xml, item, side)
        yield item, xml
