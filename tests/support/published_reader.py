"""A published folder as a library reads it, in a process of its own: python -m tests.support.published_reader LIB DIR.

Prints JSON: by subset and split the sorted ids with the lengths of their texts; of mlcroissant also its complaints.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

Found = dict[str, dict[str, list[list[Any]]]]


def files(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Return the files of each subset and split, as the card names them."""
    header = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    return {
        config["config_name"]: {
            one["split"]: [str(folder / path) for path in one["path"]] for one in config["data_files"]
        }
        for config in header["configs"]
    }


def by_frame(folder: Path, library: str) -> Found:
    """Read with polars or pandas."""
    frames: Any = __import__(library)
    found: Found = {}
    for subset, splits in files(folder).items():
        for split, paths in splits.items():
            rows: list[tuple[str, str]] = []
            for path in paths:
                frame = frames.read_parquet(path)
                rows += zip(list(frame["doc_id"]), list(frame["text"]), strict=True)
            found.setdefault(subset, {})[split] = measured(rows)
    return found


def by_datasets(folder: Path, *, streaming: bool) -> Found:
    """Read by `load_dataset(DIR, subset)`."""
    from datasets import load_dataset

    found: Found = {}
    for subset in files(folder):
        loaded: Any = load_dataset(str(folder), subset, streaming=streaming)
        found[subset] = {
            split: measured((row["doc_id"], row["text"]) for row in rows) for split, rows in loaded.items()
        }
    return found


def by_croissant(folder: Path) -> Any:
    """Read every record set of croissant.json, and say what mlcroissant has to complain of."""
    import mlcroissant

    described: Any = mlcroissant.Dataset(str(folder / "croissant.json"))
    issues = described.metadata.ctx.issues
    found: Found = {}
    for records in described.metadata.record_sets:
        subset, _, split = records.id.partition("-")
        rows = (
            (one[f"{records.id}/doc_id"].decode(), one[f"{records.id}/text"].decode())
            for one in described.records(records.id)
        )
        found.setdefault(subset, {})[split] = measured(rows)
    version = str(described.metadata.ctx.conforms_to.value)
    return {"complaints": [*issues.errors, *issues.warnings], "version": version, "rows": found}


def measured(rows: Any) -> list[list[Any]]:
    """Return ids and lengths, sorted."""
    return sorted([name, len(text)] for name, text in rows)


def main(library: str, folder: Path) -> None:
    """Print what a library finds."""
    if library == "datasets":
        print(json.dumps([by_datasets(folder, streaming=False), by_datasets(folder, streaming=True)]))
    elif library == "mlcroissant":
        print(json.dumps(by_croissant(folder)))
    else:
        print(json.dumps([by_frame(folder, library)]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
