"""The lines that `assemble` prints at its end: the search for duplicates, conflicts of ids, evaluation sets, shards."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from corpus.dedup.minhash import bands_for, collision_probability
from corpus.stage.manifest import SPLITS, Manifest

SIMILARITIES: Final = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
_CONFLICTS: Final = "id_conflicts_"


def report_lines(manifest: Manifest) -> Iterator[str]:
    """Yield the lines from a manifest of `assemble` alone."""
    numbers = manifest.summary
    if manifest.config["profile"] != "pile":
        yield curve_line(manifest.config["threshold"])
        yield f"  {numbers['verified_pairs']:,} pairs verified, {numbers['twins_kept_apart']:,} of twins kept apart"
        lost = numbers["abstracts_the_pile_rule_drops"]
        yield f"  {lost:,} of the abstracts kept would be lost by The Pile's rule (a PMC id anywhere in the record)"
    conflicts = {name.removeprefix(_CONFLICTS): count for name, count in numbers.items() if name.startswith(_CONFLICTS)}
    some = ", ".join(f"{name} {count:,}" for name, count in conflicts.items() if count)
    yield f"  {sum(conflicts.values()):,} conflicts of ids{f' ({some}): id_conflicts.parquet' if some else ''}"
    if "contaminated_documents" in numbers:
        done = "removed" if manifest.config["contaminated"] == "remove" else "reported and kept"
        yield (
            f"  {numbers['contaminated_documents']:,} documents hold evaluation items ({done}): "
            f"{numbers['contamination_pairs_by_id']:,} pairs by id, "
            f"{numbers['contamination_pairs_by_ngram']:,} by runs of {numbers['evaluation_words']} words; "
            f"{numbers['evaluation_items']:,} items sought, "
            f"{numbers['evaluation_items_by_id_only']:,} of them by id only; contamination/"
        )

    yield shards_line(numbers)


def shards_line(numbers: Mapping[str, Any]) -> str:
    """Return the shards and documents of each split, and how far its shards are apart; numbers: of the manifest."""
    splits = []
    for split in SPLITS:
        if count := numbers.get(f"{split}_shards"):
            least, most = (numbers[f"{split}_shard_bytes_{which}"] for which in ("min", "max"))
            apart = f" within {most / least - 1:.1%}" if count > 1 and least else ""
            size = f"{count:,} shard{'s' if count > 1 else ''} of {most / 1e6:,.1f} MB{apart}"
            splits.append(f"{split} {numbers[f'{split}_documents']:,} documents in {size}")
    return f"  {'; '.join(splits)}"


def curve_line(threshold: float) -> str:
    """Return the bands for a threshold and how likely they propose a pair of each similarity."""
    bands, rows = bands_for(threshold)
    curve = ", ".join(f"{value:.2f}: {collision_probability(value, bands, rows):.3f}" for value in SIMILARITIES)
    recall = collision_probability(threshold, bands, rows)
    return f"  {bands} bands of {rows} values, expected recall at {threshold:g}: {recall:.3f}; P(candidate) at {curve}"
