"""Candidates of a fetch, from an inventory: the rounds their metadata is asked in, ranges of ids.

All of it is a function of the inventory and the configuration, never of the order in which answers come.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from corpus.config import share_of
from corpus.fetch.config import VERSIONS, FetchPmcConfig
from corpus.fetch.pmc.catalog import Catalog, CatalogWriter, IdPartitions, partition_by_id
from corpus.fetch.pmc.inventory_rows import Listing, PmcIds, scatter
from corpus.reasons import FetchDrop

ROUND_SLACK = 64  # candidates asked for beyond the limit, in a first round


@dataclass(kw_only=True, slots=True)
class Candidates:
    """The article versions worth asking about, and how many were not, by reason."""

    catalog: Catalog
    listed: PmcIds  # every id of the inventory, sorted
    num_rows: int  # article versions of the inventory
    num_others: int  # keys of the inventory that name none
    dealt: IdPartitions  # all versions
    asked: "AskedIds | None" = None
    dropped: Counter[str] = field(default_factory=Counter)
    not_found: tuple[str, ...] = ()  # ids asked for that the inventory does not list


def find_candidates(paths: Sequence[str], columns: Sequence[str], config: FetchPmcConfig, folder: str) -> Candidates:
    """Return the newest version of each article that ids and shard let through.

    `paths` are the data files of an inventory, `folder` is a local one to work in. Raises CorruptError for a damaged
    inventory, DiskError for a full disk.
    """
    dealt = partition_by_id(paths, columns, os.path.join(folder, "listed"))
    writer = CatalogWriter(os.path.join(folder, "candidates"))
    wanted = AskedIds(config.ids) if config.ids else None
    dropped = Counter[str]()
    listed: list[PmcIds] = []
    for block in dealt:
        asked = wanted.of(block) if wanted else block
        newest = asked.newest()
        mine = _of_machine(newest, config.shard) if config.shard else newest
        dropped[FetchDrop.NOT_IN_IDS] += len(block) - len(asked)
        dropped[FetchDrop.OLDER_VERSION] += len(asked) - len(newest)
        dropped[FetchDrop.OTHER_MACHINE] += len(newest) - len(mine)
        writer.add(mine)
        if len(newest) < len(block) or mine is not newest:
            listed.append(np.unique(block.pmcids))
        else:
            listed.append(newest.pmcids)
    catalog = writer.finish()
    whole = sum(map(len, listed)) == len(catalog)
    return Candidates(
        catalog=catalog,
        listed=catalog.pmcids if whole else np.concatenate(listed),
        num_rows=dealt.num_rows,
        num_others=dealt.num_others,
        dealt=dealt,
        asked=wanted,
        dropped=+dropped,
        not_found=wanted.missing() if wanted else (),
    )


def older_versions(candidates: Candidates, pmcids: PmcIds, depth: int, folder: str) -> Catalog:
    """Return of some articles, by sorted ids, the version that is `depth` below the newest, where there is one."""
    writer = CatalogWriter(os.path.join(folder, f"older-{depth}"))
    for block in candidates.dealt:
        listed = candidates.asked.of(block) if candidates.asked else block
        rows = listed.take(is_in(listed.pmcids, pmcids))
        ordered = rows.take(np.lexsort((rows.versions, rows.pmcids)))
        behind = np.searchsorted(ordered.pmcids, ordered.pmcids, side="right") - np.arange(len(ordered)) - 1
        writer.add(ordered.take(behind == depth))
    return writer.finish()


def rounds(catalog: Catalog, limit: int | None) -> Iterator[Catalog]:
    """Yield the candidates in the rounds their metadata is fetched in.

    Without a limit there is one round. With one, candidates come in an even draw over all ids, a round at a time,
    until enough of them passed the filters (the caller stops then).
    """
    if limit is None or len(catalog) <= limit:
        yield catalog
        return
    order = np.argsort(scatter(catalog.pmcids), kind="stable")
    done = 0
    while done < len(catalog):
        size = limit + ROUND_SLACK if done == 0 else done
        yield catalog.take(np.sort(order[done : done + size]))
        done += size


def first_of(pmcids: PmcIds, limit: int | None) -> PmcIds:
    """Return the ids that a limit lets through, sorted."""
    if limit is None or len(pmcids) <= limit:
        return pmcids
    return np.sort(pmcids[np.argsort(scatter(pmcids), kind="stable")[:limit]])


def cut(pmcids: PmcIds, size: int, borders: Sequence[int] = ()) -> list[tuple[int, int]]:
    """Cut sorted ids into ranges of about `size`; return the first place of each, and the one behind its last.

    `borders` are the first ids of ranges that exist already: a new article then changes one file, not all behind it. A
    range that has outgrown twice its size is cut again.
    """
    cuts = {0, len(pmcids)} | {int(np.searchsorted(pmcids, border)) for border in borders}
    found = []
    for first, last in zip(ordered := sorted(cuts), ordered[1:], strict=False):
        whole = bool(borders) and last - first <= 2 * size
        step = last - first if whole else size
        found += [(at, min(at + step, last)) for at in range(first, last, max(1, step))]
    return found


class AskedIds:
    """The ids of `--ids`; one with a version asks for that version."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._plain = np.array(sorted(int(text) for text in ids if "." not in text), np.int64)
        exact = (text.split(".") for text in ids if "." in text)
        self._pairs = np.array(sorted(int(pmcid) * VERSIONS + int(version) for pmcid, version in exact), np.int64)
        self._found = np.zeros(len(self._plain), np.bool_), np.zeros(len(self._pairs), np.bool_)

    def of(self, listing: Listing) -> Listing:
        """Return the rows that are asked for."""
        pairs = listing.pmcids * VERSIONS + listing.versions
        self._found[0][is_in(self._plain, np.sort(listing.pmcids))] = True
        self._found[1][is_in(self._pairs, np.sort(pairs))] = True
        return listing.take(is_in(listing.pmcids, self._plain) | is_in(pairs, self._pairs))

    def missing(self) -> tuple[str, ...]:
        """Return what was asked for and was in no listing."""
        plain, pairs = self._plain[~self._found[0]].tolist(), self._pairs[~self._found[1]].tolist()
        return (*map("PMC{}".format, plain), *(f"PMC{one // VERSIONS}.{one % VERSIONS}" for one in pairs))


def is_in(values: PmcIds, among: PmcIds) -> npt.NDArray[np.bool_]:
    """Say of each value whether it is among some sorted ones; no table of those is made."""
    if not len(among):
        return np.zeros(len(values), np.bool_)
    return among[np.minimum(np.searchsorted(among, values), len(among) - 1)] == values


def _of_machine(listing: Listing, shard: str) -> Listing:
    part, count = share_of(shard)
    return listing.take(scatter(listing.pmcids) % np.uint64(count) == np.uint64(part - 1))
