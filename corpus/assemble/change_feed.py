"""Change feeds: one Parquet file of `Change` rows for each update, and the documents that it is about as shards.

`changes/<new>-from-<old>.parquet` lies beside the corpus, named by the first twelve digits of both fingerprints, and is
no part of it: a rebuilt corpus has the same bytes and no history. It is written before the update's commit, so that
each update leaves exactly one. `write_delta` makes a corpus of its own of the documents that are new or changed.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from corpus.assemble.changes import Change, ChangeKind, corpus_files, find_changes
from corpus.errors import CorruptError, UsageError
from corpus.stage.lock import running_stage
from corpus.stage.manifest import SPLITS, Books, Input, Manifest, Part, read_manifest
from corpus.stage.progress import say
from corpus.stage.reading import held_for_reading, read_whole
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from corpus.storage import parquet
from corpus.storage.schema import from_batch, to_table

CHANGES: Final = "changes"  # the folder beside a corpus, and the feed in a delta
DELTA: Final = "delta"
REVISION: Final = 1  # raise it when the same input gives other bytes
_FEED: Final = re.compile(r"([0-9a-f]{12})-from-([0-9a-f]{12})\.parquet")
_DIGITS: Final = 12


def feed_name(old: str, new: str) -> str:
    """Return the name of the feed between two fingerprints."""
    return f"{new[:_DIGITS]}-from-{old[:_DIGITS]}.parquet"


def leave_feed(workspace: Workspace, old: Manifest, parts: Sequence[Part]) -> str | None:
    """Write the changes from the committed corpus to the one about to take its place; return the path of the feed.

    None, and a line, where the old corpus is damaged: an update must not fail for it.
    """
    folder = storage.join(workspace.output, CHANGES)
    for name in storage.list_names(folder) if storage.exists(folder) else ():
        found = _FEED.fullmatch(name)
        # One feed leads from a state (another is of an update that was given up), and one to it (when it comes back).
        if found and (found[2] == old.fingerprint[:_DIGITS] or found[1] == workspace.fingerprint[:_DIGITS]):
            storage.remove_file(storage.join(folder, name))
    before = corpus_files(workspace.output, old.parts)
    after = corpus_files(workspace.output, ())
    after = type(after)(parts=parts, paths={part.name: workspace.find(part.path) for part in parts})
    try:
        changes = find_changes(before, after)
    except (CorruptError, OSError) as error:
        say(f"{workspace.output}: the corpus before is damaged, so nobody can say what changes ({error})")
        return None
    path = storage.join(folder, feed_name(old.fingerprint, workspace.fingerprint))
    parquet.write_table(path, to_table(changes, Change))
    say(f"{path}: {counts_text(changes)}")
    return path


def feed_of(corpus: str, manifest: Manifest) -> str | None:
    """Return the path of the feed that led to a corpus, None where there is none."""
    folder = storage.join(corpus, CHANGES)
    for name in storage.list_names(folder) if storage.exists(folder) else ():
        if (found := _FEED.fullmatch(name)) and found[1] == manifest.fingerprint[:_DIGITS]:
            return storage.join(folder, name)
    return None


def read_feed(path: str) -> list[Change]:
    """Return the rows of a feed; raises CorruptError for another file."""
    return from_batch(parquet.read_table(path), Change)


def changes_between(old: str, new: str) -> list[Change]:
    """Return the changes from one corpus to another, or those of the feed `old` that led to `new`.

    Raises UsageError for what is no corpus, and for a feed to another one.
    """
    with held_for_reading(new):
        after = read_whole(new, "assemble", (*SPLITS, "decisions"))
        if old.endswith(".parquet"):
            found = _FEED.fullmatch(storage.base_name(old))
            if found is None or found[1] != after.fingerprint[:_DIGITS]:
                raise UsageError(
                    f"{old}: no feed that led to {new}, whose fingerprint begins with {after.fingerprint[:_DIGITS]}; "
                    f"give the corpus before, or the file of {CHANGES}/ whose name begins so"
                )
            return read_feed(old)
        with held_for_reading(old):
            before = read_whole(old, "assemble", (*SPLITS, "decisions"))
            return find_changes(corpus_files(old, before.parts), corpus_files(new, after.parts))


def counts_text(changes: Iterable[Change]) -> str:
    """Return `3 added, 1 removed, 2 changed (1 of them in the text), 0 moved` for changes."""
    found = list(changes)
    count = {kind: sum(one.change == kind for one in found) for kind in ChangeKind}
    texts = sum(one.new_text for one in found if one.change == ChangeKind.CHANGED)
    phrases = [f"{count[kind]:,} {kind}" for kind in ChangeKind]
    phrases[2] += f" ({texts:,} of them in the text)" if count[ChangeKind.CHANGED] else ""
    return ", ".join(phrases)


def write_delta(changes: Sequence[Change], *, old: str, corpus: str, output: str) -> Manifest:
    """Write the documents of a corpus that are added or changed, and the feed, as a corpus of its own below `output`.

    old: what the changes are from. Raises UsageError when the output holds something else.
    """
    with held_for_reading(corpus), running_stage(output):
        after = read_whole(corpus, "assemble", SPLITS)
        before = storage.base_name(old) if old.endswith(".parquet") else read_manifest(old, "assemble").fingerprint
        inputs = [Input(name="before", fingerprint=before), Input(name="assemble", fingerprint=after.fingerprint)]
        workspace, manifest = plan_stage(
            output, stage=DELTA, revision=REVISION, config={}, inputs=inputs, sources={corpus: after}
        )
        if manifest is not None:
            say(f"{output}: up to date ({DELTA}, {manifest.fingerprint[:_DIGITS]})")
            return manifest
        wanted = [one for one in changes if one.change in (ChangeKind.ADDED, ChangeKind.CHANGED)]
        parts = list(_delta_parts(workspace, after, corpus, wanted))
        name = f"{CHANGES}.parquet"
        parquet.write_table(workspace.path(name), to_table(list(changes), Change))
        kept = sum(part.rows for part in parts)
        assert kept == len(wanted), "every document that came or changed is in the corpus"
        parts.append(workspace.measure(name, role=CHANGES, rows=len(changes)))
        receipt = Receipt(task=DELTA, parts=tuple(parts), books=Books(read=kept, kept=kept))
        manifest = workspace.commit([receipt], summary={"documents": kept, "changes": len(changes)})
        workspace.clean()
        return manifest


def write_last_delta(corpus: str, manifest: Manifest, output: str) -> Manifest | None:
    """Write what the last update of a corpus added or changed; None, and a line, where it was not updated."""
    feed = feed_of(corpus, manifest)
    if feed is None:
        say(f"{output}: not written, for {corpus} was built anew and not by --update: all of it is new")
        return None
    return write_delta(read_feed(feed), old=feed, corpus=corpus, output=output)


def _delta_parts(workspace: Workspace, after: Manifest, corpus: str, wanted: Sequence[Change]) -> Iterator[Part]:
    """Write one shard for each shard of the corpus that holds a document that is wanted; yield them."""
    ids = {split: pa.array([one.doc_id for one in wanted if one.new_split == split], pa.string()) for split in SPLITS}
    for part in after.parts:
        if part.role not in SPLITS or not len(ids[part.role]):
            continue
        batches = parquet.iter_batches(storage.join(corpus, part.path))
        tables = [batch.filter(pc.is_in(batch.column("doc_id"), ids[part.role])) for batch in batches]
        if rows := sum(table.num_rows for table in tables):
            parquet.write_table(workspace.path(part.name), pa.Table.from_batches(tables))
            yield workspace.measure(part.name, role=part.role, rows=rows)
