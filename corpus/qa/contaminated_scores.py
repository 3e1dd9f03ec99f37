"""Scores with and without the items that a model's corpus holds, over all seeds, as `qa evaluate` keeps them.

A model may know by heart what it was trained on. So beside the score on all items stand those on the items that the
corpus does not hold and on those that it holds, and what all would have scored had the held ones been answered no
better than the others.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.compare import DRAWS
from corpus.qa.contamination import EVALUATION, find_contaminated
from corpus.qa.predictions import Prediction
from corpus.qa.question import Question
from corpus.stage.manifest import read_manifest

FROM_PUBMED = ("pubmedqa", "bioasq")  # sets whose items are made from PubMed's abstracts
_DRAWN = 200  # bootstrap samples at a time, to bound memory


def contaminated_ids(asked: Sequence[Question], corpus: str, *, evaluation_sha256: str) -> frozenset[tuple[str, str]]:
    """Return the (task, id) of the questions that a corpus holds.

    `evaluation_sha256` is the hash of the questions' own `evaluation.jsonl`. Raises UsageError when nobody looked for
    these questions in that corpus: an item that was not looked for is not clean.
    """
    looked = {item.name: item.fingerprint for item in read_manifest(corpus, "assemble").inputs}
    found = find_contaminated(asked, corpus)
    if looked.get(f"evaluation {EVALUATION}") == evaluation_sha256:
        return found
    missing = sorted({one.file for one in asked if f"evaluation {storage.readable_name(one.file)}" not in looked})
    if missing:
        raise UsageError(
            f"{corpus}: the questions of {missing[0]} were not looked for in it; assemble it with --evaluation and the "
            f"{EVALUATION} of these very questions"
        )
    return found


def marked(predictions: Iterable[Prediction], names: Collection[tuple[str, str]]) -> list[Prediction]:
    """Return predictions that say whether the corpus holds their item; `names` are (task, id) of those that it does."""
    return [structs.replace(one, contaminated=(one.task, one.id) in names) for one in predictions]


def contamination_facts(predictions: Iterable[Prediction]) -> dict[str, Any]:
    """Return the scores of marked predictions of one task in one format, all seeds: shares of 1, JSON-ready.

    `difference` is contaminated minus clean with its bootstrap interval of 95 % over items; `adjusted` the accuracy on
    all items had the contaminated been as wrong as the clean. None where there is nothing to compute it from.
    """
    hits: dict[str, list[bool]] = {}
    dirty: set[str] = set()
    for one in predictions:
        if one.gold is not None:
            hits.setdefault(one.id, []).append(one.gold == one.choice)
            dirty |= {one.id} if one.contaminated else set()
    means = {name: float(np.mean(own)) for name, own in hits.items()}
    groups = [
        np.array([means[name] for name in means if (name in dirty) is held], np.float64) for held in (False, True)
    ]
    clean, held = (float(group.mean()) if len(group) else None for group in groups)
    both = clean is not None and held is not None
    low, high = _interval(*groups) if both else (None, None)
    return {
        "items": len(means),
        "contaminated_items": len(groups[1]),
        "all": float(np.mean(list(means.values()))) if means else None,
        "clean": clean,
        "contaminated": held,
        "difference": held - clean if clean is not None and held is not None else None,
        "low": low,
        "high": high,
        "adjusted": clean,
    }


def contamination_lines(task: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield what a person is told of the facts of one task and format."""
    items, held = facts["items"], facts["contaminated_items"]
    if facts["all"] is None:
        return
    line = f"of {items:,} items the corpus holds {held:,}"
    if facts["difference"] is not None:
        shares = {key: 100 * facts[key] for key in ("all", "clean", "contaminated", "difference", "low", "high")}
        line += (
            ": clean {clean:.1f}, contaminated {contaminated:.1f}, difference {difference:+.1f} (95 % {low:+.1f} to "
            "{high:+.1f}); all {all:.1f}, or {clean:.1f} had the contaminated been as wrong as the clean"
        ).format_map(shares)
    elif held:
        line += ": none is clean, so nothing says what it would score on questions that it has not read"
    yield line
    if task in FROM_PUBMED:
        yield (f"{task} is made from PubMed: a corpus that holds PubMed holds the papers of its items, by construction")


def _interval(clean: NDArray[np.float64], held: NDArray[np.float64]) -> tuple[float, float]:
    """Return the bootstrap interval of 95 % of the difference of two means, each group drawn by itself."""
    draw = np.random.default_rng(0)
    found = np.concatenate(
        [
            held[draw.integers(len(held), size=(_DRAWN, len(held)))].mean(axis=1)
            - clean[draw.integers(len(clean), size=(_DRAWN, len(clean)))].mean(axis=1)
            for _ in range(DRAWS // _DRAWN)
        ]
    )
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
