"""Questions that a corpus holds, and scores without them.

`assemble --evaluation` looks for the items of files of questions in its documents. `qa questions` writes such a file of
all its questions, in which an item is named `task/id`; the findings of others are joined by file and by id or line.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.compare import DRAWS
from corpus.qa.predictions import Prediction
from corpus.qa.question import Question
from corpus.qa.scores import ScoreCard, score
from corpus.stage.manifest import read_manifest
from corpus.storage import parquet

EVALUATION = "evaluation.jsonl"
_MADE_ID = re.compile(r"(train|dev|val|test)-\d+")  # of a row that has none of its own


def evaluation_lines(questions: Iterable[Question]) -> Iterator[bytes]:
    """Yield a line for each question as `assemble --evaluation` reads it: its texts, and the papers it is made from."""
    for one in questions:
        item = {
            "id": f"{one.task}/{one.id}",
            "question": one.text,
            "context": one.context,
            "answer": one.answer,
            "pmids": one.pmids,
        }
        yield msgspec.json.encode({key: value for key, value in item.items() if value}) + b"\n"


def find_contaminated(questions: Iterable[Question], corpus: str) -> frozenset[tuple[str, str]]:
    """Return the (task, id) of the questions that an assembled corpus holds, by id or by n-gram.

    Raises UsageError when the corpus was assembled without `--evaluation`, for then nobody looked.
    """
    paths = read_manifest(corpus, "assemble").paths(corpus, "contamination")
    if not paths:
        raise UsageError(
            f"{corpus}: was assembled without --evaluation, so nobody looked for questions in it; assemble it with "
            f"--evaluation DIR/{EVALUATION}, which `corpuscle qa questions` writes"
        )
    found: set[tuple[str, str]] = set()
    for path in paths:
        table = parquet.read_table(path, ["file", "item"])
        found.update(zip(*(table.column(name).to_pylist() for name in ("file", "item")), strict=True))
    return frozenset((one.task, one.id) for one in questions if not found.isdisjoint(_names(one)))


def _names(question: Question) -> tuple[tuple[str, str], ...]:
    """Return what findings may call a question: (file, item)."""
    file = storage.readable_name(question.file)
    # Whether an item has an id of its own is the file's doing: a line must not meet another item's number.
    own = str(question.line) if _MADE_ID.fullmatch(question.id) else question.id
    return (EVALUATION, f"{question.task}/{question.id}"), (file, question.id), (file, own)


@dataclass(frozen=True, kw_only=True, slots=True)
class AdjustedScores:
    """Scores on all items, on those that the corpus does not hold, and on those that it holds."""

    everything: ScoreCard
    clean: ScoreCard | None  # None when every item is contaminated
    contaminated: ScoreCard | None  # None when none is
    gain: float | None  # accuracy on contaminated minus clean items; None without both
    low: float | None  # of its bootstrap interval of 95 %
    high: float | None


def adjusted(predictions: Iterable[Prediction], names: Collection[tuple[str, str]]) -> AdjustedScores:
    """Return the scores of one seed with and without the contaminated items; names: their (task, id).

    The clean score is also what all items would have scored, had the contaminated been answered no better than the
    clean. Raises ValueError when no prediction has a right answer.
    """
    known = [one for one in predictions if one.gold is not None]
    dirty = [one for one in known if (one.task, one.id) in names]
    clean = [one for one in known if (one.task, one.id) not in names]
    gain, low, high = _gain(clean, dirty) if clean and dirty else (None, None, None)
    return AdjustedScores(
        everything=score(known),
        clean=score(clean) if clean else None,
        contaminated=score(dirty) if dirty else None,
        gain=gain,
        low=low,
        high=high,
    )


def _gain(clean: list[Prediction], dirty: list[Prediction]) -> tuple[float, float, float]:
    """Return the difference of two accuracies with its interval, each group drawn by itself."""
    draw = np.random.default_rng(0)
    groups = [np.array([one.gold == one.choice for one in group], np.float64) for group in (dirty, clean)]
    # A sum of draws with replacement of zeros and ones is binomial.
    means = [draw.binomial(len(group), group.mean(), DRAWS) / len(group) for group in groups]
    low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
    return float(groups[0].mean() - groups[1].mean()), float(low), float(high)
