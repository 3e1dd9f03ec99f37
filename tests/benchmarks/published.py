"""A published folder in other people's libraries: `python -m tests.benchmarks.published --folder DIR`.

A made corpus is published, and Hugging Face's datasets (whole and streaming), Polars, pandas, DuckDB and mlcroissant
read every subset and split of it; ids and lengths of the texts are held against the corpus shards. mlcroissant must
find nothing wrong. The libraries go below `--folder`, each with all that it needs (0.5 GB in all), DuckDB is at hand.
`--published DIR` reads a folder of yours instead. Exit code 1 when anything differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from corpus.publish.config import SUBSET_NAMES, SUBSETS, class_of
from corpus.stage.manifest import SPLITS, read_manifest
from corpus.storage import parquet
from tests.support.environments import environment
from tests.support.published import publish_sample
from tests.support.published_reader import Found, files, measured

VERSIONS = {"datasets": "5.2.0", "polars": "2.1.0", "pandas": "3.1.1", "mlcroissant": "1.1.1"}
BESIDE = {"pandas": ("pyarrow",)}


def wanted_rows(corpus: Path) -> Found:
    """Return what every subset and split holds, from the shards of the corpus."""
    manifest, found = read_manifest(str(corpus), "assemble"), Found()
    for split in SPLITS:
        columns = ["doc_id", "text", "license"]
        tables = [parquet.read_table(path, columns).to_pylist() for path in manifest.paths(str(corpus), split)]
        rows = [row for table in tables for row in table]
        for use, classes in SUBSETS.items():
            own = [(row["doc_id"], row["text"]) for row in rows if class_of(row["license"]) in classes]
            if own:
                found.setdefault(SUBSET_NAMES[use], {})[split] = measured(own)
    return found


def card_rows(folder: Path) -> Found:
    """Return the same from the files that the card names, by DuckDB."""
    return {
        subset: {
            split: measured(duckdb.sql(f"select doc_id, text from read_parquet({paths})").fetchall())
            for split, paths in splits.items()
        }
        for subset, splits in files(folder).items()
    }


def read_by(library: str, folder: Path, *, place: Path) -> Any:
    """Return what a library finds, in a process of its own."""
    variables = environment(place, library, VERSIONS[library], beside=BESIDE.get(library, ()))
    command = [sys.executable, "-m", "tests.support.published_reader", library, str(folder)]
    with tempfile.TemporaryDirectory() as cache:
        variables |= {"HF_DATASETS_CACHE": cache, "HF_DATASETS_OFFLINE": "1"}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{library}: {done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Print a line for each library, and return the exit code."""
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.published", description=__doc__)
    options.add_argument("--folder", type=Path, help="of the libraries, kept; default: a temporary one")
    options.add_argument("--published", type=Path, help="a folder of yours, whose rows DuckDB counts")
    given = options.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        made = None if given.published else publish_sample(Path(scratch, "sample"))
        folder = given.published or made.folder
        by_card = card_rows(folder)
        wanted = wanted_rows(made.corpus) if made else by_card
        found: dict[str, list[Any]] = {"duckdb": [by_card]}
        complaints: dict[str, list[str]] = {}
        for library in VERSIONS:
            answer = read_by(library, folder, place=given.folder or Path(scratch, "libraries"))
            if library == "mlcroissant":
                complaints[library] = [*answer["complaints"], *([] if "/1.1" in answer["version"] else ["not 1.1"])]
                answer = [answer["rows"]]
            found[library] = answer
        count = sum(len(rows) for splits in wanted.values() for rows in splits.values())
        for library, answers in found.items():
            faults = ["other rows" for answer in answers if answer != json.loads(json.dumps(wanted))]
            faults += complaints.get(library, [])
            wrong += bool(faults)
            print(f"{library} {VERSIONS.get(library, duckdb.__version__)}  {count:,} rows  {'; '.join(faults) or 'ok'}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
