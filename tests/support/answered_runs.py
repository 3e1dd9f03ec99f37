"""Finished runs that answered questions, made of predictions alone, as the stages commit them."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from corpus.qa.predictions import Prediction, write_predictions
from corpus.stage.manifest import Books, Manifest, Part, write_manifest
from corpus.storage import sha256_file


def answers(
    task: str, items: int, right: int, *, split: str = "test", subject: str = "", options: int = 4, seed: int = 0,
    contaminated: int | None = None,
) -> list[Prediction]:  # fmt: skip
    """Predictions of which exactly `right` are right; `contaminated` first items are called that."""
    draw = random.Random(f"{task}{subject}")
    golds = [draw.randrange(options) for _ in range(items)]
    good = set(random.Random(seed).sample(range(items), right))
    return [
        Prediction(
            id=f"{subject}{split}-{number:05d}", task=task, split=split, subject=subject, gold=gold,
            choice=gold if number in good else (gold + 1) % options, scores=(0.0,) * options,
            probabilities=(1 / options,) * options, seed=seed, format="paper",
            contaminated=None if contaminated is None else number < contaminated,
        )
        for number, gold in enumerate(golds)
    ]  # fmt: skip


def write_run(folder: Path, settings: Mapping[str, Sequence[Prediction]], *, parameters: float | None = None) -> Path:
    """Commit predictions, a file a setting, as `qa finetune` does."""
    parts = []
    for setting, rows in settings.items():
        name = f"{setting}/predictions.parquet" if setting else "predictions.parquet"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_predictions(rows, str(path))
        parts.append(Part(path=name, role="predictions", rows=len(rows), bytes=path.stat().st_size,
                          sha256=sha256_file(str(path))))  # fmt: skip
    summary = {} if parameters is None else {"parameters": parameters}
    manifest = Manifest(stage="qa finetune", revision=1, fingerprint="f", config={}, inputs=(), parts=tuple(parts),
                        books=Books(), summary=summary)  # fmt: skip
    write_manifest(str(folder), manifest)
    return folder
