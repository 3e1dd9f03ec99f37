"""Shards of articles: XML by small GETs, each proven by its MD5, and the shard and its index written from the journal.

A slot is one article of the shard: one to fetch, or one that an earlier store holds and the source no longer lists.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from corpus import storage
from corpus.errors import CorruptError
from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.http.client import Answer, Client, Fault
from corpus.fetch.http.collect import Batch
from corpus.fetch.pmc.metadata_files import GONE_FOR_GOOD, fetch_json
from corpus.fetch.pmc.metadata_rows import Detail, read_detail, verdict, xml_key
from corpus.fetch.pmc.previous_store import PreviousStore
from corpus.ncbi.archives.article_store import (
    ARTICLES,
    END_OF_TAR,
    INDEX,
    IndexRow,
    pack_member,
    read_rows,
    unpack_member,
)
from corpus.reasons import FetchDrop
from corpus.stage.manifest import Part
from corpus.stage.workspace import Receipt, Workspace
from corpus.storage import parquet
from corpus.storage.json_files import BadJsonError, build, parse_json
from corpus.storage.schema import to_table


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """One article of a shard: `detail` is None for one that vanished from the source, `old` is the earlier row.

    `text` is the place of its JSON in the group's texts; the detail comes without.
    """

    detail: Detail | None
    old: IndexRow | None
    text: int = -1

    @property
    def key(self) -> tuple[int, int, str, str]:
        """What decides the article's bytes: id, version, ETag of its JSON, and the marks of its row."""
        if self.detail is not None:
            return self.detail.pmcid, self.detail.version, self.detail.etag, ""
        assert self.old is not None
        return self.old.pmcid, self.old.version, self.old.etag, self.old.vanished


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The articles of a shard, in the order of ids, and their JSON in one Arrow array."""

    slots: Sequence[Slot]
    texts: pa.Array


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardSources:
    """What all shards of a run share."""

    workspace: Workspace
    spool: str
    previous: PreviousStore
    config: FetchPmcConfig


class ArticleBatch(Batch):
    """The articles of one shard."""

    def __init__(self, group: Group, sources: ShardSources) -> None:
        slots = group.slots
        keys = json.dumps([slot.key for slot in slots])
        self.digest = hashlib.sha256(keys.encode()).hexdigest()
        self._range = f"{slots[0].key[0]:010d}-{slots[-1].key[0]:010d}"
        name = f"articles-{self._range}-{self.digest[:16]}"
        super().__init__(name, os.path.join(sources.spool, f"{name}.journal"))
        self._slots, self._texts, self._sources = slots, group.texts, sources

    def finished(self) -> Receipt | None:
        """Return the receipt of this shard when this run has written it, or the earlier store has the very same."""
        if done := self._sources.workspace.finished(self.name, of=self.digest):
            return done
        rows = [slot.old for slot in self._slots if slot.old is not None]
        if len(rows) < len(self._slots) or len({row.shard for row in rows}) != 1:
            return None
        part = self._sources.previous.intact(f"shards/{rows[0].shard}")
        if part is None or part.rows != len(rows):
            return None
        receipt = Receipt(task=self.name, parts=(part, self._write_index(rows)), facts=self._facts(rows, {}))
        return self._sources.workspace.finish(receipt, of=self.digest)

    def open(self) -> Sequence[int]:
        """Take over the articles that the earlier store has unchanged; return the positions that are missing."""
        journal = self.open_journal()
        kept = {
            (slot.old.shard, slot.old.offset): position
            for position, slot in enumerate(self._slots)
            if slot.old is not None and position not in journal
        }
        for shard in sorted({shard for shard, _ in kept}):
            rows = [
                slot.old for slot in self._slots if slot.old is not None and (slot.old.shard, slot.old.offset) in kept
            ]
            path = storage.join(self._sources.previous.base, "shards", shard)
            if not storage.exists(path):
                continue
            for row, member in _members(path, sorted((row for row in rows if row.shard == shard), key=_offset)):
                journal.add(kept[shard, row.offset], _note(row.etag, row.md5, row.xml_bytes), member)
        for position, slot in enumerate(self._slots):
            if slot.detail is None and position not in journal:  # damaged here, and the source has it no more
                journal.add(position, json.dumps({"drop": FetchDrop.VANISHED}).encode(), b"")
        return [position for position in range(len(self._slots)) if position not in journal]

    async def fetch(self, client: Client, position: int) -> int:
        """Fetch one article; that the source will not give it is put in the journal too."""
        slot = self._slots[position]
        assert slot.detail is not None, "what vanished is in the earlier store"
        detail = dataclasses.replace(slot.detail, json=self._texts[slot.text].as_py())
        url = client.host.url(xml_key(detail.pmcid, detail.version))
        try:
            detail, xml, digest = await _fetch_article(client, detail, url)
        except Fault as fault:
            if fault.kind not in GONE_FOR_GOOD:
                raise
            reason: str = FetchDrop.GONE if fault.kind in ("gone", "denied") else FetchDrop.WRONG_AT_SOURCE
            client.tally.note("dropped", reason=reason, url=url, detail=fault.detail)
            self.journal.add(position, json.dumps({"drop": reason}).encode(), b"")
            return 0
        if reason := verdict(detail, self._sources.config):  # the metadata changed meanwhile
            self.journal.add(position, json.dumps({"drop": reason}).encode(), b"")
            return 0
        member = pack_member(detail.name, detail.json, xml)
        self.journal.add(position, _note(detail.etag, digest, len(xml)), member)
        return len(xml)

    def conclude(self) -> Receipt:
        """Write the shard and its index, in the order of ids."""
        rows, drops = self._rows()
        parts: tuple[Part, ...] = ()
        if rows:
            tag = hashlib.sha256(json.dumps([(row.doc_id, row.etag, row.md5) for row in rows]).encode()).hexdigest()[:8]
            shard = f"pmc-{self._range}-{tag}.tar.gz"
            rows = [dataclasses.replace(row, shard=shard) for row in rows]
            parts = (self._write_shard(f"shards/{shard}", len(rows)), self._write_index(rows))
        receipt = Receipt(task=self.name, parts=parts, facts=self._facts(rows, drops))
        self._sources.workspace.finish(receipt, of=self.digest)
        self.journal.remove()
        return receipt

    def _rows(self) -> tuple[list[IndexRow], dict[str, int]]:
        rows: list[IndexRow] = []
        drops: dict[str, int] = {}
        offset = 0
        for position, slot in enumerate(self._slots):
            entry = self.journal.entries[position]
            raw, member = self.journal.read(position)
            note = self._read_note(raw, position)
            if note.drop:
                drops[note.drop] = drops.get(note.drop, 0) + 1
                continue
            rows.append(_row(slot, note, member, offset))
            offset += entry.payload_bytes
        return rows, drops

    def _read_note(self, raw: bytes, position: int) -> "_ArticleNote":
        """Return a note of the journal; raises CorruptError for one of another program or version."""
        try:
            note = build(_ArticleNote, parse_json(raw), optional=("drop", "etag", "md5", "xml_bytes"))
            if not (note.drop or note.md5):
                raise BadJsonError("neither a reason nor a hash")
            return note
        except BadJsonError as bad:
            remedy = "remove that file, and the same command fetches what it held again"
            raise CorruptError(f"{self.journal.path}: note {position}: {bad}; {remedy}") from bad

    def _write_shard(self, path: str, num_articles: int) -> Part:
        digest, size = hashlib.sha256(), 0
        with storage.write_atomic(self._sources.workspace.path(path)) as sink:
            for block in self._blocks():
                sink.write(block)
                digest.update(block)
                size += len(block)
        return Part(path=path, role=ARTICLES, rows=num_articles, bytes=size, sha256=digest.hexdigest())

    def _blocks(self) -> Iterator[bytes]:
        for position in range(len(self._slots)):
            _, member = self.journal.read(position)
            if member:
                yield member
        yield END_OF_TAR

    def _write_index(self, rows: Sequence[IndexRow]) -> Part:
        table = to_table(rows, IndexRow)
        marks = json.dumps([(row.shard, row.doc_id, row.vanished) for row in rows])
        tag = hashlib.sha256(marks.encode()).hexdigest()[:8]
        path = f"index/pmc-{self._range}-{tag}.parquet"
        parquet.write_table(self._sources.workspace.path(path), table)
        return self._sources.workspace.measure(path, role=INDEX, rows=len(rows))

    def _facts(self, rows: Sequence[IndexRow], drops: dict[str, int]) -> dict[str, Any]:
        listed = [row for row in rows if not row.vanished]
        return {
            "articles": len(listed),
            "drops": drops,
            "retracted": sum(row.is_retracted for row in listed),
            "vanished": len(rows) - len(listed),
            "xml_bytes": sum(row.xml_bytes for row in rows),
        }


async def _fetch_article(client: Client, detail: Detail, url: str) -> tuple[Detail, bytes, str]:
    """Return an article's metadata, which may have changed together with it, its XML and the MD5; raises Fault."""
    try:
        return detail, *await _fetch_xml(client, url, detail)
    except Fault as fault:
        if fault.kind not in GONE_FOR_GOOD:
            raise
        raw, etag = await fetch_json(client, detail.pmcid, detail.version, listed=None)
        newer = read_detail(detail.pmcid, detail.version, etag, raw)
        if newer.xml_md5 == detail.xml_md5 or newer.problem:
            raise
        return newer, *await _fetch_xml(client, url, newer)


