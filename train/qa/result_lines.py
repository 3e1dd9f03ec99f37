"""Lines of a finished `qa evaluate`: accuracy and interval of each task and format, baselines, cuts, costs."""

from collections.abc import Iterator, Mapping, Sequence

from corpus.qa.biases import baselines
from corpus.qa.compare import compare_runs
from corpus.qa.contaminated_scores import FROM_PUBMED, contamination_lines
from corpus.qa.predictions import Prediction, read_predictions
from corpus.qa.question import Question
from corpus.qa.scores import by_seed, mean_and_sd, score, wilson
from corpus.qa.store import read_questions
from corpus.stage.manifest import Manifest, read_manifest
from train.qa.answered import AnswerCost
from train.qa.config import EvaluateConfig
from train.qa.evaluation import STAGE
from train.qa.kept_answers import answer_seconds
from train.qa.likelihood import CLOSE


def result_lines(output: str, questions: str, config: EvaluateConfig | None = None) -> list[str]:
    """Return a line for each task and format of a result, and what is to be known about it below.

    `config` holds the prices, which no result keeps.
    """
    manifest = read_manifest(output, STAGE)
    rows = read_predictions(output)
    split, limit = manifest.config["split"], manifest.config["limit"]
    found = []
    others = read_predictions(config.beside) if config and config.beside else []
    for task in dict.fromkeys(row.task for row in rows):
        asked = read_questions(questions, task=task, split=split)[:limit]
        for form in dict.fromkeys(row.format for row in rows if row.task == task):
            own = [row for row in rows if (row.task, row.format) == (task, form)]
            found.append(result_line(task, own, asked))
            held = manifest.summary.get("contamination", {}).get(task, {}).get(form)
            told = [*_remarks(own), *(contamination_lines(task, held) if held else _not_looked_up(task))]
            found += [f"  {line}" for line in told]
            found += [f"  {line}" for line in beside_lines(own, others)]
        found += [f"  {line}" for line in _cost_lines(manifest, task, config, answer_seconds(output).get(task, {}))]
    if any(part.role == "evidence" for part in manifest.parts):
        found.append(
            f"passages of a corpus stood before each question, {manifest.config['documents']} at most: evidence.parquet"
        )
    return found


def result_line(task: str, rows: Sequence[Prediction], asked: Sequence[Question]) -> str:
    """Return the line of one task in one format; `rows` are those of all seeds."""
    cut = sum(row.truncated_tokens > 0 for row in next(iter(by_seed(rows).values())))
    tail = f"format {rows[0].format}, {cut:,} truncated"
    base = baselines(asked)
    if base is None:
        return f"{task} {rows[0].split} {len(asked):,}: answered; its labels are hidden; {tail}"
    cards = [score(own) for own in by_seed(rows).values()]
    mean, spread = mean_and_sd(card.accuracy for card in cards)
    low, high = wilson(mean * cards[0].items, cards[0].items)
    seeds = f" ± {100 * spread:.1f} ({len(cards)} seeds)" if len(cards) > 1 else ""
    return (
        f"{task} {rows[0].split} {cards[0].items:,}: {100 * mean:.1f}{seeds}, 95 % {100 * low:.1f}–{100 * high:.1f}; "
        f"majority {100 * base.majority:.1f}, longest {100 * base.longest:.1f}; {tail}"
    )


def _remarks(rows: Sequence[Prediction]) -> Iterator[str]:
    if close := sum(_margin(row) < CLOSE for row in rows):
        yield (
            f"{close:,} of its choices hang on less than {CLOSE:g} nats: another --batch or machine may choose "
            "otherwise"
        )


def _not_looked_up(task: str) -> Iterator[str]:
    """Yield what is to be said of a task whose items nobody has looked for in the model's corpus."""
    if task in FROM_PUBMED:
        yield (
            f"{task} is made from PubMed: a model trained on PubMed has read the papers of its items; "
            "see --contamination"
        )


def _margin(row: Prediction) -> float:
    """Return by how much the best option leads [nats]."""
    best = sorted(row.scores, reverse=True)
    return best[0] - best[1] if len(best) > 1 else float("inf")


def beside_lines(own: Sequence[Prediction], others: Sequence[Prediction]) -> Iterator[str]:
    """Yield how answers differ from another result's of the same task and format; nothing without one."""
    if not others:
        return
    task, form = own[0].task, own[0].format
    theirs = [row for row in others if (row.task, row.format) == (task, form)]
    choices = {(row.id, row.seed): row.choice for row in theirs}
    both = [(row.choice, choices[row.id, row.seed]) for row in own if (row.id, row.seed) in choices]
    if not both:
        yield f"beside: the other result has none of these answers ({task}, format {form})"
        return
    line = f"beside: {sum(a != b for a, b in both):,} of {len(both):,} choices are others"
    if any(row.gold is not None for row in own):
        test = compare_runs(theirs, own)
        line += (
            f"; accuracy {100 * test.first:.1f} there, {100 * test.second:.1f} here, difference "
            f"{100 * test.difference:+.1f} (95 % {100 * test.low:+.1f} to {100 * test.high:+.1f})"
        )
        if test.p_value is not None:
            line += f", McNemar p = {test.p_value:.3g}"
    yield line


def _cost_lines(
    manifest: Manifest, task: str, config: EvaluateConfig | None, seconds: Mapping[str, float]
) -> Iterator[str]:
    """Yield what a thousand questions of a task took, a line a format or run; without seconds not on record."""
    for name, cost in manifest.summary["costs"].get(task, {}).items():
        per = AnswerCost(**{key: 1000 * cost[key] / cost["questions"] for key in AnswerCost.__dataclass_fields__})
        price = per.price(config.price_in, config.price_out) if config else None
        if without := cost.get("without"):
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in without.items())
            yield f"{name}, without a choice and so not right: {kinds}"
        money = f", {price:,.4g} at the prices stated" if price is not None else ""
        time = f", {1000 * seconds[name] / cost['questions']:,.0f} s" if name in seconds else ""
        yield (
            f"a thousand questions, {name}: {per.tokens_in:,.0f} tokens read, {per.tokens_out:,.0f} written"
            f"{time}{money}"
        )
