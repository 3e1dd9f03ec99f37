"""Verification of all stages below a directory against their manifests and each other, `verify DIR`.

Checked for each manifest found: its own hash, size and SHA-256 of every part, the books, the checkpoints of a
training run, the answers and weights of question answering, and that each earlier stage it names is one that lies
below the same directory. A directory with receipts or checkpoints but no manifest is an interrupted stage. Files that
no manifest names are listed; no stage ever reads them. An export is held against its checkpoint, not against what its
run has become since.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from rich.filesize import decimal

from corpus import storage
from corpus.assemble.change_feed import CHANGES
from corpus.errors import CorpuscleError, CorruptError, UsageError
from corpus.fetch.http.tally import LOG as FETCH_LOG
from corpus.stage.events import EVENTS_LOG
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.stage.manifest import MANIFEST, NEXT, Manifest, read_manifest, verify_parts
from corpus.stage.progress import progress
from corpus.stage.reading import held_for_reading
from corpus.stage.withdraw import WITHDRAWN
from corpus.stage.workspace import RECEIPTS, WORK
from pipelines.inspection.qa_faults import qa_faults
from pipelines.inspection.summaries import PAGE, books_text, road_order
from train.checkpoint import store
from train.energy import TIMING
from train.job import JOB, LOGS, RANKS_LOCK
from train.loop.metrics import EVENTS

# What a stage's directory holds beside its parts: the commit, facts of the run, a lock, a page; for training also logs.
KNOWN_FILES = (MANIFEST, RUN_FACTS, EVENTS_LOG, LOCK, WITHDRAWN, JOB, RANKS_LOCK, TIMING, FETCH_LOG, PAGE)
# RECEIPTS and WORK of a finished stage are what `assemble --update` keeps for the next update, NEXT is one at work,
# CHANGES says what each update changed.
KNOWN_FOLDERS = (EVENTS, LOGS, store.FOLDER, RECEIPTS, WORK, NEXT, CHANGES)
ORPHANS_SHOWN = 10
GOES_ON = {("export", "train")}  # a run has another manifest after more steps; its checkpoint is what an export is of
STAYS = {
    ("tokenizer", "assemble"),
    ("train", "pack"),
    ("delta", "assemble"),
    ("passages", "extract"),
    ("passages", "assemble"),
}  # when `corpuscle run --update` brings the rest up to date


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Findings of a verification: one line a stage and a line for everything noteworthy."""

    lines: tuple[str, ...]
    num_stages: int
    num_wrong: int


def verify_directory(base: str) -> Findings:
    """Verify all stages below a directory; raises UsageError when there are none."""
    files = storage.walk_files(base) if storage.exists(base) else []
    stages = sorted({str(PurePosixPath(name).parent) for name in files if storage.base_name(name) == MANIFEST})
    unfinished = sorted({found for name in files if (found := _unfinished_stage(name)) is not None} - set(stages))
    if not stages and not unfinished:
        raise UsageError(f"{base}: no {MANIFEST} here or below, so there is nothing to verify; check the path")
    results: list[tuple[int, list[str]]] = []
    manifests: dict[str, Manifest] = {}
    num_wrong = 0
    with progress("verify", len(stages), "stages") as shown:
        for stage in stages:
            line, faults, manifest = _verify_stage(storage.join(base, stage) if stage != "." else base, stage)
            place = road_order(manifest.stage) if manifest else -1
            results.append((place, [line, *(f"        {fault}" for fault in faults)]))
            num_wrong += len(faults)
            if manifest is not None:
                manifests[stage] = manifest
            shown.advance()
    lines = [line for _, found in sorted(results) for line in found]
    rest = [f"{stage}: interrupted; run the same command again to finish it" for stage in unfinished]
    links = _broken_links(manifests)
    rest += [fault for fault, stays in links if not stays]
    rest += qa_faults(base, manifests)
    others, older = _checkpoint_links(manifests, _listed_checkpoints(base, files))
    rest += others
    older += [line for line, stays in links if stays]
    lines += [f"WRONG   {fault}" for fault in rest] + [f"note    {line}" for line in older]
    lines += _orphan_lines(files, manifests)
    return Findings(lines=tuple(lines), num_stages=len(stages), num_wrong=num_wrong + len(rest))


def _verify_stage(base: str, shown_as: str) -> tuple[str, list[str], Manifest | None]:
    """Return the line of a stage, its faults, and its manifest if that can be trusted."""
    try:
        with held_for_reading(base):
            manifest = read_manifest(base)
            manifest.books.check(f"{manifest.stage} in {base}")
            faults = [*verify_parts(base, manifest), *_checkpoint_faults(base, manifest)]
    except CorpuscleError as error:
        return f"WRONG   {shown_as}", [str(error)], None
    num_bytes = decimal(sum(part.bytes for part in manifest.parts))
    books = f", {books_text(manifest.books)}" if manifest.books.read else ""
    what = f"{manifest.stage:<10} {shown_as}: {len(manifest.parts)} files of {num_bytes}{books}"
    return f"{'WRONG' if faults else 'ok':<7} {what}", faults, manifest


