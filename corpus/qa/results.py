"""Results as tables: the rows of the paper for each set, and ours beside them with intervals, tests and baselines.

Numbers of our rows come from predictions alone. Rows stand by accuracy, ours and recorded ones together, so that the
place of a run is seen; every recorded row says where it was printed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np

from corpus.qa.compare import bootstrap, compare_runs
from corpus.qa.predictions import Prediction
from corpus.qa.references import RecordedResult, references, title_of
from corpus.qa.runs import AnsweredRun, in_set
from corpus.qa.scores import by_seed, mean_and_sd, score, wilson

_YES_NO = ("pubmedqa", "bioasq", "mirage-pubmedqa", "mirage-bioasq")
AnsweredSet = tuple[AnsweredRun, list[Prediction]]  # a run, and what of it is in one set and split
_FROM_PUBMED = ("pubmedqa", "bioasq", "mirage-pubmedqa", "mirage-bioasq")


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultRow:
    """One line of a table."""

    model: str
    ours: bool
    parameters: float | None
    method: str
    open_weights: bool | None  # None for ours
    accuracy: float  # share
    value: str  # percent as printed; of several seeds with ± of one standard deviation
    low: float  # of the 95 % interval
    high: float
    note: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultTable:
    """All rows of one set and split, and lines about them."""

    question_set: str
    split: str
    items: int | None  # questions scored; None where it is not known
    rows: tuple[ResultRow, ...]  # by accuracy, the best first
    remarks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return set, split and number of questions for reading."""
        name = title_of(self.question_set)
        return f"{name}, {self.split}" + (f", {self.items:,} questions" if self.items else "")


def result_tables(runs: Sequence[AnsweredRun], *, recorded: bool = True) -> list[ResultTable]:
    """Return the tables of all sets that the runs answered, in the paper's order first.

    With `recorded` the sets of the paper are there whether a run answered them or not.
    """
    known = references() if recorded else ()
    keys = [(row.question_set, row.split) for row in known]
    keys += [key for run in runs for key in _keys(run.predictions)]
    return [_table(name, split, runs, known) for name, split in dict.fromkeys(keys)]


def _keys(predictions: Sequence[Prediction]) -> list[tuple[str, str]]:
    """Return (set, split) of scored predictions; of MMLU's subjects each, and all of it."""
    pairs = dict.fromkeys((one.task, one.subject, one.split) for one in predictions if one.gold is not None)
    subjects = sorted((f"mmlu/{subject}", split) for task, subject, split in pairs if task == "mmlu" and subject)
    return [*subjects, *sorted({(task, split) for task, _, split in pairs})]


def _table(name: str, split: str, runs: Sequence[AnsweredRun], known: Sequence[RecordedResult]) -> ResultTable:
    held, repeated = _told_once([(run, found) for run in runs if (found := in_set(run.predictions, name, split))])
    rows = [_own_row(run, found) for run, found in held]
    recorded = [row for row in known if (row.question_set, row.split) == (name, split)]
    rows += [_recorded_row(row) for row in recorded]
    numbers: set[int | None] = {len({one.id for one in found}) for _, found in held}
    numbers = numbers or {row.items for row in recorded}
    return ResultTable(
        question_set=name,
        split=split,
        items=numbers.pop() if len(numbers) == 1 else None,
        rows=tuple(sorted(rows, key=lambda row: (-row.accuracy, not row.ours, row.model))),
        remarks=(*_remarks(name, held), *repeated),
    )


def _told_once(held: list[AnsweredSet]) -> tuple[list[AnsweredSet], list[str]]:
    """Return the runs without those whose answers an earlier one gave, and a line for each of these.

    A fine-tuning scores test itself: when its heads are evaluated there again, that is no second result.
    """
    kept: list[AnsweredSet] = []
    lines = []
    for run, rows in held:
        same = next((other for other, theirs in kept if run.format == other.format and _are_same(rows, theirs)), None)
        if same is None:
            kept.append((run, rows))
        else:
            lines.append(f"{run.name}: the same answers as {same.name}, so they stand there once.")
    return kept, lines


def _are_same(first: Sequence[Prediction], second: Sequence[Prediction]) -> bool:
    """Say whether two runs gave the same scores, but for what the sums of another batch differ by."""
    if len(first) != len(second):
        return False
    there = {(one.id, one.seed): one for one in second}
    for one in first:
        other = there.get((one.id, one.seed))
        if other is None or one.choice != other.choice or len(one.scores) != len(other.scores) or not one.scores:
            return False
        if not np.allclose(one.scores, other.scores, rtol=1e-4, atol=1e-4):
            return False
    return True


