"""Both stages of the corpus on a cluster of yours, held against this machine: one verdict.

    python -m tests.machines.on_a_cluster --output s3://BUCKET/trial -- --runner=FlinkRunner --flink_master=HOST:8081 …

Makes a sample of PubMed and PMC (a few hundred records with planted duplicates, updates and damage), puts it below
`--output`, and runs `extract` and `assemble` there twice: on the embedded runner of this machine, and on the engine
that the flags after `--` name, as a user would call them. The SHA-256 of every file must be the same. Exit code 0: they
are; 1: they differ, and which; otherwise that of the stage that failed. `--output` must be a place that the workers
share; what is made there stays, for you to look at, and a second call goes on with it.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from corpus import storage
from corpus.stage.claim import LOCK
from corpus.stage.events import EVENTS_LOG
from corpus.stage.lock import RUN_FACTS
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main as corpuscle

STAGES = ("records", "corpus")


def put_sample(output: str, scale: float) -> str:
    """Make the sample and put it below the output; returns where it is."""
    place = storage.join(output, "raw")
    with tempfile.TemporaryDirectory() as folder:
        write_sample(folder, seed=4, scale=scale)
        for name in storage.walk_files(folder):
            if not storage.exists(path := storage.join(place, name)):
                with storage.write_atomic(path) as sink:
                    sink.write(Path(folder, name).read_bytes())
    return place


def run_stages(raw: str, output: str, flags: Sequence[str]) -> int:
    """Run both stages as a user would; returns the exit code of the first that fails, else 0."""
    records = storage.join(output, STAGES[0])
    pubmed, pmc = storage.join(raw, "pubmed"), storage.join(raw, "pmc")
    for words in (
        ["extract", "--pubmed", pubmed, "--pmc", pmc, "--max-reject-rate", "1", "--output", records],
        ["assemble", "--records", records, "--output", storage.join(output, STAGES[1])],
    ):
        start = time.monotonic()
        if code := corpuscle([*words, *(["--", *flags] if flags else [])]):
            return code
        print(f"{words[0]}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return 0


def hashes_of(output: str) -> dict[str, str]:
    """Return the SHA-256 of every file that both stages committed."""
    names = [f"{stage}/{name}" for stage in STAGES for name in storage.walk_files(storage.join(output, stage))]
    kept = [name for name in names if name.rpartition("/")[2] not in (LOCK, RUN_FACTS, EVENTS_LOG)]
    return {name: _sha256(storage.join(output, name)) for name in kept}


def _sha256(path: str) -> str:
    with storage.open_read(path) as source:
        return hashlib.sha256(source.read()).hexdigest()


def verdict(here: dict[str, str], there: dict[str, str]) -> list[str]:
    """Return a line for each file that is not the same on both, in order; none when all are."""
    lines = [f"only here: {name}" for name in sorted(here.keys() - there)]
    lines += [f"only on the engine: {name}" for name in sorted(there.keys() - here)]
    return lines + [f"other bytes: {name}" for name in sorted(here.keys() & there) if here[name] != there[name]]


def main(words: Sequence[str]) -> int:
    """Run the comparison that a command line asks for; returns the exit code."""
    words = list(words)
    cut = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        prog="python -m tests.machines.on_a_cluster", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--output", required=True, help="a directory or bucket that the workers share")
    parser.add_argument("--scale", type=float, default=0.2, help="size of the sample (1: some 3,000 records)")
    arguments, flags = parser.parse_args(words[:cut]), words[cut + 1 :]
    if not flags:
        parser.error("which engine? give Beam's flags after --")
    raw = put_sample(arguments.output, arguments.scale)
    here, there = (storage.join(arguments.output, name) for name in ("embedded", "engine"))
    for place, chosen in ((here, []), (there, flags)):
        if code := run_stages(raw, place, chosen):
            print(f"VERDICT: {'the engine' if chosen else 'this machine'} failed, exit code {code}")
            return code
    expected = hashes_of(here)
    differences = verdict(expected, hashes_of(there))
    for line in differences:
        print(line)
    engine = " ".join(flags)
    if differences:
        print(f"VERDICT: {len(differences)} of {len(expected)} files differ on {engine}")
        return 1
    print(f"VERDICT: the same bytes, {len(expected)} files, on {engine}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
