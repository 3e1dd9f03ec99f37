"""A long run: `python -m tests.fuzz.run --parser pubmed|jats --runs N`.

With atheris installed (`pip install -e '.[fuzz]'`) the run is guided by the branches of `corpus.ncbi`; without it, or
with `--plain`, the same mutations run blind and repeatably (`--seed`). An input that breaks a property is written
to `--findings`, once for each place in the code, and the run goes on. numba checks its array bounds here, which it
does not in the product. Exit code 1 when anything was found.
"""

import argparse
import hashlib
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HANG = 10.0  # CPU seconds of one input that count as a finding


@dataclass(kw_only=True)
class Run:
    """Counts inputs and keeps the first input of every sort of failure."""

    parser: str
    runs: int
    findings: Path
    check: Callable[[bytes], None]
    count: int = 0
    slowest: float = 0.0
    found: dict[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time.process_time)

    def one(self, data: bytes) -> None:
        """Check one input."""
        self.count += 1
        begun = time.process_time()
        try:
            self.check(data)
        except Exception as error:  # noqa: BLE001  whatever the readers raise is what is looked for
            self._keep(data, error)
        took = time.process_time() - begun
        self.slowest = max(self.slowest, took)
        if took > HANG:
            self._keep(data, TimeoutError(f"{took:.1f} CPU seconds"))
        if self.count % 50_000 == 0 or self.count == self.runs:
            self.report()

    def _keep(self, data: bytes, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[:-4:-1])
        key = f"{type(error).__name__} {place}"
        if key not in self.found:
            self.findings.mkdir(parents=True, exist_ok=True)
            name = f"{self.parser}-{hashlib.sha256(data).hexdigest()[:12]}"
            (self.findings / name).write_bytes(data)
            print(f"FOUND {name}: {type(error).__name__}: {str(error)[:300]} at {place}", flush=True)
        self.found[key] = self.found.get(key, 0) + 1

    def report(self) -> None:
        """Print the state of the run."""
        cpu = time.process_time() - self.started
        print(
            f"{self.parser}: {self.count:,} inputs, {sum(self.found.values()):,} failures of {len(self.found)} sorts, "
            f"{cpu:.0f} CPU s, {self.count / max(cpu, 0.001):,.0f} inputs/s, slowest {self.slowest:.2f} s",
            flush=True,
        )


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=(__doc__ or "").splitlines()[0])
    options.add_argument("--parser", choices=("pubmed", "jats"), required=True)
    options.add_argument("--runs", type=int, required=True, help="number of inputs")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--plain", action="store_true", help="without atheris")
    options.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    return options.parse_args()


def _blind(run: Run, seed: int) -> None:
    """Check every seed, then mutations, some of them of earlier mutations."""
    from tests.fuzz.mutate import mutate, seeds

    rng, pool = random.Random(seed), seeds(run.parser)
    num_seeds = len(pool)
    for data in pool[: run.runs]:
        run.one(data)
    while run.count < run.runs:
        data = mutate(rng.choice(pool), rng, pool)
        run.one(data)
        if rng.random() < 0.05:  # a slowly changing pool of stranger inputs beside the seeds
            pool[num_seeds:] = [*pool[num_seeds:], data][-500:]


def _guided(run: Run, seed: int) -> None:
    """Let libFuzzer choose by coverage; every second mutation is ours."""
    import atheris

    from tests.fuzz.mutate import MOST_BYTES, mutate, seeds

    pool = seeds(run.parser)
    folder = tempfile.mkdtemp()
    for number, data in enumerate(pool):
        (Path(folder) / f"{number:04d}").write_bytes(data)

    def mutator(data: bytes, max_size: int, number: int) -> bytes:
        rng = random.Random(number)
        return mutate(data, rng, pool)[:max_size] if rng.random() < 0.5 else atheris.Mutate(data, max_size)

    limits = [f"-runs={run.runs}", f"-seed={seed}", f"-max_len={MOST_BYTES}", "-timeout=60", "-rss_limit_mb=4000"]
    atheris.Setup(["fuzz", *limits, "-verbosity=1", folder], run.one, custom_mutator=mutator)
    atheris.Fuzz()  # ends the process


def main() -> int:
    """Run and return the exit code."""
    options = _options()
    os.environ.setdefault("NUMBA_BOUNDSCHECK", "1")
    os.environ.setdefault(
        "NUMBA_CACHE_DIR", tempfile.mkdtemp()
    )  # compiled with checks: not to be mixed with the others
    guided = not options.plain
    try:
        import atheris
    except ImportError:
        guided = False
    if guided:
        with atheris.instrument_imports(include=["corpus.ncbi"]):
            from tests.fuzz import properties
    else:
        from tests.fuzz import properties
    from tests.support.malformed import article, citation

    check = properties.check_pubmed if options.parser == "pubmed" else properties.check_jats
    check(citation(7) if options.parser == "pubmed" else article(7))  # numba compiles for seconds at the first use
    run = Run(parser=options.parser, runs=options.runs, findings=options.findings, check=check)
    (_guided if guided else _blind)(run, options.seed)
    return 1 if run.found else 0


if __name__ == "__main__":
    sys.exit(main())
