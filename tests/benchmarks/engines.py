"""Engines beside one another: `python -m tests.benchmarks.engines [--data FOLDER | --documents N] [--faults]`.

`extract` and `assemble` by the embedded runner with one and two workers, on Prism with a pool of workers, on Prism with
a pool on a machine apart over S3, in two shards that are joined, and as a Slurm array on two nodes. Prints whether
every file is the same, CPU seconds, wall and peak memory of all processes but the S3 server, and the bytes that
`assemble` shuffled. `--documents N`: `assemble` alone, of the records that `corpuscle rehearse` makes up. `--faults`:
what is killed or missing, what the user sees, when, and what the same command gives afterwards. Without any a sample is
made up.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from corpus.stage.manifest import has_manifest
from corpus.synthetic.sample.write import write_sample
from pipelines.beam.flags import WORKERS
from tests.benchmarks.engine_faults import compare_faults
from tests.benchmarks.engine_ways import Made, apart, in_shards, made, on_prism, on_slurm, road, write_records
from tests.benchmarks.process_cost import cost


def compare_engines(raw: str, folder: Path) -> None:
    """Print the table of engines."""
    ways: dict[str, Callable[[str, str], Made | None]] = {
        "embedded, 1 worker": lambda raw, base: road(raw, base, f"{WORKERS}=1"),
        "embedded, 2 workers": lambda raw, base: road(raw, base, f"{WORKERS}=2"),
        "Prism, a pool of workers": on_prism,
        "Prism, workers apart, S3": apart,
    }
    if not has_manifest(f"{raw}/records"):
        ways |= {"two shards, joined": in_shards, "Slurm array, two nodes": on_slurm}
    expected: dict[str, str] = {}
    print(
        "| engine | files equal | CPU s | wall s | peak MB of all processes | MB shuffled |\n|---|---|---|---|---|---|"
    )
    for number, (name, way) in enumerate(ways.items()):
        base = folder / f"way-{number}"
        base.mkdir()
        with cost() as taken:
            found = way(raw, str(base))
        found = found or made(str(base))
        expected = expected or found.files
        same = sum(found.files.get(file) == digest for file, digest in expected.items())
        figures = (
            f"{sum(taken.cpu.values()):.1f} | {taken.wall:.1f} | {taken.peak / 1e6:,.0f} | {found.shuffled / 1e6:.1f}"
        )
        print(f"| {name} | {same} of {len(expected)} | {figures} |", flush=True)


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder with pubmed/ and pmc/; a made-up sample without it")
    parser.add_argument("--documents", type=int, help="assemble so many made-up documents instead")
    parser.add_argument("--faults", action="store_true", help="the table of faults instead of that of engines")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw = given.data or os.path.join(folder, "raw")
        if given.documents:
            write_records(given.documents, raw)
        elif not given.data:
            write_sample(raw, seed=3, scale=0.3)
        (compare_faults if given.faults else compare_engines)(os.path.abspath(raw), Path(folder))


if __name__ == "__main__":
    main()
