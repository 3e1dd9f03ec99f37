"""A small assembled corpus for tests of what comes after `assemble`: seeded sentences, or texts given."""

import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from corpus.stage.manifest import Books, Manifest
from corpus.stage.workspace import Receipt, plan_stage
from corpus.storage import parquet

SYLLABLES = (
    "car", "dio", "my", "o", "gen", "ase", "immu", "no", "histo", "chem", "cyt", "thro", "mb",
    "photo", "syn", "the", "pro", "bio", "tic", "nano", "par", "ti", "cle", "gra", "phy",
)  # fmt: skip
EXTRAS = ("β-actin", "37 °C", "p < 0.05", "(n = 12)", "we'll", "don't", "CD4+", "α/β", "naïve", "—", "TNF-α", "10⁻³")


def sentences(seed: int, count: int) -> list[str]:
    """Return texts of made-up words whose frequencies fall like those of a language."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 5))) for _ in range(400)]
    words += [word.capitalize() for word in words[:40]] + list(EXTRAS)
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return [" ".join(rng.choices(words, weights, k=rng.randint(0, 40))) + "." for _ in range(count)]


def write_corpus(
    base: Path,
    shards: Sequence[tuple[str, Sequence[tuple[str, str]]]],
    *,
    pmids: Sequence[Sequence[int]] | None = None,
) -> Manifest:
    """Commit a corpus of shards (split, documents), a document being (source, text); returns its manifest.

    `pmids` are those of the documents of each shard, by default 1, 2, 3, ….
    """
    config = {"shards": [[split, list(map(list, documents))] for split, documents in shards]}
    workspace, _ = plan_stage(str(base), stage="assemble", revision=1, config=config, inputs=[])
    parts, count = [], 0
    for number, (split, documents) in enumerate(shards):
        own = pmids[number] if pmids else range(count + 1, count + 1 + len(documents))
        table = pa.table(
            {
                "doc_id": pa.array([f"pmid:{pmid}" for pmid in own], pa.string()),
                "source": pa.array([source for source, _ in documents], pa.string()),
                "text": pa.array([text for _, text in documents], pa.string()),
                "license": pa.array([""] * len(documents), pa.string()),
                "year": pa.array([2020] * len(documents), pa.int64()),
            }
        )
        name = f"{split}/part-{number:05d}-of-{len(shards):05d}.parquet"
        parquet.write_table(workspace.path(name), table)
        parts.append(workspace.measure(name, role=split, rows=len(documents)))
        count += len(documents)
    receipt = Receipt(task="assemble", parts=tuple(parts), books=Books(read=count, kept=count))
    return workspace.commit([receipt], summary={})


def mixed_corpus(base: Path, *, seed: int = 0, count: int = 300) -> Manifest:
    """Commit a corpus of two training shards and a validation shard, both sources mixed."""
    texts = sentences(seed, count)
    documents = [("pmc" if place % 3 == 0 else "pubmed", text) for place, text in enumerate(texts)]
    first, second = count // 2, count - count // 10
    return write_corpus(
        base,
        [("train", documents[:first]), ("train", documents[first:second]), ("validation", documents[second:])],
    )
