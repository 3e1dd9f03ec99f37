"""S3 Inventory: which one to use, its manifest and data files fetched, checked and archived, and what it lists.

NCBI publishes one a day and keeps it for 30 days; the one used is archived beside the articles, so that the same
selection can be made again. Layout, as AWS documents it: `<prefix>/<date>T<time>Z/manifest.json`, beside it
`manifest.checksum` (the MD5 of the manifest), data files under `<prefix>/data/`.
"""

import hashlib
import os
import re
from dataclasses import dataclass

from corpus import storage
from corpus.errors import RetryError, UsageError
from corpus.fetch.http.client import Answer, Client, Fault
from corpus.fetch.http.download import Wanted, download
from corpus.fetch.pmc.inventory_rows import is_md5
from corpus.fetch.pmc.s3 import list_prefix
from corpus.storage.json_files import parse_json

PREFIX = "inventory-reports/pmc-oa-opendata/metadata/"
FOLDER = "inventory"
ARCHIVED = "inventory.json"  # the manifest as it came, under a name that no stage of ours has
_FOLDER = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\dZ")
_DATA_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=/ -]{0,400}\.csv\.gz")
_MANIFEST_CAP = 10_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFile:
    """One CSV of an inventory: `name` is unique within it and safe as a file name."""

    key: str
    name: str
    size: int
    md5: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """An inventory: its date folder, its manifest as it came, the names of its columns, its data files."""

    date: str
    raw: bytes
    columns: tuple[str, ...]
    files: tuple[DataFile, ...]
    drawn_below: int = 0  # of a listing for a limit: the number of the draw below which it holds all ids

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the manifest, which holds the MD5 of every data file."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def name(self) -> str:
        """What it is, for reading."""
        return f"the {self.date}" if self.date.startswith("listing") else f"the inventory of {self.date}"

    def path(self, name: str) -> str:
        """Return a file's place below the output directory."""
        return f"{FOLDER}/{self.date}/{name}"

    def paths(self, base: str) -> list[str]:
        """Return the paths of the data files."""
        return [os.path.join(base, self.path(file.name)) for file in self.files]


async def find_inventory(client: Client, wanted: str | None) -> Inventory:
    """Return the newest inventory, or the newest of a date (`2026-11-23`, or the full name of its folder).

    Raises UsageError when there is none of that date.
    """
    _, folders = await list_prefix(client, PREFIX)
    names = sorted(name for folder in folders if _FOLDER.fullmatch(name := folder.removeprefix(PREFIX).rstrip("/")))
    fitting = [name for name in names if wanted is None or name.startswith(wanted)]
    if not fitting:
        span = f"there are {names[0]} to {names[-1]}" if names else "there are none"
        raise UsageError(f"--inventory {wanted or '(newest)'}: {span} at {client.host.url(PREFIX)} (kept for 30 days)")
    for name in reversed(fitting):
        try:
            return await _fetch_manifest(client, name)
        except Fault as fault:
            # Today's folder may be listed before its manifest is there; an older one may just have expired.
            if fault.kind != "gone" or name == fitting[0]:
                raise
    raise RetryError(f"{client.host.url(PREFIX)}: no inventory could be read; try again")


async def _fetch_manifest(client: Client, date: str) -> Inventory:
    url = client.host.url(f"{PREFIX}{date}/manifest.json")
    stated = await _checksum(client, client.host.url(f"{PREFIX}{date}/manifest.checksum"))

    def check(answer: Answer) -> Inventory:
        if stated and hashlib.md5(answer.body, usedforsecurity=False).hexdigest() != stated:
            raise Fault("wrong_md5", f"its MD5 is not the {stated} of manifest.checksum")
        return read_manifest(date, answer.body)

    return await client.get(url, check, cap=_MANIFEST_CAP)


async def _checksum(client: Client, url: str) -> str:
    def check(answer: Answer) -> str:
        text = answer.body.decode("ascii", "replace").strip().lower()
        changed = is_md5(answer.etag) and hashlib.md5(answer.body, usedforsecurity=False).hexdigest() != answer.etag
        if changed or not is_md5(text):
            raise Fault("unexpected", f"no MD5: {text[:60]!r}")
        return text

    try:
        return await client.get(url, check, cap=4096)
    except Fault as fault:
        if fault.kind == "gone":  # an archived or mirrored inventory may come without
            return ""
        raise


def read_manifest(date: str, raw: bytes) -> Inventory:
    """Return the inventory that a manifest.json describes; raises Fault for anything else."""
    try:
        content = parse_json(raw)
        columns = tuple(name.strip().lower() for name in content["fileSchema"].split(","))
        listed = [(file["key"], int(file["size"]), str(file["MD5checksum"]).lower()) for file in content["files"]]
        file_format = content.get("fileFormat", "CSV")
        drawn_below = int(content.get("drawnBelow", 0))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Fault("unexpected", f"no manifest of an S3 Inventory ({type(error).__name__}: {error})") from error
    if file_format != "CSV" or not {"key", "etag"} <= set(columns):
        raise Fault(
            "unexpected", f"{file_format} with the columns {', '.join(columns)}; expected CSV with Key and ETag"
        )
    files = tuple(_data_file(number, *file) for number, file in enumerate(listed))
    return Inventory(date=date, raw=raw, columns=columns, files=files, drawn_below=drawn_below)


def _data_file(number: int, key: str, size: int, md5: str) -> DataFile:
    if not isinstance(key, str) or not _DATA_KEY.fullmatch(key) or ".." in key.split("/"):
        raise Fault("unexpected", f"a data file with the key {str(key)[:100]!r}")
    if not re.fullmatch(r"[0-9a-f]{32}", md5):
        raise Fault("unexpected", f"no MD5 for the data file {key[:100]}")
    return DataFile(key=key, name=f"data-{number:05d}.csv.gz", size=size, md5=md5)


async def archive(client: Client, inventory: Inventory, folder: str) -> None:
    """Fetch an inventory's files into a local folder; those that are there and intact stay.

    Raises Fault for a file that cannot be had.
    """
    for file in inventory.files:
        wanted = Wanted(
            url=client.host.url(file.key), path=os.path.join(folder, inventory.path(file.name)), md5=file.md5
        )
        await download(client, wanted)
    with storage.write_atomic(os.path.join(folder, inventory.path(ARCHIVED))) as sink:
        sink.write(inventory.raw)
