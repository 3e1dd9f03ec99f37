"""Summary line of a stage and funnel of a whole run, from the manifests alone.

Every record read is in one line of the funnel: kept, or dropped with its reason.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rich.filesize import decimal

from corpus.errors import CorruptError
from corpus.stage.manifest import SPLITS, Books, Manifest

FETCH_PUBMED, FETCH_PMC = "fetch-pubmed", "fetch-pmc"
ROAD = (
    FETCH_PUBMED,
    FETCH_PMC,
    "extract",
    "assemble",
    "dedup",
    "passages",
    "tokenizer",
    "pack",
    "train",
    "export",
    "publish",
)
QA_ROAD = ("qa questions", "qa finetune", "qa evaluate", "qa results", "qa export")
PAGE = "report.html"  # what `report` writes into the directory it is about


def summary_line(manifest: Manifest | None, output: str, *, left: bool = False) -> str:
    """Return the one line that ends a verb; a dry run has no manifest, a job left to its engine not yet one."""
    if manifest is None and left:
        return f"the job goes on without this command; nothing is committed to {output} yet"
    if manifest is None:
        return f"dry run: the pipeline is valid; nothing was written to {output}"
    files = f"{len(manifest.parts)} files of {decimal(sum(part.bytes for part in manifest.parts))}"
    return f"{manifest.stage}: {stage_text(manifest)}; {files} in {output}"


def stage_text(manifest: Manifest) -> str:
    """Return what a stage did in one phrase."""
    words = _TEXTS.get(manifest.stage)
    try:
        return words(manifest.summary) if words else books_text(manifest.books)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CorruptError(
            f"the manifest of `{manifest.stage}` {manifest.fingerprint[:16]}: its summary is not what {manifest.stage} "
            f"writes ({error!r}); it says that corpuscle {manifest.version} wrote it: use that one, or run it again"
        ) from error


def books_text(books: Books) -> str:
    """Return books as an equation with the reasons, most frequent first."""
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in _by_count(books))
    dropped = f"{sum(books.dropped.values()):,} dropped" + (f" ({reasons})" if reasons else "")
    return f"{books.read:,} read = {books.kept:,} kept + {dropped}"


def funnel(manifests: Sequence[Manifest]) -> list[str]:
    """Return the books of the stages, one under the other, a line a reason."""
    rows: list[tuple[str, str, int]] = []
    for manifest in manifests:
        if manifest.books.read:
            rows.append((manifest.stage, "read", manifest.books.read))
            rows += [("", f"- {reason}", count) for reason, count in _by_count(manifest.books)]
            rows.append(("", "= kept", manifest.books.kept))
    return [f"  {stage:<10} {what:<20} {count:>14,}" for stage, what, count in rows]


def number(value: float) -> str:
    """Return a number for reading: thousands separated, four significant digits."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def short(value: int) -> str:
    """Return a count in three digits: 17,403 is 17.4 k, 34,600,000,000 is 34.6 G."""
    for size, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**4, "k")):
        if value >= size:
            scaled = value / (1000 if letter == "k" else size)
            return f"{scaled:.3g} {letter}" if scaled < 999.5 else f"{scaled:,.0f} {letter}"
    return f"{value:,}"


def road_order(stage: str) -> int:
    """Return a stage's place on the road, to sort by."""
    road = (*ROAD, *QA_ROAD)
    return road.index(stage) if stage in road else len(road)


def _by_count(books: Books) -> list[tuple[str, int]]:
    return sorted([item for item in books.dropped.items() if item[1]], key=lambda item: (-item[1], item[0]))


def _tokenizer_text(summary: Mapping[str, Any]) -> str:
    rates = [f"{number(rate)} bytes a token of {source}" for source, rate in sorted(summary["bytes_per_token"].items())]
    learned = f"{summary['vocab_size']:,} entries learned from {summary['training_documents']:,} documents"
    return ", ".join([learned, *rates])


def _pack_text(summary: Mapping[str, Any]) -> str:
    splits = [
        f"{split['tokens']:,} {name} tokens = {split['rows']:,} rows of {summary['seq_length']:,} + {split['tail']:,}"
        for name, split in sorted(summary["splits"].items(), key=lambda item: SPLITS.index(item[0]))
    ]
    return ", ".join(splits)


def _train_text(summary: Mapping[str, Any]) -> str:
    done = f"{summary['parameters']:,} parameters, {summary['steps']:,} steps, {summary['tokens']:,} tokens"
    losses = f"loss {summary['first_loss']:.3f} → {summary['last_loss']:.3f}"
    if skipped := summary.get("skipped"):
        rows, steps = sum(each["rows"] for each in skipped), ", ".join(f"{each['step']:,}" for each in skipped)
        losses += f", {rows:,} rows left out around step {steps}"
    if summary["validation_loss"] is None:
        return f"{done}, {losses}, no validation rows"
    against = f"unigram entropy {summary['unigram_entropy']:.3f}"
    return f"{done}, {losses}, validation loss {summary['validation_loss']:.3f} ({against})"


def _publish_text(summary: Mapping[str, Any]) -> str:
    if "model" in summary:
        return f"model {summary['model']} as {', '.join(summary['formats'])}"
    names = ", ".join(f"{use} {sum(rows.values()):,}" for use, rows in summary["subsets"].items())
    authors = f", {summary['without_authors']:,} without an author" if summary["without_authors"] else ""
    return f"{summary['texts']:,} texts of {decimal(summary['text_bytes'])} by licence: {names}{authors}"


def _export_text(summary: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{kind} {decimal(num_bytes)}" for kind, num_bytes in summary["format_bytes"].items())
    return f"{summary['parameters']:,} parameters of step {summary['step']:,} as {sizes}"


def _finetune_text(summary: Mapping[str, Any]) -> str:
    """Return the accuracies of all learning rates; those of test where they are known, else of dev."""
    found = []
    for rate, spreads in summary["rates"].items():
        split = "test" if spreads["test"] is not None else "dev"
        score = "no question with a known answer to score by"
        if (spread := spreads[split]) is not None:
            score = f"{split} {100 * spread['mean']:.1f} ± {100 * spread['sd']:.1f}"
        found.append(f"learning rate {rate}: {score}")
    return f"{summary['task']}, {len(summary['runs'])} runs, {', '.join(found)}"


def _evaluate_text(summary: Mapping[str, Any]) -> str:
    return f"{summary['predictions']:,} predictions of {', '.join(summary['tasks'])}"


def _results_text(summary: Mapping[str, Any]) -> str:
    recorded = f"{summary['recorded_rows']:,} recorded ones"
    return f"{summary['tables']:,} tables, {summary['own_rows']:,} rows of {summary['runs']:,} runs and {recorded}"


def _heads_text(summary: Mapping[str, Any]) -> str:
    classes = ", ".join(sorted(set(summary["classes"].values())))
    gaps = summary.get("formats") or {"folded": summary["difference"]}  # of before CTranslate2, this one alone
    off = ", ".join(f"{form} within {gap:.1e} of ours" for form, gap in gaps.items())
    return f"{summary['task']}, {len(summary['classes']):,} models as {classes}, {off}"


_TEXTS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "tokenizer": _tokenizer_text,
    "pack": _pack_text,
    "train": _train_text,
    "export": _export_text,
    "publish": _publish_text,
    "qa finetune": _finetune_text,
    "qa evaluate": _evaluate_text,
    "qa results": _results_text,
    "qa export": _heads_text,
}