def _own_row(run: AnsweredRun, predictions: list[Prediction]) -> ResultRow:
    seeds = by_seed(predictions)
    cards = [score(rows) for rows in seeds.values()]
    mean, deviation = mean_and_sd(card.accuracy for card in cards)
    low, high = (cards[0].low, cards[0].high) if len(cards) == 1 else over_seeds(seeds)
    spread = f" ± {100 * deviation:.1f}" if len(cards) > 1 else ""
    notes = [f"{len(cards)} seeds"] if len(cards) > 1 else []
    if predictions[0].task in _YES_NO:
        notes.append(f"macro-F1 {100 * fmean(card.macro_f1 for card in cards):.2f}")
    cut = len({one.id for one in predictions if one.truncated_tokens})
    silent = sum(one.choice is None for one in predictions)
    notes += [f"{cut:,} questions cut"] if cut else []
    notes += [f"{silent:,} of {len(predictions):,} answers name no option"] if silent else []
    return ResultRow(
        model=run.name,
        ours=True,
        parameters=run.parameters,
        method=", ".join(word for word in (run.method, run.format) if word),
        open_weights=None,
        accuracy=mean,
        value=f"{100 * mean:.1f}{spread}",
        low=low,
        high=high,
        note="; ".join(notes),
        source="predictions",
    )


def over_seeds(seeds: Mapping[int, list[Prediction]]) -> tuple[float, float]:
    """Return the interval over items and seeds together; of the items that every seed has answered."""
    names = set.intersection(*({one.id for one in rows} for rows in seeds.values()))
    hits = [{one.id: one.gold == one.choice for one in rows} for rows in seeds.values()]
    rows = np.array([[hit[name] for name in sorted(names)] for hit in hits], np.float64)
    low, high = bootstrap(rows)
    if low == high:  # all right, or none: there is nothing to draw another value from
        return wilson(float(rows.mean()) * rows.shape[1], rows.shape[1])
    return low, high


def _recorded_row(row: RecordedResult) -> ResultRow:
    low, high = wilson(row.accuracy * row.items, row.items) if row.items else (row.accuracy, row.accuracy)
    return ResultRow(
        model=row.model,
        ours=False,
        parameters=row.parameters,
        method=row.method,
        open_weights=row.open_weights,
        accuracy=row.accuracy,
        value=row.value,
        low=low,
        high=high,
        note=row.note,
        source=row.source,
    )


def _remarks(name: str, held: Sequence[tuple[AnsweredRun, list[Prediction]]]) -> list[str]:
    """Return baselines, paired tests of all runs, contamination, and where the questions come from."""
    lines = []
    if held:
        lines.append(_baseline_line(held[0][1]))
    for (first, ours), (second, theirs) in combinations(held, 2):
        lines.append(_pair_line(first, ours, second, theirs))
    for run, rows in held:
        lines += _contamination_line(run, rows)
    if name.partition("/")[0] in _FROM_PUBMED:
        lines.append(
            "These questions are made from PubMed: a model that was trained on all of it has read their papers."
        )
    return lines


def _baseline_line(predictions: Sequence[Prediction]) -> str:
    items = {one.id: one for one in predictions}.values()
    gold = Counter(one.gold for one in items)
    majority = 100 * max(gold.values()) / len(items)
    sizes = [len(one.scores or one.probabilities) for one in items]
    chance = f", random {100 * fmean(1 / size for size in sizes):.2f}" if all(sizes) else ""
    return f"Without reading: majority {majority:.2f}{chance}."


def _pair_line(first: AnsweredRun, ours: list[Prediction], second: AnsweredRun, theirs: list[Prediction]) -> str:
    names = [f"{run.name} ({run.format})" if run.format else run.name for run in (first, second)]
    if not {one.id for one in ours} & {one.id for one in theirs}:
        return f"{names[1]} and {names[0]} have no question in common."
    found = compare_runs(ours, theirs)
    text = (
        f"{names[1]} − {names[0]}: {100 * found.difference:+.1f}, 95 % {100 * found.low:+.1f} to "
        f"{100 * found.high:+.1f}, {found.items:,} questions"
    )
    if found.p_value is None:
        return f"{text}, by items and seeds."
    return (
        f"{text}; {found.only_second:,} right by {names[1]} alone, {found.only_first:,} by {names[0]}, exact McNemar "
        f"p = {found.p_value:.3g}."
    )


def _contamination_line(run: AnsweredRun, predictions: list[Prediction]) -> list[str]:
    """Return the accuracy on clean and contaminated items, where somebody looked for all of them."""
    if any(one.contaminated is None for one in predictions):
        return []
    groups = {
        name: [one for one in predictions if one.contaminated is wanted]
        for name, wanted in (("clean", False), ("contaminated", True))
    }
    parts = [
        f"{name} {100 * score(rows).accuracy:.1f} of {len({one.id for one in rows}):,}"
        for name, rows in groups.items()
        if rows
    ]
    return [f"{run.name}: {', '.join(parts)} questions."]
