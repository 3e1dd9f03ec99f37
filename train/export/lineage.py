"""Lineage of a run: the manifests of the stages before it, found by their fingerprints.

A run knows its tokens by path (`job.json`) and by fingerprint; each manifest names the fingerprints of what it
was made from. The directories beside the tokens, as one working directory holds them, are searched; a stage
that is not found is not guessed.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from corpus import storage
from corpus.errors import CorpuscleError
from corpus.stage.manifest import MANIFEST, Input, Manifest, has_manifest, read_manifest
from corpus.storage import parquet
from train.checkpoint.store import Checkpoint
from train.job import JOB, read_job

NO_LICENSE = "none stated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """Manifests by stage (train, pack, tokenizer, assemble, extract), as far as they were found."""

    manifests: Mapping[str, Manifest]
    folders: Mapping[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> list[Input]:
        """Return the stages found as inputs of a stage that reads their manifests."""
        return [Input(name=stage, fingerprint=found.fingerprint) for stage, found in self.manifests.items()]

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


def find_lineage(run: str, checkpoint: Checkpoint) -> Lineage:
    """Return the manifests behind a checkpoint."""
    manifests: dict[str, Manifest] = {}
    folders: dict[str, str] = {}
    if has_manifest(run):
        done = read_manifest(run, "train")
        if done.summary["steps"] == checkpoint.step:
            manifests["train"], folders["train"] = done, run
    waiting = {("pack", checkpoint.tokens_fingerprint)}
    candidates = _candidates(run)
    while waiting:
        stage, wanted = waiting.pop()
        for folder, found in candidates:
            if (found.stage, found.fingerprint) == (stage, wanted):
                manifests[stage], folders[stage] = found, folder
                waiting |= {(item.name, item.fingerprint) for item in found.inputs}
                break
    return Lineage(manifests=manifests, folders=folders)


def _candidates(run: str) -> list[tuple[str, Manifest]]:
    """Return the readable manifests in the tokens' directory and beside it, two levels up and down."""
    path = storage.join(run, JOB)
    if not storage.exists(path):
        return []
    tokens = Path(read_job(run).tokens)
    patterns = (MANIFEST, f"*/{MANIFEST}", f"*/*/{MANIFEST}")
    files = {file for above in (tokens.parent, tokens.parent.parent) for name in patterns for file in above.glob(name)}
    found = []
    for file in sorted({*files, tokens / MANIFEST}):
        try:
            found.append((str(file.parent), read_manifest(str(file.parent))))
        except CorpuscleError:
            continue  # not a manifest of ours, or damaged: `corpuscle verify` is there to say so
    return found
