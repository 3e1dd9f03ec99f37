"""What the second day costs: `python -m tests.benchmarks.second_day`.

CPU seconds of all processes of `corpuscle run` to token shards on the demo's sample: fresh with all its files, and
`--update` of the run of all but the last one, to the same bytes with the same tokenizer; and once more, when all is up
to date. In turns, medians of some rounds; with `--data`, real files and a last one of theirs.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from corpus.stage.events import EVENTS_LOG
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.storage.files import walk_files
from corpus.synthetic.sample.write import write_sample
from tests.benchmarks.beam import cpu_seconds

CONFIG = """\
work: {work}
extract:
  pubmed: [{raw}/pubmed]
  pmc: [{pmc}]
assemble: {{validation: 0.05, test: 0.02}}
tokenizer: {{vocab_size: 4096}}
pack: {{seq_length: 128}}
"""
STAGES = {"extract": "records", "assemble": "corpus/clean", "pack": "tokens/clean"}


class Days:
    """Two states of the same files, and the runs of both."""

    def __init__(self, folder: Path, *, data: Path | None, last: Path | None) -> None:
        self.folder, self.raw = folder, folder / "raw"
        if data is None or last is None:
            sample = write_sample(str(self.raw), seed=0, scale=1.0)
            self.last, self.pmc = Path(sample.pubmed[-1]), f"{sample.pmc_tree}, {sample.pmc_tar}"
        else:
            (self.raw / "pubmed").mkdir(parents=True)
            names = [path for path in sorted((data / "pubmed").rglob("*.xml.gz")) if path.name != last.name]
            for path in names:
                (self.raw / "pubmed" / path.name).symlink_to(path)
            self.last, self.pmc = self.raw / "pubmed" / last.name, str(data / "pmc")
            self.last.symlink_to(last)
        self.away = self.folder / self.last.name
        self.last.rename(self.away)
        self.run("before")

    def run(self, work: str, *words: str) -> float:
        """Run the road into a directory and return its CPU seconds."""
        path = self.folder / "run.yaml"
        path.write_text(CONFIG.format(work=self.folder / work, raw=self.raw, pmc=self.pmc))
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # who installed the package does not compile it at each start
        os.environ["PYTHONPYCACHEPREFIX"] = str(self.folder / "bytecode")
        return cpu_seconds([sys.executable, "-m", "pipelines.cli.process", "run", str(path), *words])

    def round(self) -> dict[str, float]:
        """Return the CPU seconds of the whole commands and of their stages, by name."""
        found = {}
        if self.away.exists():
            self.away.rename(self.last)
        for name in ("fresh", "updated"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "fresh").mkdir()
        shutil.copytree(self.folder / "before" / "tokenizer", self.folder / "fresh" / "tokenizer")
        shutil.copytree(self.folder / "before", self.folder / "updated")
        found["fresh"] = self.run("fresh")
        found["update"] = self.run("updated", "--update")
        for name, work in (("fresh", "fresh"), ("update", "updated")):
            for stage, place in STAGES.items():
                facts = json.loads((self.folder / work / place / RUN_FACTS).read_text())
                found[f"{name}: {stage}"] = facts["cpu_seconds"]
        found["up to date"] = self.run("updated", "--update")
        self.check()
        return found

    def check(self) -> None:
        """Raise SystemExit unless both ways gave the same bytes."""
        for place in STAGES.values():
            parts = [self.folder / work / place for work in ("fresh", "updated")]
            one, other = ({n: (p / n).read_bytes() for n in walk_files(str(p)) if is_data(n)} for p in parts)
            if one != other:
                raise SystemExit(f"{place}: an update and a fresh run differ")


def is_data(name: str) -> bool:
    """Say whether a file is the result's, not a run's."""
    return name.partition("/")[0] not in ("changes", "_work", "_receipts") and Path(name).name not in (
        RUN_FACTS,
        EVENTS_LOG,
        LOCK,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="pubmed/ and pmc/ of real files, in place of the sample")
    parser.add_argument("--last", type=Path, help="with --data: the PubMed file of the second day")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        days = Days(Path(folder), data=given.data, last=given.last)
        rounds = [days.round() for _ in range(given.rounds)]
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    for name, seconds in middle.items():
        print(f"{name:24}{seconds:8.2f} CPU s")
    print(f"{'update / fresh':24}{middle['update'] / middle['fresh']:8.0%}")


if __name__ == "__main__":
    main()
