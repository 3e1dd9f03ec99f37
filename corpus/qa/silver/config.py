"""Configuration of `qa silver`: a corpus and its records to questions."""

from typing import Literal

from corpus.config import GivenPath, StageConfig, runtime, setting


class SilverConfig(StageConfig):
    """Configuration of `qa silver`: which questions are made, and how they are split."""

    evaluation: tuple[GivenPath, ...] = runtime(
        (),
        "test sets: results of `qa questions`, or files as `assemble --evaluation` takes them; papers that they are "
        "made from or that hold their texts give no question",
        group="evaluation",
        metavar="DIR|FILE",
    )
    evaluation_share: float = setting(
        0.5, "share of a test text's n-grams from which a paper holds it", group="evaluation", gt=0, le=1
    )
    split: Literal["journal", "document"] = setting(
        "journal", "what train, dev and test do not share: journals, or papers alone", group="output"
    )
    limit: int = setting(100_000, "questions of each kind, at most", group="filters", ge=1)
    per_journal: int = setting(100, "titles of one journal, at most", group="filters", ge=4)
    seed: int = setting(0, "draws the sample, the other titles and the places of the right ones", group="output", ge=0)
