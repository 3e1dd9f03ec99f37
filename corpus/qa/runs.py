"""Finished runs below a directory, by their manifests: the predictions of each model, all its seeds together.

A stage that answers questions commits parts of the role `predictions`, one a setting and seed in folders of the form
`<setting>-seed<N>`, or one in all. Nothing but these files gives a number of a result.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.predictions import PREDICTIONS, Prediction, read_predictions
from corpus.stage.manifest import MANIFEST, Manifest, read_manifest
from corpus.stage.reading import check_content

ROLE = "predictions"
_SEED = re.compile(r"[-_/]?seed[-_]?\d+$")


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsweredRun:
    """What one model answered, over all its seeds, in one format."""

    name: str  # of its directory below the one that was searched, with the setting where there are several
    setting: str  # of a stage that has several, such as lr-1e-05
    method: str  # the verb that made it, without "qa "
    format: str
    parameters: float | None  # of the model, where its manifest says
    predictions: tuple[Prediction, ...]


def find_runs(directory: str, *, among: Collection[str] | None = None) -> list[AnsweredRun]:
    """Return the runs below a directory, by name, or those of them that lie in the folders `among`.

    Raises UsageError when there are none, CorruptError for damage.
    """
    if not storage.exists(directory):
        raise UsageError(f"{directory}: there is no such directory; check the path")
    runs = [run for base, manifest in _manifests(directory, among) for run in runs_of(directory, base, manifest)]
    if not runs:
        raise UsageError(
            f"{directory}: no finished run with {PREDICTIONS} is below; make one with `corpuscle qa finetune` or "
            "`corpuscle qa evaluate`"
        )
    return sorted(runs, key=lambda run: (run.name, run.format))


def _manifests(directory: str, among: Collection[str] | None) -> Iterator[tuple[str, Manifest]]:
    for name in storage.walk_files(directory):
        folder, _, file = name.rpartition("/")
        if file == MANIFEST and "/_" not in f"/{folder}":
            base = storage.join(directory, folder) if folder else directory
            if among is None or base in among:
                yield base, read_manifest(base)


def runs_of(directory: str, base: str, manifest: Manifest) -> list[AnsweredRun]:
    """Return the runs of one stage's directory, below another: its settings, and each setting's formats."""
    groups: dict[tuple[str, str], list[Prediction]] = {}
    for part in manifest.parts:
        if part.role != ROLE:
            continue
        path = storage.join(base, part.path)
        check_content(path, part.sha256)
        setting = _SEED.sub("", part.path.rpartition("/")[0])
        for row in read_predictions(path):
            groups.setdefault((setting, row.format), []).append(row)
    own = base.removeprefix(directory).strip("/") or storage.base_name(directory.rstrip("/"))
    several = len({setting for setting, _ in groups}) > 1
    found = manifest.summary.get("parameters")
    return [
        AnsweredRun(
            name=f"{own}/{setting}" if several and setting else own,
            setting=setting if several else "",
            method=manifest.stage.removeprefix("qa "),
            format=kind,
            parameters=float(found) if isinstance(found, (int, float)) else None,
            predictions=tuple(rows),
        )
        for (setting, kind), rows in groups.items()
    ]


def in_set(predictions: Sequence[Prediction], question_set: str, split: str) -> list[Prediction]:
    """Return the scored predictions of one set and split; MMLU's subjects are sets of their own."""
    task, _, subject = question_set.partition("/")
    return [
        one
        for one in predictions
        if one.task == task and one.split == split and one.gold is not None and (not subject or one.subject == subject)
    ]
