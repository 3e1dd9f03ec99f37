"""Every stage struck by every signal: `python -m tests.benchmarks.signals`.

A generated sample goes down the whole road once, undisturbed. Then each stage runs again and is struck at some moments
of its time: by SIGTERM, SIGHUP and SIGINT (to the command, and to its group as a terminal sends them), by SIGKILL, and
by SIGKILL of one worker or rank. Then the same command runs to its end. The table says of each how it exited, after how
many seconds none of its processes was left, whether it said a line, whether something unfinished could be seen, whether
files stayed that should not, and whether the result is, byte for byte, that of the undisturbed run. Exit code 1 when a
row is not as it should be; PubMed's and PMC's servers are local ones.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import Signals

from corpus.stage.manifest import MANIFEST, read_manifest
from corpus.storage.files import sha256_file, walk_files
from corpus.synthetic.sample.write import write_sample
from pipelines.beam.flags import WORKERS
from tests.support.fetch_servers import ncbi_server, numbered
from tests.support.small_fetch import filled
from tests.support.struck import COMMAND, Aftermath, Blow, strike
from train.launch.stage import can_resume

SOON = 5.0  # seconds within which no process may be left
WANTED = {Signals.SIGTERM: 75, Signals.SIGHUP: 75, Signals.SIGINT: 130, Signals.SIGKILL: -Signals.SIGKILL}
OF_THE_RUN = (
    ".lock",
    "run.json",
    "fetch.jsonl",
    "events.jsonl",
    ".log",
    ".pyc",
)  # files that tell of a run, not of the data
BLOWS = (
    *(Blow(number=number) for number in WANTED),
    *(Blow(number=number, victim="group") for number in WANTED if number != Signals.SIGKILL),
    Blow(number=Signals.SIGKILL, victim="worker"),
)
TRAIN = ("--config", "tiny", "--steps", "40", "--set", "warmup_steps=2")
SPARSELY = ("--set", "save_every=10", "--set", "eval_every=20", "--set", "log_every=5")


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A stage as it is struck: its words without --output, `None` for a command that writes nothing."""

    name: str
    words: tuple[str, ...]
    workers: int = 0  # processes besides the command
    result: str | None = None  # its directory on the undisturbed road
    beam: tuple[str, ...] = ()  # what stands after `--`

    def command(self, output: Path) -> list[str]:
        """Return the command line; a run that has checkpoints goes on from them."""
        more = ["--output", str(output)] if self.result else []
        resume = self.name == "train" and can_resume(str(output))
        return [*COMMAND, *self.words, *more, *(["--resume"] if resume else []), *self.beam]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A line of the table."""

    subject: Subject
    blow: Blow
    moment: float  # share of the undisturbed time
    after: Aftermath
    half: bool  # a manifest was there whose result is not the whole one
    stray: tuple[str, ...]  # files that the undisturbed run does not leave
    same: bool

    def faults(self) -> list[str]:
        """Return what is not as it should be."""
        wanted = 75 if self.blow.victim == "worker" else WANTED[self.blow.number]
        codes = {wanted, 75} if self.subject.name == "train" and wanted == 130 else {wanted}  # it saves, and can go on
        found = {
            f"exit {self.after.code}": self.after.code not in codes,
            "late": self.after.seconds > SOON,
            "processes left": bool(self.after.left),
            "nothing said": wanted != -Signals.SIGKILL and self.after.said.count("error: ") != 1,
            "a fault of its own": "corpuscle's own" in self.after.said or "Traceback" in self.after.said,
            "half visible": self.half,
            f"stray: {', '.join(self.stray[:3])}": bool(self.stray),
            "other bytes": not self.same,
        }
        return [name for name, is_so in found.items() if is_so]

    def line(self) -> str:
        """Return the row in Markdown."""
        said = next((line for line in self.after.said.splitlines() if "error: " in line), "")
        cells = (
            self.subject.name, self.subject.workers or "–", self.blow, f"{self.moment:.0%}", self.after.code,
            f"{self.after.seconds:.1f}", len(self.after.left), "yes" if said else "no",
            "yes" if self.half else "no", len(self.stray), "same" if self.same else "OTHER",
            "; ".join(self.faults()) or "ok",
        )  # fmt: skip
        return f"| {' | '.join(map(str, cells))} |"


HEAD = (
    "| stage | workers | signal | at | exit | s to the end | left | a line | half visible | stray | bytes | |\n"
    + "|---" * 12
    + "|"
)


@contextmanager
def road(folder: Path, scale: float) -> Iterator[list[Subject]]:
    """Make the sample and serve it; yields the subjects, whose inputs are made as their turn comes."""
    sample = write_sample(str(folder / "raw"), seed=3, scale=scale)
    with ncbi_server(numbered(sample.pubmed)) as pubmed, filled(round(400 * scale)) as bucket:
        yield list(_subjects(folder, pubmed, bucket.base))


def _subjects(folder: Path, pubmed: str, pmc: str) -> Iterator[Subject]:
    at = {name: str(folder / name) for name in ("raw", "extract", "assemble", "tokenizer", "pack", "train")}
    yield Subject(name="fetch pubmed", words=("fetch", "pubmed", "--source", pubmed), result="fetch pubmed")
    yield Subject(name="fetch pmc", words=("fetch", "pmc", "--source", pmc), result="fetch pmc")
    stages = {
        "extract": ("--pubmed", f"{at['raw']}/pubmed", "--pmc", f"{at['raw']}/pmc"),
        "assemble": ("--records", at["extract"]),
        "tokenizer": ("--corpus", at["assemble"], "--vocab-size", "2000"),
        "pack": ("--corpus", at["assemble"], "--tokenizer", at["tokenizer"], "--seq-length", "128"),
    }
    for name, words in stages.items():
        for workers in (1, 2) if name != "tokenizer" else (0,):
            beam = ("--", f"{WORKERS}={workers}") if workers else ()
            yield Subject(
                name=name, words=(name, *words), workers=workers if workers > 1 else 0, result=name, beam=beam
            )
    for ranks in (1, 2):
        words = ("train", "--tokens", at["pack"], *TRAIN, *SPARSELY, "--ranks", str(ranks))
        yield Subject(name="train", words=words, workers=ranks, result="train" if ranks == 1 else "train 2")
    yield Subject(name="export", words=("export", at["train"]), result="export")
    sampling = ("--prompt", "The patients", "--max-tokens", "400", "--threads", "1")
    yield Subject(name="generate", words=("generate", at["train"], *sampling))


def undisturbed(subject: Subject, folder: Path, output: str) -> tuple[float, str]:
    """Run a subject to its end and return (seconds, what it printed); raises SystemExit when it fails."""
    begun = time.monotonic()
    done = subprocess.run(subject.command(folder / output), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{subject.name}: exit {done.returncode}: {done.stderr}")
    return time.monotonic() - begun, done.stdout


def struck(subject: Subject, blow: Blow, moment: float, whole: tuple[float, str], folder: Path) -> Row:
    """Strike a subject at a moment, run it again, and compare; the moment comes earlier if it was over before."""
    good, seconds = folder / str(subject.result), whole[0]
    after: Aftermath | None = None
    while after is None:
        output = Path(tempfile.mkdtemp(prefix="struck-", dir=folder)) / subject.name
        due = time.monotonic() + moment * seconds
        after = strike(subject.command(output), blow, partial(_is_due, due, output / MANIFEST))
        seconds *= 0.8
    half = (output / MANIFEST).exists() and not _same(output, good)
    again = subprocess.run(subject.command(output), capture_output=True, text=True, check=False)
    if subject.result:
        stray = tuple(sorted(_names(output) - _names(good)))
        same = again.returncode == 0 and _same(output, good)
    else:
        stray, same = (), (again.returncode, again.stdout) == (0, whole[1])
    row = Row(subject=subject, blow=blow, moment=moment, after=after, half=half, stray=stray, same=same)
    if row.faults():
        print(
            row.line(),
            after.said[-3000:],
            f"again: {again.returncode} {again.stderr[-2000:]}",
            sep="\n",
            file=sys.stderr,
        )
    shutil.rmtree(output.parent)
    return row


def _is_due(due: float, done: Path, _: int) -> bool:
    return time.monotonic() >= due and not done.exists()


def _names(output: Path) -> set[str]:
    return {name for name in walk_files(str(output)) if not name.endswith(OF_THE_RUN) and "tensorboard/" not in name}


def _same(output: Path, good: Path) -> bool:
    """Say whether a result has the manifest of another, and the files that it names."""
    if not (output / MANIFEST).exists() or (output / MANIFEST).read_bytes() != (good / MANIFEST).read_bytes():
        return False
    parts = read_manifest(str(output)).parts
    return all((output / one.path).exists() and sha256_file(str(output / one.path)) == one.sha256 for one in parts)


def main() -> int:
    """Print the table and return the exit code."""
    options = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.signals", description=(__doc__ or "").split(":")[0]
    )
    options.add_argument("--stage", action="append", help="one stage alone; repeatable")
    options.add_argument("--moment", type=float, action="append", help="share of the undisturbed time; default 0.7")
    options.add_argument("--scale", type=float, default=0.5, help="of the sample; 1 is 2,800 records")
    options.add_argument("--folder", type=Path, help="scratch, kept; default: a temporary one")
    given = options.parse_args()
    print(HEAD, flush=True)
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch, road(given.folder or Path(scratch), given.scale) as subjects:
        folder = given.folder or Path(scratch)
        for subject in subjects:
            undisturbed(subject, folder, str(subject.result))
            if given.stage and subject.name not in given.stage:
                continue
            whole = undisturbed(subject, folder, "again")  # the first run may have compiled
            shutil.rmtree(folder / "again", ignore_errors=True)
            for blow in BLOWS:
                for moment in given.moment or [0.7]:
                    if blow.victim == "worker" and not subject.workers:
                        continue
                    row = struck(subject, blow, moment, whole, folder)
                    wrong += bool(row.faults())
                    print(row.line(), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
