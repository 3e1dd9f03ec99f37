"""What a stage costs before its work: `python -m tests.benchmarks.start`.

CPU seconds of all processes of `extract` and `assemble` on one citation, with one worker and with two, beside a bare
`import apache_beam`: the best of some rounds, in turns, with the kernels compiled before. Then the first start after an
installation, on a made sample of 150 records: with nothing compiled, and after `corpuscle doctor --compile`.
"""

import argparse
import gzip
import os
import shutil
import sys
import tempfile
from pathlib import Path

from corpus.arrays.numba_cache import FOLDER
from corpus.synthetic.sample.write import write_sample
from pipelines.beam.flags import WORKERS
from tests.benchmarks.beam import ONE_CITATION, cpu_seconds

BARE = "import apache_beam"
CORPUSCLE = [sys.executable, "-m", "pipelines.cli.process"]


def commands(place: Path) -> dict[str, tuple[list[str], str]]:
    """Return the commands by what they are, with the output that each of them leaves, "" for none."""
    found: dict[str, tuple[list[str], str]] = {BARE: ([sys.executable, "-c", BARE], "")}
    for workers in ("1", "2"):
        for stage, inputs in (("extract", ["--pubmed", "in"]), ("assemble", ["--records", "records"])):
            words = [*inputs[:1], str(place / inputs[1]), "--output", str(place / stage), "--", f"{WORKERS}={workers}"]
            found[f"{stage}, {WORKERS}={workers}"] = ([*CORPUSCLE, stage, *words], str(place / stage))
    return found


def first_starts(place: Path) -> dict[str, float]:
    """Return CPU seconds of first starts: of each stage where nothing is compiled, and of all after `--compile`."""
    sample = write_sample(str(place / "sample"), scale=0.02)
    stages = {
        "extract": [
            "--pubmed",
            str(place / "sample/pubmed"),
            "--pmc",
            sample.pmc_tree,
            "--output",
            str(place / "first"),
        ],
        "assemble": ["--records", str(place / "first"), "--output", str(place / "first-corpus")],
    }
    found = {}
    for compiled in (False, True):
        if compiled:
            os.environ[FOLDER] = str(place / "compiled")
            found["doctor --compile"] = cpu_seconds([*CORPUSCLE, "doctor", "--compile"])
        for stage, words in stages.items():
            if not compiled:
                os.environ[FOLDER] = str(place / "compiled" / stage)
            named = f"{stage}, after it" if compiled else f"{stage}, nothing compiled"
            found[named] = cpu_seconds([*CORPUSCLE, stage, *words])
        for folder in ("first", "first-corpus"):
            shutil.rmtree(place / folder)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # who installed the package does not compile it at each start
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "in").mkdir()
        for number in range(2):
            citation = ONE_CITATION.replace(b"<PMID>1", f"<PMID>{number + 1}".encode())
            (place / "in" / f"pubmed26n000{number + 1}.xml.gz").write_bytes(gzip.compress(citation))
        ways = commands(place)
        cpu_seconds(ways[f"extract, {WORKERS}=1"][0])
        shutil.move(place / "extract", place / "records")
        best: dict[str, float] = {}
        for _ in range(rounds + 1):  # and one that may compile
            for name, (command, output) in ways.items():
                best[name] = min(best.get(name, 1e9), cpu_seconds(command))
                if output:
                    shutil.rmtree(output)
        first = first_starts(place)
    print(f"{'CPU seconds, best of ' + str(rounds):40}{'start':>8}{'x import':>10}")
    for name, seconds in best.items():
        print(f"{name:40}{seconds:8.2f}{seconds / best[BARE]:10.2f}")
    print("first start, once")
    for name, seconds in first.items():
        print(f"{name:40}{seconds:8.2f}{seconds / best[BARE]:10.2f}")


if __name__ == "__main__":
    main()
