"""`fetch pmc`: from an inventory of the bucket to a store of articles.

Inventory → newest versions → metadata of each → filters → articles in shards → manifest. Every arrow is a file that a
killed run leaves usable; the inventory is chosen once and kept until the run is finished. On a finished store the
same command with a newer inventory fetches what changed and marks what vanished.
"""

import asyncio
import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from corpus import storage
from corpus.errors import DataError, RetryError
from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.http.client import Client, Fault, Host
from corpus.fetch.http.collect import Batch, collect
from corpus.fetch.http.pace import Pace
from corpus.fetch.http.tally import LOG, FetchTally
from corpus.fetch.pmc.article_shards import ArticleBatch, ShardSources
from corpus.fetch.pmc.candidates import Candidates, cut, find_candidates, first_of, older_versions, rounds
from corpus.fetch.pmc.catalog import Catalog
from corpus.fetch.pmc.choice import choose, read_pinned
from corpus.fetch.pmc.inventory import ARCHIVED, Inventory
from corpus.fetch.pmc.inventory_rows import Listing, PmcIds, scatter
from corpus.fetch.pmc.metadata_files import MetadataBatch, details_path
from corpus.fetch.pmc.metadata_rows import Detail, verdict
from corpus.fetch.pmc.prefixes import LISTED
from corpus.fetch.pmc.previous_store import PreviousStore, damage_text
from corpus.fetch.pmc.shard_plan import LAST_ID, ShardPlan
from corpus.fetch.spool import held_spool, mark_unfinished, recorded, spool_folder
from corpus.ncbi.archives.article_store import METADATA, STAGE
from corpus.reasons import FetchDrop
from corpus.stage.claim import remove_claimed
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Books, Input, Manifest, Part, has_manifest
from corpus.stage.manifest import read_manifest as read_stage
from corpus.stage.progress import say
from corpus.stage.workspace import WORK, Receipt, Workspace, open_workspace, other_result, remove_temporary
from corpus.storage import parquet
from corpus.storage.files import remove_tree
from corpus.storage.json_files import read_names
from corpus.storage.schema import from_batch

REVISION = 1  # raise it when the same input gives other bytes
_GUESS = 95_000.0  # bytes of an article's XML, the mean of 2,400
_PLAN = "plan"  # what the inventory lists, sorted
_NOT_GIVEN = (FetchDrop.GONE, FetchDrop.UNVERIFIED, FetchDrop.WRONG_AT_SOURCE)  # faults of the source
_SUPERSEDED = f"{WORK}/superseded.json"  # files of the earlier store, until they are removed


def fetch_pmc(config: FetchPmcConfig, *, output: str, pace: Pace | None = None) -> Manifest:
    """Fetch what the configuration selects into a store and return its manifest.

    Raises RetryError when objects could not be had (all others are kept), UsageError for a store of other settings,
    DataError when the source fails to give more articles than `max_missing_rate`.
    """
    with held_spool(config, output), running_stage(output), recorded(config, output) as tally:
        return asyncio.run(_fetch(config, output, pace or Pace(connections=config.connections), tally))


async def _fetch(config: FetchPmcConfig, output: str, pace: Pace, tally: FetchTally) -> Manifest:
    there = read_stage(output, STAGE) if has_manifest(output) else None
    remove_temporary(output)
    async with Client(Host(base=config.source), pace=pace, tally=tally, proxy=config.proxy) as client:
        try:
            for whole in (_goes_on_whole(config, there), True):
                try:
                    return await _fetch_by(client, config, output, there, whole=whole)
                except TooFewDrawnError as few:
                    say(f"{few}, so the whole inventory is fetched")
        except Fault as fault:
            raise RetryError(f"{fault.url}: {fault.kind}: {fault.detail}. Run the same command again") from fault
    raise AssertionError("a whole inventory is never too short")


def _goes_on_whole(config: FetchPmcConfig, there: Manifest | None) -> bool:
    """Say whether a store began with an inventory for want of articles in a listing; it needs one again."""
    return there is not None and not config.ids and not there.inputs[0].name.startswith(LISTED)


