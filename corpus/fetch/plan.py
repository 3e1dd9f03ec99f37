"""From an inventory to what is fetched: candidates, the rounds their metadata is asked in, ranges of ids, shards.

All of it is a function of the inventory and the configuration, never of the order in which answers come.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from corpus.errors import UsageError
from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.listing import Ids, Listing, scatter
from corpus.ncbi.ids import parse_number, parse_pmcid

_ROUND_SLACK = 64  # candidates asked for beyond the limit, in a first round


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """A run of consecutive rows of a listing that become one file."""

    first: int
    last: int  # behind the last row
    start_id: int
    end_id: int  # the last PMC id
    digest: str

    @property
    def name(self) -> str:
        """The range's ids, as they stand in file names."""
        return f"{self.start_id:010d}-{self.end_id:010d}"


@dataclass(kw_only=True, slots=True)
class Candidates:
    """The article versions worth asking about, and how many were not, by reason."""

    listing: Listing
    dropped: Counter[str] = field(default_factory=Counter)
    not_found: tuple[str, ...] = ()  # ids asked for that the inventory does not list


def candidates_of(listing: Listing, config: FetchPmcConfig) -> Candidates:
    """Return the newest version of each article that ids and shard let through."""
    wanted, dropped = listing, Counter[str]()
    not_found: tuple[str, ...] = ()
    if config.ids:
        wanted, not_found = _by_ids(listing, config.ids)
        dropped["not_in_ids"] = len(listing) - len(wanted)
    newest = wanted.newest()
    dropped["older_version"] = len(wanted) - len(newest)
    if config.shard is not None:
        part, count = map(int, config.shard.split("/"))
        mine = newest.take(scatter(newest.pmcids) % np.uint64(count) == np.uint64(part - 1))
        dropped["other_machine"] = len(newest) - len(mine)
        newest = mine
    return Candidates(listing=newest, dropped=+dropped, not_found=not_found)


def read_ids(path: str) -> tuple[str, ...]:
    """Return the ids of a file, one a line (`PMC123`, `123`, `PMC123.2`; `#` begins a comment), sorted.

    Raises UsageError for a line that is no PMC id.
    """
    ids = set()
    try:
        with open(path, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                text = line.partition("#")[0].strip()
                if text:
                    ids.add(_normal_id(text, f"{path}, line {number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--ids {path}: cannot be read ({error})") from error
    if not ids:
        raise UsageError(f"--ids {path}: holds no PMC id")
    return tuple(sorted(ids))


def rounds(listing: Listing, config: FetchPmcConfig) -> Iterator[Listing]:
    """Yield the candidates in the rounds their metadata is fetched in.

    Without a limit there is one round. With one, candidates come in an even draw over all ids, a round at a time,
    until enough of them passed the filters (the caller stops then).
    """
    if config.limit is None or len(listing) <= config.limit:
        yield listing
        return
    order = np.argsort(scatter(listing.pmcids), kind="stable")
    done = 0
    while done < len(listing):
        size = config.limit + _ROUND_SLACK if done == 0 else done
        yield listing.take(np.sort(order[done : done + size]))
        done += size


def first_of(pmcids: Ids, limit: int | None) -> Ids:
    """Return the ids that a limit lets through, sorted."""
    if limit is None or len(pmcids) <= limit:
        return np.sort(pmcids)
    return np.sort(pmcids[np.argsort(scatter(pmcids), kind="stable")[:limit]])


def ranges(listing: Listing, size: int, borders: Sequence[int] = ()) -> list[Range]:
    """Cut a listing, sorted by id, into ranges of about `size` rows.

    `borders` are the first ids of ranges that exist already: a new article then changes one file, not all behind it. A
    range that has outgrown twice its size is cut again.
    """
    cuts = {0, len(listing)} | {int(np.searchsorted(listing.pmcids, border)) for border in borders}
    found = []
    for first, last in zip(ordered := sorted(cuts), ordered[1:], strict=False):
        whole = bool(borders) and last - first <= 2 * size
        step = last - first if whole else size
        found += [_range(listing, at, min(at + step, last)) for at in range(first, last, max(1, step))]
    return found


def _range(listing: Listing, first: int, last: int) -> Range:
    return Range(
        first=first,
        last=last,
        start_id=int(listing.pmcids[first]),
        end_id=int(listing.pmcids[last - 1]),
        digest=listing.digest(first, last),
    )


def _by_ids(listing: Listing, ids: Sequence[str]) -> tuple[Listing, tuple[str, ...]]:
    """Return the rows of ids, and the ids without a row; an id with a version asks for that version."""
    plain = np.array([int(text) for text in ids if "." not in text], np.int64)
    exact = [tuple(map(int, text.split("."))) for text in ids if "." in text]
    keep = np.isin(listing.pmcids, plain)
    for pmcid, version in exact:
        keep |= (listing.pmcids == pmcid) & (listing.versions == version)
    found = listing.take(keep)
    there, pairs = set(found.pmcids.tolist()), set(zip(found.pmcids.tolist(), found.versions.tolist(), strict=True))
    missing = [f"PMC{text}" for text in ids if "." not in text and int(text) not in there]
    missing += [f"PMC{pmcid}.{version}" for pmcid, version in exact if (pmcid, version) not in pairs]
    return found, tuple(missing)


def _normal_id(text: str, where: str) -> str:
    head, dot, version = text.partition(".")
    pmcid, number = parse_pmcid(head), parse_number(version) if dot else 1
    if pmcid is None or pmcid == 0 or number is None:
        raise UsageError(f"{where}: {text[:60]!r} is no PMC id (PMC123, or PMC123.2 for one version)")
    return f"{pmcid}.{number}" if dot else str(pmcid)
