"""Workspace of a stage: its output directory while it runs, receipts of finished tasks, and the commit at the end.

A stage is a set of named tasks. A finished task leaves a receipt in `_receipts/` that lists its files with
their hashes and its books; a killed stage, run again, reuses the tasks whose receipt and files are intact.
The manifest is written last, from the receipts; then the receipts and `_work/` go. Where a finished result is brought
up to date or mended, new files go to `_next/` and the old result stays as it is until then (`corpus.stage.switch`).
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from corpus import storage
from corpus.errors import CorruptError, OtherResultError, RetryError
from corpus.stage.code_version import check_code, code_version
from corpus.stage.events import emit
from corpus.stage.lock import LOCK
from corpus.stage.manifest import (
    MANIFEST,
    NEXT,
    Books,
    Input,
    Manifest,
    Part,
    damage_text,
    fingerprint,
    has_manifest,
    missing_parts,
    read_manifest,
    write_manifest,
)
from corpus.stage.progress import say
from corpus.stage.reading import StageRead, stage_read
from corpus.stage.switch import finish_switch, switch_to
from corpus.stage.withdraw import withdraw
from corpus.storage.json_files import BadJsonError, build, check_inside, read_json

RECEIPTS = "_receipts"
WORK = "_work"
UPDATABLE = ("extract", "assemble", "dedup", "passages", "tokenizer", "pack")
_MENDED_IN_PLACE = ("train",)  # its ranks write into the directory themselves, and go on from what lies there


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkFile:
    """One intermediate file: none but this stage reads it, and only while it is at work or brought up to date."""

    path: str  # relative to the stage's output, below `WORK`
    bytes: int
    xxh3: str  # `storage.xxh3_file`


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What one finished task wrote and counted; `facts` are numbers that later steps need."""

    task: str
    parts: tuple[Part, ...] = ()
    work: tuple[WorkFile, ...] = ()
    books: Books = field(default_factory=Books)
    facts: Mapping[str, Any] = field(default_factory=dict)


