"""Hugging Face's datasets, in a process of its own: python -m tests.support.datasets_reader CORPUS...

A line of JSON for each directory: of `load_dataset(DIR)` and of the same with streaming, the (doc_id, text) of every
row by split, or the error as text.
"""

import json
import sys
from typing import Any

from datasets import load_dataset


def main(places: list[str]) -> None:
    """Load each directory as a user does."""
    for place in places:
        print(json.dumps([_loaded(place), _loaded(place, streaming=True)]), flush=True)


def _loaded(place: str, **options: Any) -> Any:
    try:
        found: Any = load_dataset(place, **options)
        return {split: [[row["doc_id"], row["text"]] for row in rows] for split, rows in found.items()}
    except Exception as error:  # noqa: BLE001  # whatever a user would see
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main(sys.argv[1:])
