"""Every figure of docs/benchmarks.md by one command: `python -m tests.benchmarks [--list] [--only NAME…] [--data DIR]`.

Runs what can run here, one benchmark after the other, prints what each prints with its CPU seconds and peak memory,
and says what is another figure than in the last table (docs/benchmarks.json, or `--against FILE`). What cannot run is
named, with what it needs. `--save FILE` keeps the figures.
"""

import argparse
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import psutil

from corpus.errors import UsageError, did_you_mean
from tests.benchmarks.figures import Figures, Ran, changes, read_figures, write_figures
from tests.benchmarks.process_cost import cost
from tests.benchmarks.registry import BENCHMARKS, PACKAGE, PLACES, Benchmark

LAST = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.json"
SHOWN = ("corpuscle", "apache-beam", "numba", "numpy", "pyarrow", "torch", "datasketch", "pubmed-parser")


def machine() -> str:
    """Return what the figures depend on, in a line."""
    memory = psutil.virtual_memory().total / 1e9
    return f"{os.cpu_count()} cores {platform.machine()}, {memory:.0f} GB, Python {platform.python_version()}"


def versions() -> tuple[str, ...]:
    """Return the packages that count and are there, with their versions."""
    found = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in metadata.distributions()}
    return tuple(f"{name} {found[name]}" for name in SHOWN if name in found)


def has_gpu() -> bool:
    """Say whether there is a GPU of NVIDIA's."""
    return Path("/dev/nvidia0").exists()


def chosen(names: Sequence[str]) -> list[Benchmark]:
    """Return the benchmarks of some names, all for none; raises UsageError for a name that none has."""
    known = {one.name: one for one in BENCHMARKS}
    for name in names:
        if name not in known:
            raise UsageError(f"--only {name}: no benchmark of that name{did_you_mean(name, list(known))}")
    return [known[name] for name in names] or list(BENCHMARKS)


def given_places(texts: Sequence[str], data: str) -> dict[str, str]:
    """Return the places of `--place NAME=VALUE` and `--data`; raises UsageError."""
    places = {"DATA": data}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or name not in PLACES:
            raise UsageError(f"--place {text}: write NAME=VALUE; NAME is one of {', '.join(PLACES)}")
        places[name] = value
    return places


def run(one: Benchmark, places: Mapping[str, str]) -> Ran | None:
    """Run a benchmark, showing what it prints; None when it fails."""
    with cost() as found, tempfile.TemporaryDirectory() as folder:
        words = one.words({"FOLDER": folder, **places})
        command = [sys.executable, "-m", f"{PACKAGE}.{one.module or one.name}", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                print(f"  {line}", end="", flush=True)
                lines.append(line.rstrip())
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        print(f"  FAILED with {process.returncode}")
        return None
    # Samples miss what is short, and waiting sees only children and the largest of them.
    seconds = max(used.ru_utime + used.ru_stime, sum(found.cpu.values()))
    peak = round(max(found.peak, used.ru_maxrss << 10) / 1e6)
    print(f"  {seconds:,.1f} CPU s, {peak:,} MB at most in all processes, {found.wall:,.1f} s by the clock")
    return Ran(name=one.name, command=one.command, cpu_seconds=round(seconds, 1), peak_mb=peak, lines=tuple(lines))


def show_list(benchmarks: Sequence[Benchmark], places: Mapping[str, str]) -> None:
    """Print every benchmark with its command, its minutes and what is missing for it here."""
    for one in benchmarks:
        missing = one.missing({"FOLDER": "", **places}, has_gpu=has_gpu())
        print(f"{one.name:16}{one.minutes:5g} min  {one.command}{f'  [{missing}]' if missing else ''}")


def run_all(
    benchmarks: Sequence[Benchmark], places: Mapping[str, str], before: Figures | None, least: float
) -> Figures:
    """Run what can run, and print what changed; failures are named."""
    ran = []
    last = {one.name: one for one in before.ran} if before else {}
    for one in benchmarks:
        print(f"\n{one.name}: {shlex.join(one.command.split())}", flush=True)
        if missing := one.missing({"FOLDER": "", **places}, has_gpu=has_gpu()):
            print(f"  left out: {missing}")
        elif (found := run(one, places)) is not None:
            ran.append(found)
            if one.name in last:
                differing = list(changes(last[one.name], found, least=least))
                print("\n".join(f"  changed: {line}" for line in differing) or "  as in the last table")
    return Figures(machine=machine(), versions=versions(), ran=tuple(ran))


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--list", action="store_true", help="say what there is, what it takes and needs; run nothing")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these alone")
    parser.add_argument("--data", default="../shared/data", help="folder with pubmed/ and pmc/ (default: %(default)s)")
    parser.add_argument("--place", action="append", default=[], metavar="NAME=VALUE", help="; ".join(PLACES))
    parser.add_argument("--against", type=Path, help="the table before (default: docs/benchmarks.json, if it is there)")
    parser.add_argument("--least", type=float, default=0.15, help="share that is a change (default: %(default)s)")
    parser.add_argument("--save", type=Path, help="write the figures here; what did not run stays as it was")
    arguments = parser.parse_args(argv)
    try:
        benchmarks, places = chosen(arguments.only), given_places(arguments.place, arguments.data)
        last = arguments.against or (LAST if LAST.exists() else None)
        before = read_figures(last) if last else None
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.list:
        show_list(benchmarks, places)
        return 0
    print(f"{machine()}; {', '.join(versions())}; load {os.getloadavg()[0]:.1f}")
    if before:
        print(f"against {last}: {before.machine}; {', '.join(before.versions)}")
    figures = run_all(benchmarks, places, before, arguments.least)
    if arguments.save:
        write_figures(arguments.save, figures, before)
    tried = [one for one in benchmarks if not one.missing({"FOLDER": "", **places}, has_gpu=has_gpu())]
    return 0 if len(figures.ran) == len(tried) else 1


if __name__ == "__main__":
    sys.exit(main())