def receipt_of(content: Any) -> Receipt:
    """Return the receipt whose fields a JSON object holds; raises BadJsonError when it holds others."""
    receipt = build(Receipt, content, optional=("work",))
    for name in (*(part.path for part in receipt.parts), *(file.path for file in receipt.work)):
        check_inside(name)
    return receipt


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """One stage's output directory; picklable, so that workers can hold it, but only those of the same code."""

    output: str
    stage: str
    revision: int
    fingerprint: str
    config: Mapping[str, Any]
    inputs: tuple[Input, ...]
    sources: tuple[StageRead, ...] = ()  # finished stages that this one reads
    beside: bool = False  # there is a committed result, which stays until this one takes its place

    def __reduce__(self) -> tuple[Any, ...]:
        return _sent, (code_version(), {one.name: getattr(self, one.name) for one in fields(self)})

    def made_alike(self, manifest: Manifest) -> bool:
        """Say whether a finished stage was made by the same revision with the same settings, of whatever inputs."""
        return (manifest.revision, dict(manifest.config)) == (self.revision, dict(self.config))

    def path(self, name: str) -> str:
        """Return the full path at which a file of the output is written."""
        moved = self.beside and name.partition("/")[0] not in (RECEIPTS, WORK)
        return storage.join(self.output, *([NEXT] if moved else []), name)

    def find(self, name: str) -> str:
        """Return the full path of a file that a finished task wrote, which may be one of the result that is there."""
        path = self.path(name)
        return path if storage.exists(path) else storage.join(self.output, name)

    def measure(self, name: str, *, role: str, rows: int) -> Part:
        """Return the manifest row of a file that was just written."""
        path = self.path(name)
        return Part(path=name, role=role, rows=rows, bytes=storage.size(path), sha256=storage.sha256_file(path))

    def measure_work(self, name: str) -> WorkFile:
        """Return what a receipt says of an intermediate file that was just written."""
        path = self.path(name)
        return WorkFile(path=name, bytes=storage.size(path), xxh3=storage.xxh3_file(path))

    def finished(self, task: str, *, of: str | None = None) -> Receipt | None:
        """Return a task's receipt if it was made of the same and all its files are intact.

        `of` is the fingerprint of what the task reads; without it the task reads all the stage's inputs, and
        its receipt is worth nothing when one of them changes.
        """
        path = self.path(_receipt_name(task))
        if not storage.exists(path):
            return None
        receipt, made_of = self._read_receipt(path)
        if made_of != self._task_fingerprint(of):
            return None
        stated = [(part.path, part.sha256, storage.sha256_file) for part in receipt.parts]
        stated += [(file.path, file.xxh3, storage.xxh3_file) for file in receipt.work]
        return receipt if all(self._is_intact(*file) for file in stated) else None

    def has_receipt(self, task: str, *, of: str | None = None) -> bool:
        """Say whether a task has a receipt that was made of the same, its files unread; `of` as in `finished`."""
        path = self.path(_receipt_name(task))
        return storage.exists(path) and self._read_receipt(path)[1] == self._task_fingerprint(of)

    def _is_intact(self, name: str, digest: str, of_file: Callable[[str], str]) -> bool:
        """Say whether a file is as a receipt says, among those of this result or of the one that is there."""
        path, old = self.path(name), storage.join(self.output, name)
        if storage.exists(path) and of_file(path) == digest:
            return True
        if path == old or not storage.exists(old) or of_file(old) != digest:
            return False
        storage.remove_file(path)  # left by an update to other inputs; it would take the place of the right one
        return True

    def finish(self, receipt: Receipt, *, of: str | None = None) -> Receipt:
        """Leave the receipt of a finished task; its files must be in place already. `of` as in `finished`."""
        content = {**asdict(receipt), "fingerprint": self._task_fingerprint(of)}
        with storage.write_atomic(self.path(_receipt_name(receipt.task))) as sink:
            sink.write(json.dumps(content, sort_keys=True).encode())
        return receipt

    def commit(
        self, receipts: Iterable[Receipt], *, summary: Mapping[str, Any], books: Books | None = None
    ) -> Manifest:
        """Write the manifest from the receipts, in path order; `books` replaces the sum of theirs.

        Raises RetryError when a stage that was read has another manifest now, or the old result is still being read.
        """
        receipts = list(receipts)
        total = books if books is not None else sum((receipt.books for receipt in receipts), Books())
        parts = sorted((part for receipt in receipts for part in receipt.parts), key=lambda part: part.path)
        manifest = Manifest(
            stage=self.stage,
            revision=self.revision,
            fingerprint=self.fingerprint,
            config=self.config,
            inputs=self.inputs,
            parts=tuple(parts),
            books=total,
            summary=summary,
        )
        self._check_sources()
        (switch_to if self.beside else write_manifest)(self.output, manifest)
        return manifest

    def _check_sources(self) -> None:
        """Raise RetryError when something else was read than what is stated; receipts for what it gave are wrong."""
        try:
            for source in self.sources:
                source.check_unchanged()
        except RetryError:
            storage.remove_tree(self.path(RECEIPTS))
            raise

    def clean(self, *, keep: Iterable[Receipt] = ()) -> None:
        """Remove receipts and intermediate files, once the manifest is there; receipts kept stay, and their files."""
        keep = tuple(keep)
        files = {part.path for receipt in keep for part in receipt.parts}
        files |= {file.path for receipt in keep for file in receipt.work}
        files |= {_receipt_name(receipt.task) for receipt in keep}
        for folder in (RECEIPTS, WORK):
            self._clean_folder(folder, files)
        storage.remove_tree(storage.join(self.output, NEXT))  # of an update that was given up

    def receipts(self, kind: str) -> dict[str, Receipt]:
        """Return the receipts of the tasks `kind/…` by task, whether or not their files are intact."""
        folder = self.path(RECEIPTS)
        names = storage.walk_files(folder) if storage.exists(folder) else []
        found = (self._read_receipt(storage.join(folder, name))[0] for name in names if name.startswith(f"{kind}-"))
        return {receipt.task: receipt for receipt in sorted(found, key=lambda one: one.task)}

    def num_finished(self) -> int:
        """Count the receipts, intact or not; of a remote output by a request or more."""
        return len(storage.list_names(self.path(RECEIPTS)))

    def _clean_folder(self, folder: str, keep: Collection[str]) -> None:
        if not keep:
            storage.remove_tree(self.path(folder))
            return
        for name in storage.walk_files(self.path(folder)) if storage.exists(self.path(folder)) else ():
            if f"{folder}/{name}" not in keep:
                storage.remove_file(self.path(f"{folder}/{name}"))

    def _task_fingerprint(self, of: str | None) -> str:
        if of is None:
            return self.fingerprint
        return fingerprint(self.stage, self.config, [Input(name="task", fingerprint=of)], revision=self.revision)

    def _read_receipt(self, path: str) -> tuple[Receipt, str]:
        """Return a receipt and the fingerprint of what its task read; raises CorruptError for what is no receipt."""
        remedy = "remove this file, and the same command does its task again"
        content = read_json(path, remedy)
        made_of = content.pop("fingerprint", None) if isinstance(content, dict) else None
        try:
            return receipt_of(content), str(made_of)
        except BadJsonError as error:
            raise CorruptError(f"{path}: not a receipt ({error}); {remedy}") from error


