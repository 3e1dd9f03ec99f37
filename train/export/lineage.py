"""Lineage of a run: the manifests of the stages before it, found by their fingerprints.

A run knows its tokens by path (`job.json`) and by fingerprint; each manifest names the fingerprints of what it
was made from. The fingerprint decides, the path is a hint: a working directory may have been moved or copied as a
whole since. The directories beside the tokens and beside the run are searched, two levels up and down; a stage that
is not found is not guessed.
"""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from corpus import storage
from corpus.errors import UsageError
from corpus.stage.manifest import Input, Manifest, has_manifest, read_manifest
from corpus.stage.nearby import manifests_near, readable_manifest
from corpus.storage import parquet
from train.checkpoint.store import Checkpoint
from train.job import JOB, read_job

NO_LICENSE = "none stated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """Manifests by stage (train, pack, tokenizer, assemble, extract), as far as they were found."""

    manifests: Mapping[str, Manifest]
    folders: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)  # fingerprints by stage

    @property
    def inputs(self) -> list[Input]:
        """Return the stages found as inputs of a stage that reads their manifests."""
        return [Input(name=stage, fingerprint=found.fingerprint) for stage, found in self.manifests.items()]

    def check_tokens_found(self) -> None:
        """Raise UsageError when the run's tokens were not found."""
        if "pack" in self.missing:
            raise UsageError(
                f"--check scores on tokens {self.missing['pack'][:12]}, and the run's tokens are not there; "
                "name their directory with --held-out"
            )

    def told_missing(self) -> list[str]:
        """Return what a card will lack, and what helps, as lines for the console."""
        if "pack" in self.missing:
            return [
                f"the card lacks data, rules and licences: no tokens {self.missing['pack'][:12]} where they were, "
                "nor near the run; name their directory with --held-out"
            ]
        if "assemble" in self.missing:
            return [
                f"the card lacks rules and licences: no corpus {self.missing['assemble'][:12]} near "
                f"{self.folders['pack']} or the run; put it beside them, or name tokens beside it with --held-out"
            ]
        return []

    def licenses(self) -> dict[str, dict[str, int]]:
        """Return documents of the training split by source and licence, counted in the corpus; {} without it."""
        if "assemble" not in self.manifests:
            return {}
        counts: dict[str, Counter[str]] = {}
        for path in self.manifests["assemble"].paths(self.folders["assemble"], "train"):
            for batch in parquet.iter_batches(path, ["source", "license"], 1 << 16):
                for source, license_name in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    counts.setdefault(source, Counter())[license_name or NO_LICENSE] += 1
        return {source: dict(found.most_common()) for source, found in sorted(counts.items())}


def find_lineage(run: str, checkpoint: Checkpoint, *, tokens: str | None = None) -> Lineage:
    """Return the manifests behind a checkpoint; `tokens` is where the user says that its tokens are.

    Raises UsageError when those are others than the checkpoint was trained on.
    """
    manifests: dict[str, Manifest] = {}
    folders: dict[str, str] = {}
    if has_manifest(run):
        done = read_manifest(run, "train")
        if done.summary["steps"] == checkpoint.step:
            manifests["train"], folders["train"] = done, run
    place = find_tokens(run, checkpoint.tokens_fingerprint, given=tokens)
    waiting, missing = {("pack", checkpoint.tokens_fingerprint)}, dict[str, str]()
    candidates = [] if place is None else [(place, read_manifest(place)), *manifests_near(place, run)]
    while waiting:
        stage, wanted = waiting.pop()
        for folder, found in candidates:
            if (found.stage, found.fingerprint) == (stage, wanted):
                manifests[stage], folders[stage] = found, folder
                waiting |= {(item.name, item.fingerprint) for item in found.inputs}
                break
        else:
            missing[stage] = wanted
    return Lineage(manifests=manifests, folders=folders, missing=missing)


def find_tokens(run: str, fingerprint: str, *, given: str | None = None) -> str | None:
    """Return the `pack` directory that a run was trained on: as given, where it was, or where it is since a move.

    A moved working directory holds it in the same place from the run. None when no directory at hand has the
    fingerprint; raises UsageError when the given one has another.
    """
    if given is not None:
        check_tokens(given, fingerprint)
        return given
    if storage.exists(storage.join(run, JOB)):
        tokens = read_job(run).tokens
        moved = [
            str(Path(above, *Path(tokens).parts[-depth:]))
            for above in list(Path(os.path.abspath(run)).parents)[:LEVELS]
            for depth in range(1, LEVELS + 1)
        ]
        for place in (tokens, *moved):
            if (found := readable_manifest(place)) is not None and found.fingerprint == fingerprint:
                return place
    for folder, found in manifests_near(run):
        if (found.stage, found.fingerprint) == ("pack", fingerprint):
            return folder
    return None


LEVELS = 3  # of directories: a working directory holds `tokens/clean` and `runs/mine`


def check_tokens(tokens: str, fingerprint: str) -> None:
    """Raise UsageError unless a directory holds the tokens with this fingerprint."""
    if not has_manifest(tokens):
        raise UsageError(f"{tokens}: the run's tokens are not there; name their directory with --held-out")
    if read_manifest(tokens, "pack").fingerprint != fingerprint:
        raise UsageError(f"{tokens}: other tokens than the checkpoint was trained on; give its own with --held-out")