async def _fetch_by(
    client: Client, config: FetchPmcConfig, output: str, there: Manifest | None, *, whole: bool
) -> Manifest:
    """Fetch by a listing of prefixes where that is enough, else by an inventory; `whole`: by an inventory."""
    spool = spool_folder(config, output)
    archived = spool if storage.is_remote(output) else output
    previous = PreviousStore(output, there, verify=config.verify)
    stored = (row.pmcid for row in previous.rows(0, LAST_ID))
    inventory = await choose(client, config, archived, spool, revision=REVISION, stored=stored, whole=whole)
    run = _run(config, output, spool, inventory, previous)
    if there is not None and there.fingerprint == run.workspace.fingerprint:
        if not (damaged := await asyncio.to_thread(run.previous.damaged)):
            run.clean(there)
            say(f"{output}: up to date with {inventory.name}")
            return there
        say(f"{output}: {damage_text(damaged)}")
    if there is not None and not run.workspace.made_alike(there):
        raise other_result(run.workspace, there)
    mark_unfinished(run.workspace)
    async with client.tally.shown():
        try:
            return await run.work(client)
        except TooFewDrawnError:
            remove_tree(os.path.join(archived, inventory.path("")))
            raise


def _run(config: FetchPmcConfig, output: str, spool: str, inventory: Inventory, previous: PreviousStore) -> "_PmcFetch":
    inputs = (Input(name=inventory.date, fingerprint=inventory.fingerprint),)
    workspace = open_workspace(output, stage=STAGE, revision=REVISION, config=config.identity(), inputs=inputs)
    return _PmcFetch(config=config, spool=spool, inventory=inventory, workspace=workspace, previous=previous)


