"""Download of one large file, resumed where it broke off: `.name.part`, Range and If-Range, length, MD5, fsync, rename.

A part is continued only when the server still has the same file (its ETag or date is kept beside the part) and says
with 206 and Content-Range that it goes on at that very byte; otherwise the file begins again. The file gets its name
only when its MD5 is the one stated.
"""

import asyncio
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from corpus import storage
from corpus.errors import DiskError
from corpus.fetch.http.client import Client, Fault
from corpus.storage.json_files import parse_json

_BLOCK = 1 << 20
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A file to fetch: where from, where to (local), and the MD5 of its bytes."""

    url: str
    path: str
    md5: str

    @property
    def part(self) -> str:
        """Where the bytes lie until they are all there; hidden, so that no reader takes it for a file."""
        folder, name = os.path.split(self.path)
        return os.path.join(folder, f".{name}.part")


async def download(client: Client, wanted: Wanted) -> int:
    """Fetch a file that is not there yet and return its size in bytes; raises Fault or DiskError."""
    if os.path.exists(wanted.path):
        if await asyncio.to_thread(md5_file, wanted.path) == wanted.md5:
            return os.path.getsize(wanted.path)
        client.tally.note("replaced", path=wanted.path, detail="its MD5 is not the one stated; fetched again")
    os.makedirs(os.path.dirname(wanted.path) or ".", exist_ok=True)
    await client.persist(wanted.url, lambda: _attempt(client, wanted))
    return os.path.getsize(wanted.path)


def md5_file(path: str) -> str:
    """Return the MD5 of a file's bytes, in hex."""
    with open(path, "rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


async def _attempt(client: Client, wanted: Wanted) -> None:
    """Fetch what is missing and give the file its name; raises Fault."""
    validator, have = _resume_point(wanted)
    headers = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
    async with client.gate, client.open(wanted.url, headers=headers, also=(206, 416) if have else ()) as response:
        if response.status == 416:  # nothing is left, or the part is longer than the file
            _forget(wanted)
            raise Fault("stale_range", f"the server has no byte {have:,}; begun again", url=wanted.url)
        start = _start_of(response, have)
        if start is None:
            _forget(wanted)
            raise Fault("stale_range", f"asked for byte {have:,}, got {response.headers.get('Content-Range')!r}")
        await _receive(client, wanted, response, start)
    if (found := await asyncio.to_thread(md5_file, wanted.part)) != wanted.md5:
        _forget(wanted)
        raise Fault("wrong_md5", f"its MD5 is {found}, stated is {wanted.md5}")
    _publish(wanted)


def _start_of(response: aiohttp.ClientResponse, have: int) -> int | None:
    """Return the byte at which the body begins, None when the answer makes no sense."""
    if response.status == 200:
        return 0
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return have if found is not None and int(found[1]) == have and int(found[2]) + 1 == int(found[3]) else None


async def _receive(client: Client, wanted: Wanted, response: aiohttp.ClientResponse, start: int) -> None:
    """Write a body behind the first `start` bytes of the part."""
    if start == 0:
        _note_validator(wanted, response)
    length = response.content_length
    received = 0
    begun = asyncio.get_running_loop().time()
    try:
        with open(wanted.part, "r+b" if start else "wb") as sink:
            sink.seek(start)
            sink.truncate()
            async with asyncio.timeout(client.pace.grace) as deadline:
                async for block in response.content.iter_chunked(_BLOCK):
                    sink.write(block)
                    received += len(block)
                    client.tally.received += len(block)
                    client.tally.bytes += len(block)
                    # The time allowed grows with what has come: slow is fine, a trickle is not.
                    deadline.reschedule(begun + client.pace.grace + received / client.pace.slowest)
            sink.flush()
            os.fsync(sink.fileno())
    except OSError as error:
        if isinstance(error, (TimeoutError, ConnectionError, aiohttp.ClientError)):
            raise
        raise DiskError(f"cannot write {wanted.part}: {error.strerror}; free space and run it again") from error
    if length is not None and received != length:
        raise Fault("cut", f"{received:,} bytes came, Content-Length says {length:,}")


def _resume_point(wanted: Wanted) -> tuple[str, int]:
    """Return the validator of a part and its length, ("", 0) when there is none that can be continued."""
    try:
        stated: Any = parse_json(Path(f"{wanted.part}.json").read_bytes())
        have = os.path.getsize(wanted.part)
    except (OSError, ValueError):
        return "", 0
    if not isinstance(stated, dict) or stated.get("md5") != wanted.md5 or not stated.get("validator"):
        return "", 0
    return str(stated["validator"]), have


def _note_validator(wanted: Wanted, response: aiohttp.ClientResponse) -> None:
    """Keep what tells this version of the file from another; a weak ETag does not."""
    etag = response.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    Path(wanted.part).unlink(missing_ok=True)  # the old bytes are not of this version
    with storage.write_atomic(f"{wanted.part}.json") as sink:
        sink.write(json.dumps({"validator": validator, "md5": wanted.md5, "url": wanted.url}).encode())


def _publish(wanted: Wanted) -> None:
    storage.publish(wanted.part, wanted.path)
    Path(f"{wanted.part}.json").unlink(missing_ok=True)


def _forget(wanted: Wanted) -> None:
    Path(wanted.part).unlink(missing_ok=True)
    Path(f"{wanted.part}.json").unlink(missing_ok=True)
