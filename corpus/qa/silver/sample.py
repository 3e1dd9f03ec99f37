"""Sample: which candidates stay when there are more than were asked for, by hashes of the seed and their ids alone.

A sample of samples is the sample of all, so that parts can be read one after the other in bounded memory: of a kind
the candidates of the smallest hashes stay; of titles whole journals, those of the smallest hashes, for a title is asked
for among others of its journal.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable

from corpus.qa.silver.candidate import Candidate, SilverKind, journal_key, order_of
from corpus.qa.silver.config import SilverConfig


def sample(candidates: Iterable[Candidate], config: SilverConfig) -> list[Candidate]:
    """Return at most `limit` candidates of each kind, and some titles more: those of the last journal that is drawn."""
    by_kind: dict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        by_kind[one.kind].append(one)
    titles = by_kind.pop(SilverKind.TITLE, [])
    kept = [one for kind in sorted(by_kind) for one in smallest(by_kind[kind], config.limit)]
    return kept + _titles(titles, config)


def smallest(candidates: Iterable[Candidate], count: int) -> list[Candidate]:
    """Return the candidates of the smallest hashes, in their order."""
    return heapq.nsmallest(count, candidates, key=lambda one: (one.order, one.doc_id))


def by_journal(candidates: Iterable[Candidate], seed: int) -> list[list[Candidate]]:
    """Return candidates by journal, the journals and those of a journal in the order of their hashes."""
    journals: dict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        journals[journal_key(one.journal)].append(one)
    names = sorted(journals, key=lambda name: (order_of(seed, "journal", name), name))
    return [smallest(journals[name], len(journals[name])) for name in names]


def _titles(candidates: Iterable[Candidate], config: SilverConfig) -> list[Candidate]:
    kept: list[Candidate] = []
    for own in by_journal(candidates, config.seed):
        if len(kept) >= config.limit:
            break
        kept += own[: config.per_journal]
    return kept
