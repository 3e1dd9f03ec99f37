"""The metadata of a range of articles: one small GET each, one Parquet file of them all."""

import os
from collections.abc import Sequence

from corpus import parquet, storage
from corpus.fetch.client import Answer, Client, Fault
from corpus.fetch.collect import Batch
from corpus.fetch.details import JSON_CAP, Detail, json_key, read_detail, verified_etag
from corpus.fetch.listing import Listing, etag_bytes
from corpus.fetch.plan import Range
from corpus.fetch.previous import Previous
from corpus.manifest import Books
from corpus.ncbi.store import METADATA, article_name
from corpus.schema import to_table
from corpus.workspace import Receipt, Workspace

# What a source may fail to give for good; anything else is worth another run.
GONE_FOR_GOOD = frozenset({"gone", "denied", "unverified", "wrong_md5", "too_large", "unexpected"})
_PROBLEM = b"!"


class MetadataBatch(Batch):
    """The JSON of a range of candidates."""

    def __init__(self, span: Range, listing: Listing, *, workspace: Workspace, spool: str, previous: Previous) -> None:
        super().__init__(
            f"metadata/{span.name}-{span.digest[:8]}",
            os.path.join(spool, f"metadata-{span.name}-{span.digest[:16]}.journal"),
        )
        self._span, self._listing, self._workspace, self._previous = span, listing, workspace, previous

    @property
    def path(self) -> str:
        """The file of the output."""
        return f"metadata/pmc-{self._span.name}-{self._span.digest[:8]}.parquet"

    def finished(self) -> Receipt | None:
        """Return the receipt of this range when this run or an earlier store has its file."""
        if done := self._workspace.finished(self.name, of=self._span.digest):
            return done
        part = self._previous.intact(self.path)
        return Receipt(task=self.name, parts=(part,)) if part else None

    def open(self) -> Sequence[int]:
        """Take over what the earlier store says of unchanged articles; return the rows that are missing."""
        journal = self.open_journal()
        span = self._span
        old = self._previous.details(span.start_id, span.end_id)
        for row in range(span.first, span.last):
            same = old.get(int(self._listing.pmcids[row]))
            if row - span.first in journal or same is None or not same.json:
                continue
            if same.version == self._listing.versions[row] and etag_bytes(same.etag) == self._etag(row):
                journal.add(row - span.first, same.etag.encode(), same.json)
        return [position for position in range(span.last - span.first) if position not in journal]

    async def fetch(self, client: Client, position: int) -> int:
        """Fetch one JSON; that the source will not give it is put in the journal too."""
        row = self._span.first + position
        pmcid, version = int(self._listing.pmcids[row]), int(self._listing.versions[row])
        url = client.source.url(json_key(pmcid, version))
        try:
            answer, etag = await fetch_json(client, pmcid, version, listed=self._etag(row))
        except Fault as fault:
            if fault.kind not in GONE_FOR_GOOD:
                raise
            problem = "gone" if fault.kind in ("gone", "denied") else "unverified"
            client.tally.note("dropped", reason=problem, url=url, detail=fault.detail)
            self.journal.add(position, _PROBLEM + problem.encode(), b"")
            return 0
        self.journal.add(position, etag.encode(), answer)
        return len(answer)

    def conclude(self) -> Receipt:
        """Write the range's rows, in the order of ids."""
        rows = [self._detail(position) for position in range(self._span.last - self._span.first)]
        parquet.write_table(self._workspace.path(self.path), to_table(rows, Detail))
        part = self._workspace.measure(self.path, role=METADATA, rows=len(rows))
        receipt = self._workspace.finish(Receipt(task=self.name, parts=(part,), books=Books()), of=self._span.digest)
        self.journal.remove()
        return receipt

    def _detail(self, position: int) -> Detail:
        row = self._span.first + position
        pmcid, version = int(self._listing.pmcids[row]), int(self._listing.versions[row])
        note, raw = self.journal.read(position)
        if note.startswith(_PROBLEM):
            return Detail(pmcid=pmcid, version=version, etag="", problem=note[1:].decode())
        return read_detail(pmcid, version, note.decode(), raw)

    def _etag(self, row: int) -> bytes:
        return self._listing.etags[row].tobytes()


async def fetch_json(client: Client, pmcid: int, version: int, *, listed: bytes | None) -> tuple[bytes, str]:
    """Return an article's JSON and its ETag, proven; raises Fault."""

    def check(answer: Answer) -> tuple[bytes, str]:
        if not answer.body.lstrip().startswith(b"{"):
            raise Fault("unexpected", f"no JSON for {article_name(pmcid, version)}: {answer.body[:60]!r}")
        return answer.body, verified_etag(answer, listed)

    return await client.get(client.source.url(json_key(pmcid, version)), check, cap=JSON_CAP)


def details_path(base: str, receipt: Receipt) -> str:
    """Return the path of a metadata receipt's file."""
    return storage.join(base, receipt.parts[0].path)
