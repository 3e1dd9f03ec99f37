"""What a stage costs before its work: `python -m tests.benchmarks.start`.

CPU seconds of all processes of `extract` and `assemble` on one citation, with one worker and with two, beside a bare
`import apache_beam`: the best of some rounds, in turns, with the kernels compiled before.
"""

import argparse
import gzip
import shutil
import sys
import tempfile
from pathlib import Path

from pipelines.beam.flags import WORKERS
from tests.benchmarks.beam import ONE_CITATION, cpu_seconds

BARE = "import apache_beam"


def commands(place: Path) -> dict[str, tuple[list[str], str]]:
    """Return the commands by what they are, with the output that each of them leaves, "" for none."""
    corpuscle = [sys.executable, "-m", "pipelines.cli.process"]
    found: dict[str, tuple[list[str], str]] = {BARE: ([sys.executable, "-c", BARE], "")}
    for workers in ("1", "2"):
        for stage, inputs in (("extract", ["--pubmed", "in"]), ("assemble", ["--records", "records"])):
            words = [*inputs[:1], str(place / inputs[1]), "--output", str(place / stage), "--", f"{WORKERS}={workers}"]
            found[f"{stage}, {WORKERS}={workers}"] = ([*corpuscle, stage, *words], str(place / stage))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
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
    print(f"{'CPU seconds, best of ' + str(rounds):40}{'start':>8}{'x import':>10}")
    for name, seconds in best.items():
        print(f"{name:40}{seconds:8.2f}{seconds / best[BARE]:10.2f}")


if __name__ == "__main__":
    main()
