"""Forecast of a stage, `--dry-run`: what it would do and what that takes, found by reading alone.

In: the same plan as the stage makes, without its lock and without a write. Out: a line or two for reading. The CPU time
is that of this directory's last `run.json`, by the bytes that it read; without one, of rates that were measured once.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from corpus import storage
from corpus.errors import CorruptError
from corpus.stage.claim import check_claim
from corpus.stage.lock import RUN_FACTS
from corpus.stage.manifest import Input, Manifest, has_manifest, missing_parts, read_manifest
from corpus.stage.workspace import RECEIPTS, UPDATABLE, Workspace, open_workspace, other_result
from corpus.storage.json_files import read_json

Ahead = Literal["done", "new", "interrupted", "damaged", "update", "code"]
_WHY: Final[Mapping[Ahead, str]] = {
    "done": "up to date",
    "new": "nothing is there",
    "interrupted": "goes on from a run that was stopped",
    "damaged": "parts are missing and made again",
    "update": "the inputs are others than those of the result there",
    "code": "the code is another than that of the result there",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LookAhead:
    """What a stage would find in its output: its workspace, the finished result, and what follows from both."""

    workspace: Workspace
    manifest: Manifest | None
    state: Ahead


@dataclass(frozen=True, kw_only=True, slots=True)
class LastRun:
    """What the last run of a stage took, by its `run.json`."""

    cpu_seconds: float
    bytes_read: int  # of the inputs of the tasks that it did; 0 where it did not say


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a stage would do: tasks, sizes and CPU time; a size of None is not known before it runs."""

    stage: str
    output: str
    why: str
    to_do: int = 0  # tasks
    reused: int = 0  # tasks whose result is taken as it is
    unit: str = "tasks"
    bytes_in: int | None = None  # of the inputs of the tasks to do
    bytes_out: int | None = None  # of the whole result, about
    disk_bytes: int | None = None  # to be free, about: until the old result has gone, both are there
    cpu_seconds: float | None = None
    measured: bool = True  # by the last run here, not by rates that were measured elsewhere
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the forecast for reading."""
        lines = [f"{self.stage} → {self.output}: {self.why}"]
        if self.to_do or self.reused:
            lines.append(f"  {self.to_do:,} of {self.to_do + self.reused:,} {self.unit} to do, {self.reused:,} reused")
        sizes = (("in", self.bytes_in), ("out, about", self.bytes_out), ("of disk needed, about", self.disk_bytes))
        if known := [f"{size / 1e6:,.1f} MB {words}" for words, size in sizes if size is not None]:
            lines.append(f"  {'; '.join(known)}")
        if self.cpu_seconds is not None:
            by = "by the last run here" if self.measured else "by rates measured on another machine: no run here yet"
            about = f"{self.cpu_seconds:,.1f}" if self.cpu_seconds >= 0.05 else "less than 0.1"
            lines.append(f"  {about} CPU s, {by}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def look_ahead(
    output: str,
    *,
    stage: str,
    revision: int,
    config: Mapping[str, Any],
    inputs: Iterable[Input],
    update: bool,
) -> LookAhead:
    """Return what a stage would find; writes nothing.

    Raises UsageError where the stage itself would refuse its output.
    """
    check_claim(output)
    workspace = open_workspace(output, stage=stage, revision=revision, config=config, inputs=inputs)
    if not has_manifest(output):
        stopped = storage.exists(storage.join(output, RECEIPTS))
        return LookAhead(workspace=workspace, manifest=None, state="interrupted" if stopped else "new")
    manifest = read_manifest(output)
    if manifest.fingerprint == workspace.fingerprint:
        damaged = any(missing_parts(output, manifest))
        return LookAhead(workspace=workspace, manifest=manifest, state="damaged" if damaged else "done")
    same = (manifest.stage, dict(manifest.config)) == (stage, dict(workspace.config))
    if not (update and same):
        raise other_result(workspace, manifest, can_update=same and stage in UPDATABLE)
    state: Ahead = "update" if manifest.revision == revision else "code"
    return LookAhead(workspace=workspace, manifest=manifest, state=state)


def why(ahead: LookAhead) -> str:
    """Return what a stage would do, and why, in a phrase."""
    return _WHY[ahead.state]


def finished_forecast(ahead: LookAhead, reused: int, unit: str = "tasks") -> Forecast:
    """Return the forecast of a stage that has nothing to do."""
    place = ahead.workspace
    return Forecast(stage=place.stage, output=place.output, why=why(ahead), reused=reused, unit=unit)


def forecast_by_rate(
    ahead: LookAhead,
    *,
    to_do: int,
    reused: int = 0,
    unit: str = "tasks",
    bytes_in: int,
    rate: float,
    bytes_out: int,
    disk_bytes: int,
    notes: Iterable[str] = (),
) -> Forecast:
    """Return the forecast of a stage whose CPU time goes by the bytes that it reads.

    rate: bytes that one CPU second reads, where no run here says; notes: "" stands for none. A full disk is noted.
    """
    output = ahead.workspace.output
    seconds, measured = cpu_seconds(output, bytes_in, rate)
    return Forecast(
        stage=ahead.workspace.stage,
        output=output,
        why=why(ahead),
        to_do=to_do,
        reused=reused,
        unit=unit,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        disk_bytes=disk_bytes,
        cpu_seconds=seconds,
        measured=measured,
        notes=(*filter(None, notes), *free_note(output, disk_bytes)),
    )


def last_run(output: str) -> LastRun | None:
    """Return what the last run into a directory took; None where there was none."""
    path = storage.join(output, RUN_FACTS)
    if not storage.exists(path):
        return None
    try:
        content = read_json(path, "remove this file")
        return LastRun(cpu_seconds=float(content["cpu_seconds"]), bytes_read=int(content.get("bytes_read") or 0))
    except (CorruptError, KeyError, TypeError, ValueError):
        return None


def cpu_seconds(output: str, num_bytes: int, rate: float) -> tuple[float, bool]:
    """Return the CPU seconds that so many bytes take, and whether by the last run here; rate: bytes a second else."""
    last = last_run(output)
    if last and last.bytes_read:
        return last.cpu_seconds * num_bytes / last.bytes_read, True
    return num_bytes / rate, False


def result_bytes(manifest: Manifest | None) -> int:
    """Return the size of a finished result."""
    return sum(part.bytes for part in manifest.parts) if manifest else 0


def scaled(manifest: Manifest | None, factor: float, otherwise: float) -> int:
    """Return about how large a result will be: the one there times a factor, or what is known where none is."""
    return round(result_bytes(manifest) * factor) if manifest else round(otherwise)


def free_note(output: str, needed: int | None) -> tuple[str, ...]:
    """Return a line where a local disk has less room than is needed."""
    place = output
    while not storage.is_remote(place) and place and not os.path.isdir(place):
        place = os.path.dirname(os.path.abspath(place))
    if storage.is_remote(place) or needed is None:
        return ()
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    return (f"only {free / 1e6:,.1f} MB are free there",) if free < needed else ()