async def _fetch_xml(client: Client, url: str, detail: Detail) -> tuple[bytes, str]:
    def check(answer: Answer) -> tuple[bytes, str]:
        found = hashlib.md5(answer.body, usedforsecurity=False).hexdigest()
        if found != (stated := detail.xml_md5 or answer.etag):  # without an MD5 in the JSON, S3's ETag is one
            raise Fault("wrong_md5", f"its MD5 is {found}, stated is {stated or 'none'} ({len(answer.body):,} bytes)")
        return answer.body, found

    return await client.get(url, check)


def _members(shard: str, rows: Sequence[IndexRow]) -> Iterator[tuple[IndexRow, bytes]]:
    """Yield (row, gzip member) of articles of an earlier shard, checked; a damaged one is left out, to be fetched."""
    with storage.open_read(shard) as source:
        for row in rows:
            try:
                list(read_rows(shard, [row]))
            except CorruptError:
                continue
            source.seek(row.offset)
            yield row, source.read(row.length)


@dataclass(frozen=True, kw_only=True, slots=True)
class _ArticleNote:
    """What the journal says of an article that arrived: why it is not stored, or what the index needs to know."""

    drop: str = ""
    etag: str = ""  # of the JSON
    md5: str = ""  # of the XML, hexadecimal
    xml_bytes: int = 0


def _row(slot: Slot, note: _ArticleNote, member: bytes, offset: int) -> IndexRow:
    place: dict[str, Any] = {"offset": offset, "length": len(member), "shard": ""}
    if slot.detail is None:
        assert slot.old is not None
        return dataclasses.replace(slot.old, **place)
    detail = slot.detail
    if note.etag != detail.etag:
        raw, _ = unpack_member(member, detail.name)
        detail = read_detail(detail.pmcid, detail.version, note.etag, raw)
    return IndexRow(
        doc_id=detail.name,
        pmcid=detail.pmcid,
        version=detail.version,
        pmid=detail.pmid,
        doi=detail.doi,
        md5=note.md5,
        etag=detail.etag,
        license=detail.license,
        year=detail.year,
        is_open_access=detail.is_open_access,
        is_manuscript=detail.is_manuscript,
        is_ocr=detail.is_ocr,
        is_retracted=detail.is_retracted,
        vanished="",
        xml_bytes=note.xml_bytes,
        **place,
    )


def _note(etag: str, md5: str, xml_bytes: int) -> bytes:
    return json.dumps({"etag": etag, "md5": md5, "xml_bytes": xml_bytes}).encode()


def _offset(row: IndexRow) -> int:
    return row.offset
