"""What Beam adds to the work: `python -m tests.benchmarks.beam`.

The same extract tasks run as a plain loop in one process, and as `corpuscle extract` with one and two workers, each
in processes of its own, all in one go. CPU seconds of all their processes come out. Starting Beam (imports, workers) is
the same for one file and for a thousand, so it is measured with an input of one citation and shown apart.
`--times N` repeats the PubMed files under other names, for a larger job.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LOOP = """
import sys
from corpus.config import ExtractConfig
from corpus.extraction import conclude, extract_task
from corpus.manifest import Input
from corpus.ncbi.inputs import find_inputs
from corpus.workspace import plan_stage
output, pubmed, pmc = sys.argv[1:]
config = ExtractConfig(pubmed=(pubmed,), pmc=(pmc,) if pmc else ())
tasks = find_inputs(pubmed=config.pubmed, pmc=config.pmc, articles_per_part=config.articles_per_part)
inputs = [Input(name=task.name, fingerprint=task.fingerprint) for task in tasks]
workspace, _ = plan_stage(output, stage="extract", config=config.identity(), inputs=inputs)
conclude([extract_task(task, workspace, config) for task in tasks], workspace, config)
"""
_ONE_CITATION = (
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


def command_of(workers: int, output: str, pubmed: str, pmc: str) -> list[str]:
    """Return the command for a number of Beam workers, 0 for the plain loop."""
    if workers == 0:
        return [sys.executable, "-c", _LOOP, output, pubmed, pmc]
    corpuscle = str(Path(sys.executable).with_name("corpuscle"))
    inputs = ["--pubmed", pubmed, *(["--pmc", pmc] if pmc else [])]
    return [corpuscle, "extract", *inputs, "--output", output, "--workers", str(workers)]


def measure(pubmed: str, pmc: str, small: str, place: Path) -> list[Way]:
    """Measure the plain loop, one worker and two, in turn."""
    ways = []
    for workers in (0, 1, 2):
        seconds = [
            cpu_seconds(command_of(workers, str(place / f"{workers}-{name}"), *inputs))
            for name, inputs in (("start", (small, "")), ("whole", (pubmed, pmc)))
        ]
        name = "plain loop" if workers == 0 else f"Beam, {workers} worker{'s' * (workers > 1)}"
        ways.append(Way(name=name, start=seconds[0], whole=seconds[1]))
    return ways


def print_table(ways: Sequence[Way]) -> None:
    """Print CPU seconds, and what each way adds to the plain loop."""
    loop = ways[0]
    print(f"{'CPU seconds':18}{'start':>8}{'whole':>8}{'work':>8}{'work added':>12}{'whole added':>13}")
    for way in ways:
        added = f"{way.work / loop.work - 1:12.0%}{way.whole / loop.whole - 1:13.0%}"
        print(f"{way.name:18}{way.start:8.1f}{way.whole:8.1f}{way.work:8.1f}{added}")


def repeat_files(folder: Path, times: int, place: Path) -> None:
    """Link the PubMed files of a folder several times under names of their own."""
    place.mkdir()
    files = sorted(path for path in folder.rglob("*.xml.gz"))
    for turn in range(times):
        for path in files:
            (place / f"copy{turn:03d}{path.name}").symlink_to(path.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with pubmed/ and pmc/")
    parser.add_argument("--times", type=int, default=1, help="how often the PubMed files are read")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        small = place / "small.xml.gz"
        small.write_bytes(gzip.compress(_ONE_CITATION))
        repeat_files(options.data / "pubmed", options.times, place / "pubmed")
        archive = options.data / "pmc" / "pmc-oa-opendata.tar.xz"
        print_table(measure(str(place / "pubmed"), str(archive), str(small), place))


if __name__ == "__main__":
    main()
