"""The lines that `assemble` prints at its end: the search for duplicates, conflicts of ids, evaluation sets, shards."""

from collections.abc import Iterator
from typing import Final

from corpus.assemble import facts
from corpus.dedup.minhash import bands_for, collision_probability
from corpus.stage.manifest import SPLITS, Manifest

SIMILARITIES: Final = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)


def report_lines(manifest: Manifest) -> Iterator[str]:
    """Yield the lines from a manifest of `assemble` alone."""
    numbers = manifest.summary
    if manifest.config["profile"] != "pile":
        yield curve_line(manifest.config["threshold"])
        verified, twins = numbers[facts.VERIFIED_PAIRS], numbers[facts.TWINS_KEPT_APART]
        yield f"  {verified:,} pairs verified, {twins:,} of twins kept apart"
        if beside := numbers[facts.ABSTRACTS_BESIDE_FULL_TEXTS]:
            yield f"  {beside:,} abstracts stay beside their full texts, which do not hold them"
        lost = numbers[facts.ABSTRACTS_THE_PILE_RULE_DROPS]
        yield f"  {lost:,} of the abstracts kept would be lost by The Pile's rule (a PMC id anywhere in the record)"
    prefix = facts.ID_CONFLICTS
    conflicts = {name.removeprefix(prefix): count for name, count in numbers.items() if name.startswith(prefix)}
    some = ", ".join(f"{name} {count:,}" for name, count in conflicts.items() if count)
    yield f"  {sum(conflicts.values()):,} conflicts of ids{f' ({some}): id_conflicts.parquet' if some else ''}"
    if facts.CONTAMINATED_DOCUMENTS in numbers:
        done = "removed" if manifest.config["contaminated"] == "remove" else "reported and kept"
        yield (
            f"  {numbers[facts.CONTAMINATED_DOCUMENTS]:,} documents hold evaluation items ({done}): "
            f"{numbers[facts.CONTAMINATION_PAIRS_BY_ID]:,} pairs by id, "
            f"{numbers[facts.CONTAMINATION_PAIRS_BY_NGRAM]:,} by runs of {numbers[facts.EVALUATION_WORDS]} words; "
            f"{numbers[facts.EVALUATION_ITEMS]:,} items sought, "
            f"{numbers[facts.EVALUATION_ITEMS_BY_ID_ONLY]:,} of them by id only; contamination/"
        )

    if facts.DOCUMENTS_WITH_PERSONAL_DATA in numbers:
        kinds = {name.removeprefix(facts.PERSONAL_DATA): count for name, count in numbers.items()
                 if name.startswith(facts.PERSONAL_DATA)}  # fmt: skip
        done = "masked" if manifest.config["pii"] == "mask" else "reported and kept"
        told = ", ".join(f"{name} {count:,}" for name, count in kinds.items())
        documents = numbers[facts.DOCUMENTS_WITH_PERSONAL_DATA]
        yield f"  {documents:,} documents hold personal data ({done}): {told}; personal/"
    yield shards_line(manifest)


def shards_line(manifest: Manifest) -> str:
    """Return the shards and documents of each split that was asked for, and how far its shards are apart."""
    numbers, splits = manifest.summary, []
    for split in SPLITS:
        if count := numbers.get(facts.shards(split)):
            least, most = numbers[facts.shard_bytes(split, "min")], numbers[facts.shard_bytes(split, "max")]
            apart = f" within {most / least - 1:.1%}" if count > 1 and least else ""
            size = f"{count:,} shard{'s' if count > 1 else ''} of {most / 1e6:,.1f} MB{apart}"
            splits.append(f"{split} {numbers[facts.documents(split)]:,} documents in {size}")
        elif split == "train" or manifest.config[split]:
            splits.append(f"{split} no document, so no shard")
    return f"  {'; '.join(splits)}"


def curve_line(threshold: float) -> str:
    """Return the bands for a threshold and how likely they propose a pair of each similarity."""
    bands, rows = bands_for(threshold)
    curve = ", ".join(f"{value:.2f}: {collision_probability(value, bands, rows):.3f}" for value in SIMILARITIES)
    recall = collision_probability(threshold, bands, rows)
    return f"  {bands} bands of {rows} values, expected recall at {threshold:g}: {recall:.3f}; P(candidate) at {curve}"