def _checkpoint_faults(base: str, manifest: Manifest) -> Iterator[str]:
    """Yield a line for each damaged file of a training run's older checkpoints; the last one is among its parts."""
    parts = {part.path for part in manifest.parts}
    for entry in store.read_list(base) or ():
        folder = storage.join(base, store.FOLDER, entry.name)
        description = storage.join(folder, store.DESCRIPTION)
        if description.removeprefix(base + "/") in parts:
            continue
        if not storage.exists(description) or storage.sha256_file(description) != entry.sha256:
            yield f"{description}: missing or changed"
            continue
        for name, expected in store.read_checkpoint(base, entry.name).files.items():
            path = storage.join(folder, name)
            if not storage.exists(path) or storage.sha256_file(path) != expected.sha256:
                yield f"{path}: missing or changed"


def _broken_links(manifests: Mapping[str, Manifest]) -> list[tuple[str, bool]]:
    """Return a line for each stage whose input is not the earlier stage beside it, and whether it may stay so.

    A directory may hold several corpora; the link is whole when one of them has the fingerprint named.
    """
    links = []
    for folder, manifest in manifests.items():
        for item in manifest.inputs:
            if (manifest.stage, item.name) in GOES_ON:
                continue
            stays = (manifest.stage, item.name) in STAYS
            there = {name: other.fingerprint for name, other in manifests.items() if other.stage == item.name}
            if there and item.fingerprint not in there.values():
                others = ", ".join(sorted(there))
                made = f"{folder}: `{manifest.stage}` was made from another `{item.name}` than {others}"
                again = f"run `corpuscle {manifest.stage}` again into a new directory"
                why = "as when the corpus was brought up to date behind it" if stays else again
                links.append((f"{made}; {why}", stays))
    return links


def _checkpoint_links(
    manifests: Mapping[str, Manifest], runs: Mapping[str, Sequence[store.ListedCheckpoint]]
) -> tuple[list[str], list[str]]:
    """Return a line for each export that none of the runs here can have given, and for each whose run has gone on."""
    wrong, notes = [], []
    for folder, manifest in manifests.items():
        made_of = next((item.fingerprint for item in manifest.inputs if item.name == "checkpoint"), None)
        step = manifest.summary.get("step")
        if manifest.stage != "export" or made_of is None or not isinstance(step, int) or not runs:
            continue
        own = next((run for run, kept in runs.items() if made_of in [entry.sha256 for entry in kept]), None)
        all_runs = ", ".join(sorted(runs))
        if own is not None and (newest := runs[own][-1]).sha256 != made_of:
            notes.append(f"{folder}: made of step {step:,}, older than the newest of {own}, step {newest.step:,}")
        elif own is None and any(_may_have_given(kept, step) for kept in runs.values()):
            notes.append(f"{folder}: made of a checkpoint of step {step:,}, which {all_runs} keeps no more")
        elif own is None:
            wrong.append(f"{folder}: made of another checkpoint of step {step:,} than {all_runs} has or had")
    return wrong, notes


def _listed_checkpoints(base: str, files: Sequence[str]) -> dict[str, Sequence[store.ListedCheckpoint]]:
    """Return the checkpoints of each run below a directory, finished or not, that has some."""
    runs: dict[str, Sequence[store.ListedCheckpoint]] = {}
    for name in files:
        if PurePosixPath(name).match(f"{store.FOLDER}/{store.LATEST}"):
            run = str(PurePosixPath(name).parent.parent)
            with suppress(CorruptError):  # `_verify_stage` tells of it
                if kept := store.read_list(storage.join(base, run) if run != "." else base):
                    runs[run] = kept
    return runs


def _may_have_given(kept: Sequence[store.ListedCheckpoint], step: int) -> bool:
    """Say whether a run that lists these checkpoints may have had another one of a step, and dropped it."""
    return step < kept[-1].step and step not in [entry.step for entry in kept]


def _orphan_lines(files: Sequence[str], manifests: Mapping[str, Manifest]) -> list[str]:
    """Return a line for each file inside a finished stage that no manifest names."""
    named = {str(PurePosixPath(folder, part.path)) for folder, found in manifests.items() for part in found.parts}
    orphans = [name for name in files if name not in named and _is_orphan(name, manifests)]
    lines = [f"orphan  {name}: in no manifest, no stage reads it; safe to remove" for name in orphans[:ORPHANS_SHOWN]]
    return lines + ([f"orphan  … and {len(orphans) - ORPHANS_SHOWN} more"] if len(orphans) > ORPHANS_SHOWN else [])


def _is_orphan(name: str, manifests: Mapping[str, Manifest]) -> bool:
    """Say whether a file that is no part lies in a finished stage and is none of the files known to lie there."""
    stage = next((above for above in PurePosixPath(name).parents if str(above) in manifests), None)
    if stage is None:
        return False
    inside = PurePosixPath(name).relative_to(stage)
    return str(inside) not in KNOWN_FILES and inside.parts[0] not in KNOWN_FOLDERS


def _unfinished_stage(name: str) -> str | None:
    """Return the directory of the stage that a receipt, intermediate file or checkpoint belongs to."""
    for above in PurePosixPath(name).parents:
        if above.name in (RECEIPTS, WORK, store.FOLDER):
            return str(above.parent)
    return None
