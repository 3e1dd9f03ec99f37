"""Batches of small objects, fetched by hundreds at once, each batch into a journal and then into a file.

A batch's file is a function of its plan: objects arrive in any order, the journal keeps them across kills, and when
none is missing the file is written in the order of the plan. Memory holds what is in flight, and the plans of the
batches that are open: those with a request in flight.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat

from corpus.errors import RetryError
from corpus.fetch.http.client import Client, Fault
from corpus.fetch.http.journal import Journal
from corpus.stage.workspace import Receipt

_SHOWN = 10


class Batch(ABC):
    """Objects that become one file: a journal, what is missing in it, and how the file is made of it."""

    def __init__(self, name: str, journal_path: str) -> None:
        self.name = name
        self._journal_path = journal_path
        self.left = 0
        self.failed = 0

    @abstractmethod
    def finished(self) -> Receipt | None:
        """Return the receipt when the file is there already."""

    @abstractmethod
    def open(self) -> Sequence[int]:
        """Open the journal, take over what an earlier store has, and return the positions still to fetch."""

    @abstractmethod
    async def fetch(self, client: Client, position: int) -> int:
        """Fetch and verify one object, put it in the journal, and return its bytes; raises Fault."""

    @abstractmethod
    def conclude(self) -> Receipt:
        """Write the file from the whole journal and leave its receipt."""

    def open_journal(self) -> Journal:
        """Return the journal, with what an earlier run left in it."""
        self.journal = Journal(self._journal_path)
        return self.journal

    def release(self) -> None:
        """Close the journal, which stays for the next run."""
        if hasattr(self, "journal"):
            self.journal.close()


async def collect(client: Client, batches: Iterable[Batch]) -> list[Receipt]:
    """Fetch all batches and return their receipts.

    Raises RetryError when objects could not be had, after all the others were; the same command asks for them alone.
    """
    run = _Collection(client, batches)
    workers = [asyncio.create_task(run.work()) for _ in range(client.pace.connections)]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for batch in run.opened:
            batch.release()
    if run.faults:
        raise RetryError(_failure(run.faults))
    return run.receipts


class _Collection:
    """What the workers of one collection share."""

    def __init__(self, client: Client, batches: Iterable[Batch]) -> None:
        self._client = client
        self.receipts: list[Receipt] = []
        self.faults: list[Fault] = []
        self.opened: set[Batch] = set()
        self._jobs = _jobs(client, batches, self.opened)
        self._in_a_row = 0
        self._one = asyncio.Lock()

    async def work(self) -> None:
        """Take one job after the other until none is left."""
        for batch, position in self._jobs:
            if position is not None:
                await self._fetch(batch, position)
            batch.left -= 1
            if batch.left == 0:
                self.opened.discard(batch)
                if batch.failed:
                    batch.release()
                else:
                    async with self._one:  # several at once would hold several files' rows in memory
                        self.receipts.append(await asyncio.to_thread(batch.conclude))

    async def _fetch(self, batch: Batch, position: int) -> None:
        try:
            self._client.tally.add(await batch.fetch(self._client, position))
            self._in_a_row = 0
        except Fault as fault:
            self.faults.append(fault)
            batch.failed += 1
            self._in_a_row += 1
            _stop_when_down(self._client, self._in_a_row, fault)


def _jobs(client: Client, batches: Iterable[Batch], opened: set[Batch]) -> Iterator[tuple[Batch, int | None]]:
    """Yield (batch, position) of everything that is missing; (batch, None) for a batch that misses nothing."""
    for batch in batches:
        opened.add(batch)
        positions = batch.open()
        batch.left = max(1, len(positions))
        client.tally.reused += len(batch.journal) if hasattr(batch, "journal") else 0
        yield from zip(repeat(batch), positions) if positions else iter([(batch, None)])


def _stop_when_down(client: Client, in_a_row: int, fault: Fault) -> None:
    if in_a_row >= client.pace.give_up_after:
        raise RetryError(
            f"{client.host.base}: {in_a_row} objects failed in a row, the last with `{fault.kind}`: {fault.detail} "
            f"({fault.url}). What was fetched is kept; run the same command again"
        )


def _failure(faults: Sequence[Fault]) -> str:
    shown = [f"{fault.url}: {fault.kind}: {fault.detail}" for fault in faults[:_SHOWN]]
    more = [f"… and {len(faults) - _SHOWN} more, see fetch.jsonl"] if len(faults) > _SHOWN else []
    return "\n  ".join(
        chain(
            [f"{len(faults)} objects could not be fetched; all others are kept. Run the same command again:"],
            shown,
            more,
        )
    )
