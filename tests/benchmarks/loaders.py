"""A corpus in Hugging Face's datasets: `python -m tests.benchmarks.loaders --folder DIR`.

Small corpora, some with a split that has no document, are loaded by `load_dataset(DIR)` in each version, whole and
streaming, and every row is held against the shards. Versions come with all that they need and go below `--folder`
(0.35 GB each); `--only 3.6.0` tries another. Exit code 1 when a corpus does not load, or loads as something else.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.assemble.config import AssembleConfig
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import SPLITS, read_manifest
from corpus.storage import parquet
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from tests.support.environments import environment

# The oldest was made for libraries of its time: pyarrow 21 took away what it calls.
VERSIONS: dict[str, tuple[str, ...]] = {"2.19.0": ("pyarrow<18", "numpy<2"), "5.2.0": ()}
FEW, MOST = 1e-9, 1 - 1e-9  # shares that no document, or each, falls into
# By name: the shares of validation and test.
CORPORA = {"three splits": (0.3, 0.3), "no validation": (FEW, 0.3), "train alone": (FEW, FEW), "no train": (MOST, 0.0)}
Rows = dict[str, list[list[str]]]


def make_corpora(folder: Path) -> dict[str, Path]:
    """Assemble the corpora; returns their directories by name."""
    sample = write_sample(str(folder / "raw"), seed=3, scale=0.02)
    extract(ExtractConfig(pubmed=tuple(sample.pubmed)), output=str(folder / "records"))
    made = {name: folder / name.replace(" ", "-") for name in CORPORA}
    for name, (validation, test) in CORPORA.items():
        config = AssembleConfig(validation=validation, test=test, shard_mb=1)
        assemble(config, records=str(folder / "records"), output=str(made[name]))
    return made


def rows_of(corpus: Path) -> Rows:
    """Return the (doc_id, text) of every row by split, as the manifest's shards hold them."""
    manifest, found = read_manifest(str(corpus), "assemble"), Rows()
    for split in SPLITS:
        for path in manifest.paths(str(corpus), split):
            columns = parquet.read_table(path, ["doc_id", "text"]).to_pydict().values()
            found.setdefault(split, []).extend(map(list, zip(*columns, strict=True)))
    return found


def loaded(version: str, corpora: list[Path], *, folder: Path) -> Iterator[list[Any]]:
    """Yield what a version makes of each corpus: [whole, streaming], each rows by split or an error."""
    variables = environment(folder, "datasets", version, beside=VERSIONS.get(version, ()))
    command = [sys.executable, "-m", "tests.support.datasets_reader", *map(str, corpora)]
    with tempfile.TemporaryDirectory() as cache:
        variables |= {"HF_DATASETS_CACHE": cache, "HF_DATASETS_OFFLINE": "1"}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"datasets {version}: {done.stderr[-3000:]}")
    yield from map(json.loads, done.stdout.splitlines())


def main() -> int:
    """Print a line for each version and corpus, and return the exit code."""
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.loaders", description=__doc__)
    options.add_argument("--folder", type=Path, help="of the versions, kept; default: a temporary one")
    options.add_argument("--only", action="append", metavar="VERSION", help=f"default: {', '.join(VERSIONS)}")
    given = options.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        corpora = make_corpora(Path(scratch))
        for version in given.only or VERSIONS:
            found = loaded(version, [*corpora.values()], folder=given.folder or Path(scratch, "versions"))
            for (name, corpus), answers in zip(corpora.items(), found, strict=True):
                wanted = rows_of(corpus)
                faults = [str(answer)[:200] for answer in answers if answer != wanted]
                wrong += bool(faults)
                counts = ", ".join(f"{split} {len(rows):,}" for split, rows in wanted.items())
                print(f"datasets {version}  {name}: {counts}  {'; '.join(faults) or 'ok'}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
