"""Choice of the inventory of a fetch: that of an interrupted run, a listing of a few prefixes, or the newest one.

What was chosen is written down, so that a run that goes on after a kill goes on with the same.
"""

import json
import os
from collections.abc import Iterable
from typing import Any

import isal

from corpus import storage
from corpus.errors import CorruptError
from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.http.client import Client
from corpus.fetch.pmc.inventory import ARCHIVED, FOLDER, Inventory, archive, find_inventory, read_manifest
from corpus.fetch.pmc.prefixes import LISTED, as_inventory, list_instead
from corpus.stage.claim import empty_claimed
from corpus.stage.progress import say
from corpus.storage.json_files import read_json

_PINNED = "pinned.json"


async def choose(
    client: Client,
    config: FetchPmcConfig,
    archive_base: str,
    spool: str,
    *,
    revision: int,
    stored: Iterable[int] = (),
    whole: bool = False,
) -> Inventory:
    """Return the inventory to use, archived: that of an interrupted run, else the newest (of the date wanted).

    A listing of prefixes takes its place where that is less, unless `whole`; stored: ids that an earlier store holds.
    """
    pinned = read_pinned(spool, revision)
    date = pinned.get("date", "")
    path = os.path.join(archive_base, FOLDER, date, ARCHIVED)
    fits = not (whole and date.startswith(LISTED))
    if fits and date and os.path.exists(path) and (config.inventory is None or date.startswith(config.inventory)):
        say(f"going on with the inventory of {date}")
        with open(path, "rb") as source:
            inventory = read_manifest(date, source.read())
    else:
        inventory = await find_archived(client, config, archive_base, stored=stored, whole=whole)
    with storage.write_atomic(os.path.join(spool, _PINNED)) as sink:
        versions = sorted({*pinned.get("isal", ()), isal.__version__})
        sink.write(json.dumps({"date": inventory.date, "isal": versions, "revision": revision}).encode())
    return inventory


async def find_archived(
    client: Client, config: FetchPmcConfig, folder: str, *, stored: Iterable[int] = (), whole: bool = False
) -> Inventory:
    """Return a new inventory, archived in a local folder: a listing of prefixes where that is less, and not `whole`."""
    if not whole and (listing := await list_instead(client, config, stored)):
        return as_inventory(listing, folder)
    inventory = await find_inventory(client, config.inventory)
    await archive(client, inventory, folder)
    return inventory


def read_pinned(spool: str, revision: int) -> dict[str, Any]:
    """Return what an interrupted run left of its choice: the inventory, and the versions of isal that wrote.

    What a run of another revision left is removed with it.
    """
    path = os.path.join(spool, _PINNED)
    if not os.path.exists(path):
        return {}
    remedy = f"remove {spool}, and the same command begins it again"
    content = read_json(path, remedy)
    if not isinstance(content, dict) or not all(map(_is_choice, content.items())):
        raise CorruptError(f"{path}: not what an interrupted fetch leaves; {remedy}")
    if content.get("revision", 1) == revision:
        return content
    say(f"{spool}: unfinished work of another revision of the code is removed")
    empty_claimed(spool)
    return {}


def _is_choice(item: tuple[str, Any]) -> bool:
    """Say whether a name and value of `_PINNED` are of the kinds that are written there."""
    name, value = item
    if name == "isal":
        return isinstance(value, list) and all(isinstance(version, str) for version in value)
    return name != "date" or (isinstance(value, str) and value in ("", storage.base_name(value)) and value != "..")
