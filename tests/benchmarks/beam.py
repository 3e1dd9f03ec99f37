"""What Beam adds to the work: `python -m tests.benchmarks.beam`.

The same extract tasks run as plain loops in one process and in two side by side, and as `corpuscle extract` with one
and two workers, each in processes of its own, all in one go. CPU seconds of all their processes come out. Two processes
on two threads of one core slow each other down, whoever started them, so two workers are compared with two loops.
Starting (imports, workers) is the same for one file and for a thousand, so it is measured with two files of one
citation and shown apart. `--times N` repeats the PubMed files under other names, for a larger job.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.beam.flags import WORKERS

_LOOP = """
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from corpus.extract.config import ExtractConfig
from corpus.extract.task import conclude, extract_task
from corpus.stage.manifest import Input
from corpus.extract.inputs import find_inputs
from corpus.stage.workspace import plan_stage
output, pubmed, pmc, processes = sys.argv[1:]
config = ExtractConfig(pubmed=(pubmed,), pmc=(pmc,) if pmc else ())
tasks = find_inputs(pubmed=config.pubmed, pmc=config.pmc, articles_per_part=config.articles_per_part)
inputs = [Input(name=task.name, fingerprint=task.fingerprint) for task in tasks]
workspace, _ = plan_stage(output, stage="extract", revision=1, config=config.identity(), inputs=inputs)
work = partial(extract_task, workspace=workspace, config=config)
if processes == "1":
    receipts = list(map(work, tasks))
else:
    with ProcessPoolExecutor(int(processes), mp_context=get_context("fork")) as pool:
        receipts = list(pool.map(work, tasks))
conclude(receipts, workspace, config)
"""
ONE_CITATION = (
    b"<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>A title.</ArticleTitle>"
    b"</Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to do the work: CPU seconds for nearly nothing, and for all."""

    name: str
    start: float
    whole: float

    @property
    def work(self) -> float:
        return self.whole - self.start


def cpu_seconds(command: Sequence[str]) -> float:
    """Run a command and return the CPU seconds of all its processes; raises CalledProcessError when it fails."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), list(command))
    return usage.ru_utime + usage.ru_stime


def command_of(workers: int, output: str, pubmed: str, pmc: str, *, plain: bool) -> list[str]:
    """Return the command for a number of Beam workers, or of plain loops side by side."""
    if plain:
        return [sys.executable, "-c", _LOOP, output, pubmed, pmc, str(workers)]
    corpuscle = str(Path(sys.executable).with_name("corpuscle"))
    inputs = ["--pubmed", pubmed, *(["--pmc", pmc] if pmc else [])]
    return [corpuscle, "extract", *inputs, "--output", output, "--", f"{WORKERS}={workers}"]


def measure(pubmed: str, pmc: str, small: str, place: Path) -> list[tuple[Way, Way]]:
    """Measure the plain loop and Beam, with one process and with two, in turn; returns pairs of both."""
    pairs = []
    for workers in (1, 2):
        pair = []
        for plain in (True, False):
            name = f"{workers} {'plain loop' if plain else 'Beam worker'}{'s' * (workers > 1)}"
            seconds = [
                cpu_seconds(command_of(workers, str(place / f"{name}-{what}"), *inputs, plain=plain))
                for what, inputs in (("start", (small, "")), ("whole", (pubmed, pmc)))
            ]
            pair.append(Way(name=name, start=seconds[0], whole=seconds[1]))
        pairs.append((pair[0], pair[1]))
    return pairs


def print_table(pairs: Sequence[tuple[Way, Way]]) -> None:
    """Print CPU seconds, and what Beam adds to the plain loops of as many processes."""
    print(f"{'CPU seconds':18}{'start':>8}{'whole':>8}{'work':>8}{'work added':>12}{'whole added':>13}")
    for loop, beam in pairs:
        for way in (loop, beam):
            added = f"{way.work / loop.work - 1:12.0%}{way.whole / loop.whole - 1:13.0%}"
            print(f"{way.name:18}{way.start:8.1f}{way.whole:8.1f}{way.work:8.1f}{added}")


def repeat_files(folder: Path, times: int, place: Path) -> None:
    """Copy the PubMed files of a folder several times under names of their own; links would count as one file."""
    place.mkdir()
    files = sorted(path for path in folder.rglob("*.xml.gz"))
    for turn in range(times):
        for path in files:
            shutil.copy(path, place / f"copy{turn:03d}{path.name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with pubmed/ and pmc/")
    parser.add_argument("--times", type=int, default=1, help="how often the PubMed files are read")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        small = place / "small"
        small.mkdir()
        for name in ("a", "b"):  # a file for each of two workers: one alone would start only one
            (small / f"{name}.xml.gz").write_bytes(gzip.compress(ONE_CITATION))
        repeat_files(options.data / "pubmed", options.times, place / "pubmed")
        archive = options.data / "pmc" / "pmc-oa-opendata.tar.xz"
        print_table(measure(str(place / "pubmed"), str(archive), str(small), place))


if __name__ == "__main__":
    main()