def _sent(sender: str, content: dict[str, Any]) -> Workspace:
    """Return a workspace that another process sent; raises UsageError where that one runs other code."""
    check_code(sender)
    return Workspace(**content)


def _receipt_name(task: str) -> str:
    """Return the path of a task's receipt, relative to the output."""
    # Task names hold file names of any length and letters: the hash keeps them unique on disk.
    tag = hashlib.sha256(task.encode()).hexdigest()[:16]
    readable = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in task)[:80]
    return f"{RECEIPTS}/{readable}-{tag}.json"


def open_workspace(
    output: str, *, stage: str, revision: int, config: Mapping[str, Any], inputs: Iterable[Input]
) -> Workspace:
    """Return the workspace of a stage; `revision` is that of its code."""
    inputs = tuple(sorted(inputs, key=lambda item: (item.name, item.fingerprint)))
    workspace = Workspace(
        output=str(output),
        stage=stage,
        revision=revision,
        fingerprint=fingerprint(stage, config, inputs, revision=revision),
        config=dict(config),
        inputs=inputs,
    )
    emit("planned", stage=stage, fingerprint=workspace.fingerprint)
    return workspace


def plan_stage(
    output: str,
    *,
    stage: str,
    revision: int,
    config: Mapping[str, Any],
    inputs: Iterable[Input],
    sources: Mapping[str, Manifest] = MappingProxyType({}),
    update: Callable[[Workspace, Manifest], Iterable[str]] | None = None,
    repair: Callable[[Workspace, Manifest], Iterable[str]] | None = None,
    dry: bool = False,
    keep_work: bool = False,
) -> tuple[Workspace, Manifest | None]:
    """Return the workspace of a stage, and its manifest when the very same stage was finished there before.

    Takes away what killed runs left; the caller holds the directory (`corpus.stage.lock`). `sources`: the stages that
    it reads, by directory (`corpus.stage.reading`). With `update`, a finished stage that differs in its inputs or in
    the code's revision is made again beside the old result; `update` leaves receipts for what stays true, and returns
    the paths of its parts: of another revision nothing does, and it is not asked. So is one with a part missing or of
    another size, by `repair`; not if `dry`. `keep_work`: what a later update needs stays beside a finished result.

    Raises UsageError, printing the difference, when the directory holds a finished stage that differs.
    """
    workspace = open_workspace(output, stage=stage, revision=revision, config=config, inputs=inputs)
    workspace = replace(workspace, sources=tuple(stage_read(base, read) for base, read in sources.items()))
    remove_temporary(workspace.output)
    finish_switch(workspace.output)
    if not has_manifest(workspace.output):
        return workspace, None
    manifest = read_manifest(workspace.output)
    if manifest.fingerprint == workspace.fingerprint:
        if damaged := list(missing_parts(workspace.output, manifest)):
            keep = repair(workspace, manifest) if repair and not dry else ()
            say(f"{damage_text(damaged)}: what is missing is made again")
            return (workspace if dry else _made_again(workspace, manifest, keep)), None
        if update is None and not keep_work:
            workspace.clean()  # a kill between commit and clean leaves them behind
        return workspace, manifest
    return _updated(workspace, manifest, update), None


