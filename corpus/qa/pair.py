"""Verb `qa compare`: two fine-tunings that differ in one thing, such as the tokenizer, by pairs of (seed, item).

Two finished directories come in; lines to read go out: accuracy of each by seed, the difference with a hierarchical
bootstrap (seeds, then items), and for MedQA what the paper's own comparison of tokenizers shows.
"""

from collections.abc import Iterator
from typing import Final

from corpus.errors import UsageError
from corpus.qa.compare import SeededTest, compare_seeds
from corpus.qa.references import references
from corpus.qa.runs import AnsweredRun, find_runs
from corpus.qa.scores import wilson

_ABLATION: Final = ("GPT-2 125M, GPT-2's tokenizer", "GPT-2 125M, BioMedLM's tokenizer")  # arXiv 2403.18421, table 4


def pair_text(first: str, second: str) -> str:
    """Return how the fine-tuning in `second` differs from that in `first`, a block of lines a task and split.

    Raises UsageError when a directory holds no finished run or several, or the two have no seed or item in common.
    """
    one, two = _run(first), _run(second)
    groups = [{(row.task, row.split) for row in run.predictions if row.gold is not None} for run in (one, two)]
    if not (common := sorted(groups[0] & groups[1])):
        raise UsageError(f"{first} and {second} answer no task and split in common; give two fine-tunings on one set")
    return "\n".join(line for group in common for line in _lines(group, (first, one), (second, two)))


def _run(directory: str) -> AnsweredRun:
    """Return the one run of a directory."""
    runs = find_runs(directory)
    if len(runs) > 1:
        named = ", ".join(f"{run.name} ({run.format})" for run in runs)
        raise UsageError(f"{directory}: {len(runs)} runs are here ({named}); give the directory of one, with one rate")
    return runs[0]


def _lines(group: tuple[str, str], first: tuple[str, AnsweredRun], second: tuple[str, AnsweredRun]) -> Iterator[str]:
    rows = [[row for row in run.predictions if (row.task, row.split) == group] for _, run in (first, second)]
    found = compare_seeds(*rows)
    task, split = group
    yield f"{task} {split}: {found.items:,} items, seeds {', '.join(map(str, found.seeds))}, paired by (seed, item)"
    for (place, run), value in ((first, found.first), (second, found.second)):
        size = "" if run.parameters is None else f", {run.parameters:,.0f} parameters"
        yield f"  {100 * value:.2f}  {place}{size}"
    yield _difference(found)
    each = ", ".join(f"{100 * one:+.2f}" for one in found.by_seed)
    yield (
        f"  by seed {each}; of {found.items * len(found.seeds):,} pairs {found.only_second:,} right by the second "
        + (f"alone, {found.only_first:,} by the first")
    )
    if len(found.seeds) == 1:
        yield "  one seed says nothing of what another seed gives: fine-tune with --seeds 5"
    if task == "medqa":
        yield paper_line()


def _difference(found: SeededTest) -> str:
    verdict = "0 lies within" if found.low <= 0 <= found.high else "0 lies outside"
    return (
        f"  difference {100 * found.difference:+.2f}, 95 % {100 * found.low:+.2f} to {100 * found.high:+.2f} "
        f"(bootstrap over seeds, then items): {verdict}"
    )


def paper_line() -> str:
    """Return what the paper prints of the same comparison, with Wilson intervals of its test set."""
    printed = {row.model: row for row in references() if row.model in _ABLATION}
    rows = [printed[model] for model in _ABLATION]
    ends, texts = [], []
    for row in rows:
        assert row.items, "MedQA's number of questions is published"
        low, high = wilson(row.accuracy * row.items, row.items)
        ends.append((low, high))
        texts.append(f"{row.value} ({100 * low:.1f}–{100 * high:.1f})")
    overlap = "overlap" if ends[1][0] <= ends[0][1] else "do not overlap"
    return (
        f"  the paper, 125M, five seeds, test: GPT-2's tokenizer {' → its own '.join(texts)}; these intervals {overlap}"
    )
