"""How well the `pile` profile agrees with pandoc, and what both cost: python -m tests.benchmarks.pile --pandoc PATH.

Real articles, drawn with a seed, go through both; the table holds the share of articles and lines that are equal and of
words found again, CPU seconds, and the articles that differ. pandoc must be 2.9 or 2.10: later versions write
another dialect.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from corpus.pile.articles import pile_article
from corpus.reasons import PileDrop
from tests.support.real_articles import articles


@dataclass(kw_only=True, slots=True)
class Agreement:
    """What was counted."""

    articles: int = 0
    failed: int = 0  # by both
    equal: int = 0
    lines: int = 0
    equal_lines: int = 0
    words: int = 0
    missing_words: int = 0
    extra_words: int = 0
    pandoc_seconds: float = 0.0
    own_seconds: float = 0.0
    different: list[str] = field(default_factory=list)

    def add(self, name: str, expected: str, made: str) -> None:
        """Compare the two texts of one article, both without the lines that The Pile deleted."""
        self.articles += 1
        self.equal += expected == made
        if expected != made:
            self.different.append(name)
        wanted, got = (Counter(line for line in text.split("\n") if line) for text in (expected, made))
        self.lines += wanted.total()
        self.equal_lines += (wanted & got).total()
        wanted, got = Counter(expected.split()), Counter(made.split())
        self.words += wanted.total()
        self.missing_words += (wanted - got).total()
        self.extra_words += (got - wanted).total()


def measure(data: Path, *, num_articles: int, program: str, seed: int) -> Agreement:
    """Run both over a sample of the real articles."""
    found = dict(sorted(articles(data)))
    names = random.Random(seed).sample(sorted(found), min(num_articles, len(found)))
    agreement = Agreement()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "article.xml"
        for name in names:
            place.write_bytes(found[name])
            before = _children_seconds()
            command = [program, "-f", "jats", str(place), "--wrap=none", "-t", "markdown"]
            done = subprocess.run(command, capture_output=True, check=False)
            agreement.pandoc_seconds += _children_seconds() - before
            start = time.process_time()
            made = pile_article(found[name])
            agreement.own_seconds += time.process_time() - start
            if done.returncode:
                agreement.failed += made.reason == PileDrop.PANDOC_FAILED
                continue
            lines = done.stdout.decode().split("\n")
            agreement.add(name, "\n".join(line for line in lines if not line.startswith(":::")), made.text)
    return agreement


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def table(found: Agreement) -> list[str]:
    """Return the result for reading."""
    rows = [
        ("articles compared (both fail on)", f"{found.articles:,} ({found.failed})"),
        ("articles byte-identical", f"{100 * found.equal / found.articles:.2f} %"),
        ("lines equal", f"{found.equal_lines:,} of {found.lines:,} = {100 * found.equal_lines / found.lines:.3f} %"),
        ("words missing, not in pandoc's", f"{found.missing_words:,}, {found.extra_words:,} of {found.words:,}"),
        ("CPU seconds, pandoc / ours", f"{found.pandoc_seconds:.1f} / {found.own_seconds:.1f}"),
    ]
    return [*(f"{name:<34} {value}" for name, value in rows), "different: " + " ".join(found.different)]


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--articles", type=int, default=300)
    parser.add_argument("--pandoc", default="pandoc")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    version = subprocess.run([options.pandoc, "--version"], capture_output=True, text=True, check=True).stdout
    print(version.split("\n")[0], file=sys.stderr)
    found = measure(options.data, num_articles=options.articles, program=options.pandoc, seed=options.seed)
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
