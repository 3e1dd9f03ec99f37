"""Metadata files, one of a range of articles: one small GET each, one Parquet file of them all."""

import os
from collections.abc import Sequence

import numpy as np

from corpus import storage
from corpus.fetch.http.client import Answer, Client, Fault
from corpus.fetch.http.collect import Batch
from corpus.fetch.pmc.inventory_rows import Listing, etag_bytes
from corpus.fetch.pmc.metadata_rows import JSON_CAP, Detail, json_key, read_detail, verified_etag
from corpus.fetch.pmc.previous_store import PreviousStore
from corpus.ncbi.archives.article_store import METADATA, article_name
from corpus.reasons import FetchDrop
from corpus.stage.manifest import Books
from corpus.stage.workspace import Receipt, Workspace
from corpus.storage import parquet
from corpus.storage.schema import schema_of, to_table

# What a source may fail to give for good; anything else is worth another run.
GONE_FOR_GOOD = frozenset({"gone", "denied", "unverified", "wrong_md5", "too_large", "unexpected"})
GROUP = 1024  # rows of metadata in memory at once, with their JSON
_PROBLEM = b"!"


class MetadataBatch(Batch):
    """The JSON of a range of candidates."""

    def __init__(self, listing: Listing, *, workspace: Workspace, spool: str, previous: PreviousStore) -> None:
        self._digest = listing.digest()
        self._range = f"{listing.name}-{self._digest[:8]}"
        journal = os.path.join(spool, f"metadata-{listing.name}-{self._digest[:16]}.journal")
        super().__init__(f"metadata/{self._range}", journal)
        self._listing, self._workspace, self._previous = listing, workspace, previous

    @property
    def path(self) -> str:
        """The file of the output."""
        return f"metadata/pmc-{self._range}.parquet"

    def finished(self) -> Receipt | None:
        """Return the receipt of this range when this run or an earlier store has its file."""
        if done := self._workspace.finished(self.name, of=self._digest):
            return done
        part = self._previous.intact(self.path)
        return Receipt(task=self.name, parts=(part,)) if part else None

    def open(self) -> Sequence[int]:
        """Take over what the earlier store says of unchanged articles; return the rows that are missing."""
        journal = self.open_journal()
        listing = self._listing
        for old in self._previous.details(int(listing.pmcids[0]), int(listing.pmcids[-1])):
            position = int(np.searchsorted(listing.pmcids, old.pmcid))
            if (int(listing.pmcids[position]), int(listing.versions[position])) != (old.pmcid, old.version):
                continue
            if position not in journal and old.json and etag_bytes(old.etag) == self._etag(position):
                journal.add(position, old.etag.encode(), old.json)
        return [position for position in range(len(listing)) if position not in journal]

    async def fetch(self, client: Client, position: int) -> int:
        """Fetch one JSON; that the source will not give it is put in the journal too."""
        pmcid, version = self._article(position)
        url = client.host.url(json_key(pmcid, version))
        try:
            answer, etag = await fetch_json(client, pmcid, version, listed=self._etag(position))
        except Fault as fault:
            if fault.kind not in GONE_FOR_GOOD:
                raise
            problem = FetchDrop.GONE if fault.kind in ("gone", "denied") else FetchDrop.UNVERIFIED
            client.tally.note("dropped", reason=problem, url=url, detail=fault.detail)
            self.journal.add(position, _PROBLEM + problem.encode(), b"")
            return 0
        self.journal.add(position, etag.encode(), answer)
        return len(answer)

    def conclude(self) -> Receipt:
        """Write the range's rows, in the order of ids, a thousand at a time."""
        count = len(self._listing)
        with parquet.open_writer(self._workspace.path(self.path), schema_of(Detail)) as writer:
            for first in range(0, count, GROUP):
                rows = [self._detail(position) for position in range(first, min(first + GROUP, count))]
                writer.write_table(to_table(rows, Detail))
        part = self._workspace.measure(self.path, role=METADATA, rows=count)
        receipt = self._workspace.finish(Receipt(task=self.name, parts=(part,), books=Books()), of=self._digest)
        self.journal.remove()
        return receipt

    def _detail(self, position: int) -> Detail:
        pmcid, version = self._article(position)
        note, raw = self.journal.read(position)
        if note.startswith(_PROBLEM):
            return Detail(pmcid=pmcid, version=version, etag="", problem=note[1:].decode())
        return read_detail(pmcid, version, note.decode(), raw)

    def _article(self, position: int) -> tuple[int, int]:
        return int(self._listing.pmcids[position]), int(self._listing.versions[position])

    def _etag(self, position: int) -> bytes:
        return self._listing.etags[position].tobytes()


async def fetch_json(client: Client, pmcid: int, version: int, *, listed: bytes | None) -> tuple[bytes, str]:
    """Return an article's JSON and its ETag, proven; raises Fault."""

    def check(answer: Answer) -> tuple[bytes, str]:
        if not answer.body.lstrip().startswith(b"{"):
            raise Fault("unexpected", f"no JSON for {article_name(pmcid, version)}: {answer.body[:60]!r}")
        return answer.body, verified_etag(answer, listed)

    return await client.get(client.host.url(json_key(pmcid, version)), check, cap=JSON_CAP)


def details_path(base: str, receipt: Receipt) -> str:
    """Return the path of a metadata receipt's file."""
    return storage.join(base, receipt.parts[0].path)