class TooFewDrawnError(Exception):
    """A listing of prefixes holds too few articles that pass the filters."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _PmcFetch:
    """One run: the steps between an inventory and a manifest."""

    config: FetchPmcConfig
    spool: str
    inventory: Inventory
    workspace: Workspace
    previous: PreviousStore

    async def work(self, client: Client) -> Manifest:
        """Do what is left and commit."""
        base = self.spool if storage.is_remote(self.workspace.output) else self.workspace.output
        candidates = await asyncio.to_thread(
            find_candidates,
            self.inventory.paths(base),
            self.inventory.columns,
            self.config,
            os.path.join(self.spool, _PLAN),
        )
        say(
            f"{self.inventory.name}: {candidates.num_rows:,} article versions, "
            f"{len(candidates.catalog):,} to {'ask about' if self.config.limit is None else 'draw from'}"
        )
        for missing in candidates.not_found:
            client.tally.note("not_found", id=missing, detail="asked for by --ids, not in the bucket")
        dropped = candidates.dropped
        details, passed = await self._metadata(client, candidates.catalog, dropped)
        older: dict[int, int] = {}
        if self.config.article_version == "newest-allowed":
            more, older = await self._older(client, candidates, details)
            details, passed = [*details, *more], np.union1d(passed, np.array(sorted(older), np.int64))
            dropped[FetchDrop.OLDER_VERSION] -= len(older)
        self._check_drawn(passed)
        chosen = first_of(passed, self.config.limit)
        dropped[FetchDrop.BEYOND_LIMIT] = len(passed) - len(chosen)
        self._check_missing(dropped, len(chosen))
        say(f"{len(chosen):,} articles to store" + _reasons(dropped))
        receipts = await self._articles(client, details, chosen, candidates.listed, older)
        return await asyncio.to_thread(self._commit, client, candidates, details, receipts, dropped)

    async def _metadata(self, client: Client, catalog: Catalog, dropped: Counter[str]) -> tuple[list[Receipt], PmcIds]:
        """Return the receipts of the metadata files, and the ids that pass the filters."""
        receipts: list[Receipt] = []
        passes = np.zeros(len(catalog), np.bool_)
        asked, limit = 0, self.config.limit
        borders = self.previous.borders(METADATA) if limit is None else []
        client.tally.begin("metadata", 0, bytes_each=1200)
        for one in rounds(catalog, limit):
            client.tally.total += len(one)
            spans = cut(one.pmcids, self.config.metadata_per_part, borders)
            found = await _finish(client, (self._metadata_batch(one.read(*span)) for span in spans))
            for receipt in found:
                passes[np.searchsorted(catalog.pmcids, self._filter(receipt, dropped))] = True
            receipts += found
            asked += len(one)
            if limit is not None and np.count_nonzero(passes) >= limit:
                break
        dropped[FetchDrop.NOT_DRAWN] = len(catalog) - asked
        return receipts, catalog.pmcids if passes.all() else catalog.pmcids[passes]

    async def _older(
        self, client: Client, candidates: Candidates, details: Sequence[Receipt]
    ) -> tuple[list[Receipt], dict[int, int]]:
        """Ask about older versions of what the licence of the newest refuses, one after the other.

        Returns the receipts of their metadata, and by id the version that counts.
        """
        found: dict[int, int] = {}
        receipts: list[Receipt] = []
        refused = self._refused(details)
        depth = 1
        while len(refused):
            folder = os.path.join(self.spool, _PLAN)
            catalog = await asyncio.to_thread(older_versions, candidates, refused, depth, folder)
            if not len(catalog):
                break
            client.tally.total += len(catalog)
            spans = cut(catalog.pmcids, self.config.metadata_per_part)
            fresh = await _finish(client, (self._metadata_batch(catalog.read(*span)) for span in spans))
            versions = dict(zip(catalog.pmcids.tolist(), catalog.read(0, len(catalog)).versions.tolist(), strict=True))
            for receipt in fresh:
                found |= {pmcid: versions[pmcid] for pmcid in self._filter(receipt, Counter()).tolist()}
            receipts += fresh
            refused = self._refused(fresh)
            depth += 1
        return receipts, found

    def _refused(self, details: Sequence[Receipt]) -> PmcIds:
        """Return the ids that metadata files name and whose licence does not allow the use, sorted."""
        columns = [one.name for one in dataclasses.fields(Detail) if one.name != "json"]
        refused = [
            detail.pmcid
            for receipt in details
            for batch in parquet.iter_batches(details_path(self.workspace.output, receipt), columns)
            for detail in from_batch(batch, Detail, without=("json",))
            if verdict(detail, self.config) == FetchDrop.LICENSE
        ]
        return np.array(sorted(refused), np.int64)

    def _metadata_batch(self, listing: Listing) -> MetadataBatch:
        return MetadataBatch(listing, workspace=self.workspace, spool=self.spool, previous=self.previous)

    def _filter(self, receipt: Receipt, dropped: Counter[str]) -> PmcIds:
        columns = [one.name for one in dataclasses.fields(Detail) if one.name != "json"]
        passed: list[int] = []
        for batch in parquet.iter_batches(details_path(self.workspace.output, receipt), columns):
            for detail in from_batch(batch, Detail, without=("json",)):
                reason = verdict(detail, self.config)
                if reason:
                    dropped[reason] += 1
                else:
                    passed.append(detail.pmcid)
        return np.array(passed, np.int64)

    def _check_drawn(self, passed: PmcIds) -> None:
        """Refuse a listing of prefixes in which too few articles pass; behind its last id there are others."""
        below, limit = self.inventory.drawn_below, self.config.limit or 0
        if below and (found := np.count_nonzero(scatter(passed) < np.uint64(below))) < limit:
            raise TooFewDrawnError(f"{found:,} of the articles listed pass the filters, {limit:,} are wanted")

    def _check_missing(self, dropped: Counter[str], num_chosen: int) -> None:
        """Refuse a source that fails to give what it lists; what is left stays for the next run."""
        missing = {reason: dropped[reason] for reason in _NOT_GIVEN if dropped[reason]}
        if sum(missing.values()) > self.config.max_missing_rate * (num_chosen + sum(missing.values())):
            raise DataError(
                f"the source lists articles that it does not give{_reasons(Counter(missing))}, more than "
                f"max_missing_rate = {self.config.max_missing_rate}; nothing was committed. Their URLs are in {LOG}; "
                "try a newer --inventory"
            )

    async def _articles(
        self,
        client: Client,
        details: Sequence[Receipt],
        chosen: PmcIds,
        listed: PmcIds,
        older: Mapping[int, int],
    ) -> list[Receipt]:
        client.tally.begin("articles", len(chosen), bytes_each=_GUESS, unit="articles")
        sources = ShardSources(workspace=self.workspace, spool=self.spool, previous=self.previous, config=self.config)
        files = [details_path(self.workspace.output, receipt) for receipt in details]
        date = self.inventory.date
        plan = ShardPlan(files=files, chosen=chosen, listed=listed, sources=sources, date=date, older=older)
        return await _finish(client, (ArticleBatch(group, sources) for group in plan.groups()))

    def _commit(
        self,
        client: Client,
        candidates: Candidates,
        details: Sequence[Receipt],
        receipts: Sequence[Receipt],
        dropped: Counter[str],
    ) -> Manifest:
        for receipt in receipts:
            dropped.update(receipt.facts["drops"])
        kept = sum(receipt.facts["articles"] for receipt in receipts)
        self._check_missing(dropped, kept)
        inventory = Receipt(task="inventory", parts=tuple(self._inventory_parts()))
        books = Books(read=candidates.num_rows, kept=kept, dropped=dict(sorted((+dropped).items())))
        facts = ("retracted", "vanished", "xml_bytes")
        summary = {name: sum(receipt.facts[name] for receipt in receipts) for name in facts}
        summary |= {"inventory": self.inventory.date, "ids_not_found": len(candidates.not_found)}
        summary |= {"other_keys": candidates.num_others, "isal": self._isal_versions()}
        with storage.write_atomic(self.workspace.path(_SUPERSEDED)) as sink:
            sink.write(json.dumps(sorted(self.previous.parts)).encode())
        manifest = self.workspace.commit([*details, *receipts, inventory], summary=summary, books=books)
        client.tally.committed(articles=kept, dropped=dict(books.dropped), **summary)
        self.clean(manifest)
        return manifest

    def _isal_versions(self) -> list[str]:
        """Return the versions of isal that compressed articles here; each may give other bytes for the same article."""
        before = self.previous.manifest.summary.get("isal", ()) if self.previous.manifest else ()
        return sorted({*before, *read_pinned(self.spool, REVISION)["isal"]})

    def _inventory_parts(self) -> Iterator[Part]:
        """Yield the parts of the archived inventory, put in place for a remote output."""
        remote = storage.is_remote(self.workspace.output)
        for name in (ARCHIVED, *(file.name for file in self.inventory.files)):
            path = self.inventory.path(name)
            if remote:
                with open(os.path.join(self.spool, path), "rb") as source:
                    content = source.read()
                with storage.write_atomic(self.workspace.path(path)) as sink:
                    sink.write(content)
            yield self.workspace.measure(path, role="inventory", rows=0)

    def clean(self, manifest: Manifest) -> None:
        """Remove unfinished work, and the files of the earlier store that this one does not use."""
        superseded = self.workspace.path(_SUPERSEDED)
        if storage.exists(superseded):
            listed = read_names(superseded, "remove it, and the same command ends the update without it")
            old = set(listed) - {part.path for part in manifest.parts}
            for path in sorted(old):
                storage.remove_file(self.workspace.path(path))
        self.workspace.clean()
        remove_claimed(self.spool)


async def _finish(client: Client, batches: Sequence[Batch] | Iterator[Batch]) -> list[Receipt]:
    """Return the receipts of all batches: of those that are done, and of the others when they are."""
    done: list[Receipt] = []

    def left() -> Iterator[Batch]:
        for batch in batches:
            if receipt := batch.finished():
                done.append(receipt)
                client.tally.reused += sum(part.rows for part in receipt.parts[:1])
            else:
                yield batch

    fetched = await collect(client, left())
    return sorted([*done, *fetched], key=lambda receipt: receipt.task)


def _reasons(dropped: Counter[str]) -> str:
    shown = ", ".join(f"{reason} {count:,}" for reason, count in dropped.most_common() if count)
    return f" ({shown})" if shown else ""