def _updated(
    workspace: Workspace, manifest: Manifest, update: Callable[[Workspace, Manifest], Iterable[str]] | None
) -> Workspace:
    """Return the workspace in which a finished stage that differs is brought up to date; else raises UsageError."""
    same_settings = (manifest.stage, dict(manifest.config)) == (workspace.stage, dict(workspace.config))
    if update is None or not same_settings:
        raise other_result(workspace, manifest, can_update=same_settings and workspace.stage in UPDATABLE)
    with_those = fingerprint(workspace.stage, workspace.config, manifest.inputs, revision=workspace.revision)
    if with_those != manifest.fingerprint:
        code = f"made by revision {manifest.revision} of the code, now {workspace.revision}"
        say(f"{workspace.output}: {code}: all of it is made again")
        return _made_again(workspace, manifest, ())
    return _made_again(workspace, manifest, update(workspace, manifest))


def keep_no_part(workspace: Workspace, manifest: Manifest) -> list[str]:
    """Return no path: the `update` of a stage whose every part is made anew, if out of pieces of the old ones."""
    return []


def _made_again(workspace: Workspace, manifest: Manifest, keep: Iterable[str]) -> Workspace:
    """Return the workspace in which a finished stage is made again."""
    if workspace.stage in _MENDED_IN_PLACE:
        withdraw(workspace.output, manifest, keep=keep)
        return workspace
    return replace(workspace, beside=True)


def remove_temporary(output: str) -> None:
    """Remove the temporary files that a killed run left in its output, never those of a stage in a directory below."""
    storage.remove_temporary(output, but_below=(LOCK, MANIFEST))


def other_result(workspace: Workspace, manifest: Manifest, *, can_update: bool = False) -> OtherResultError:
    """Return the error that says how the stage asked for differs from the one that is there."""
    lines = [f"{workspace.output}: holds a finished `{manifest.stage}` made with something else:"]
    if manifest.stage != workspace.stage:
        lines.append(f"  stage: {manifest.stage} there, {workspace.stage} asked for")
    elif manifest.revision != workspace.revision:
        lines.append(f"  code: revision {manifest.revision} there, now {workspace.revision}, which gives other bytes")
    for name in sorted({*manifest.config, *workspace.config}):
        old, new = manifest.config.get(name), workspace.config.get(name)
        if old != new:
            lines.append(f"  {name}: {old} there, {new} asked for")
    there = {(item.name, item.fingerprint) for item in manifest.inputs}
    asked = {(item.name, item.fingerprint) for item in workspace.inputs}
    changes = [f"  input only there: {name} {digest[:12]}" for name, digest in sorted(there - asked)]
    changes += [f"  input only asked for: {name} {digest[:12]}" for name, digest in sorted(asked - there)]
    lines += changes[:10] + ([f"  … and {len(changes) - 10} more inputs"] if len(changes) > 10 else [])
    if len(lines) == 1:
        lines.append(f"  code: that of version {manifest.version}, before its revisions were counted")
    return OtherResultError("\n".join(lines), can_update)
