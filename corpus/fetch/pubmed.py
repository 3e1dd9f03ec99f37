"""`fetch pubmed`: the yearly baseline and the update files after it, each proven by its `.md5`.

The server's own listing says what there is, and must be whole: its page closed, its numbers without a gap, an `.md5`
for every file, updates that go on where the baseline ends. A corpus with a hole would silently keep records that were
revised or deleted.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from corpus import storage
from corpus.errors import RetryError, UsageError
from corpus.fetch.config import FetchPubmedConfig, span_of
from corpus.fetch.http.client import Answer, Client, Fault, Host
from corpus.fetch.http.download import Wanted, download
from corpus.fetch.http.pace import Pace
from corpus.fetch.http.tally import FetchTally
from corpus.fetch.pmc.previous_store import PreviousStore, damage_text
from corpus.fetch.spool import held_spool, mark_unfinished, recorded, spool_folder
from corpus.ncbi.archives.fetched import BASELINE, UPDATES
from corpus.ncbi.archives.fetched import PUBMED_STAGE as STAGE
from corpus.ncbi.archives.gzip_stream import read_md5
from corpus.stage.claim import remove_claimed
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Books, Input, Manifest, Part, has_manifest, read_manifest
from corpus.stage.progress import say
from corpus.stage.workspace import Receipt, Workspace, open_workspace, other_result, remove_temporary

REVISION = 1  # raise it when the same input gives other bytes
_HREF = re.compile(r"""href\s*=\s*["']?(?:\./)?(pubmed(\d\d)n(\d{4,5})\.xml\.gz(\.md5)?)["'\s>]""", re.IGNORECASE)
_LISTING_CAP, _SIDECAR_CAP = 50_000_000, 4096
Mirrored = tuple["ListedFile", list[Part]]
_AGAIN = "the listing is not whole; run the same command again"


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedFile:
    """One file of a listing; `md5` is known when its sidecar was read."""

    folder: str
    name: str
    year: int
    number: int
    md5: str = ""

    @property
    def path(self) -> str:
        """The file's place below the output directory."""
        return f"{self.folder}/{self.name}"


def fetch_pubmed(config: FetchPubmedConfig, *, output: str, pace: Pace | None = None) -> Manifest:
    """Mirror the files that the configuration selects and return the manifest.

    Raises RetryError for a listing that is not whole and for files that could not be had (the others are kept),
    UsageError when the directory holds another year's files.
    """
    with held_spool(config, output), running_stage(output), recorded(config, output) as tally:
        return asyncio.run(_fetch(config, output, pace or Pace(connections=config.connections), tally))


async def _fetch(config: FetchPubmedConfig, output: str, pace: Pace, tally: FetchTally) -> Manifest:
    there = read_manifest(output, STAGE) if has_manifest(output) else None
    remove_temporary(output)
    async with Client(Host(base=config.source), pace=pace, tally=tally, proxy=config.proxy) as client:
        try:
            files = await with_md5(client, await wanted_files(client, config))
            workspace = _workspace(config, output, files)
            previous = PreviousStore(output, there, verify=config.verify)
            if there is not None and there.fingerprint == workspace.fingerprint:
                if not (damaged := await asyncio.to_thread(previous.damaged)):
                    say(f"{output}: up to date, {len(files):,} files")
                    return there
                say(f"{output}: {damage_text(damaged)}")
            _check_same_mirror(workspace, there, files)
            mark_unfinished(workspace)
            tally.begin("files", len(files), bytes_each=30e6, unit="files")
            async with tally.shown():
                mirror = _Mirror(workspace=workspace, previous=previous, spool=spool_folder(config, output))
                mirrored = await mirror.fetch_all(client, files)
        except Fault as fault:
            raise RetryError(f"{fault.url}: {fault.kind}: {fault.detail}. Run the same command again") from fault
    files = [file for file, _ in mirrored]  # a sidecar may have changed meanwhile
    workspace, parts = _workspace(config, output, files), [part for _, two in mirrored for part in two]
    books = Books(read=len(files), kept=len(files))
    years = sorted({file.year for file in files})
    summary = {"year": 2000 + years[-1], "last_file": max(file.number for file in files)}
    manifest = workspace.commit([Receipt(task="files", parts=tuple(parts))], summary=summary, books=books)
    workspace.clean()
    if storage.is_remote(output):
        remove_claimed(spool_folder(config, output))
    tally.committed(files=len(files), **summary)
    return manifest


async def wanted_files(client: Client, config: FetchPubmedConfig) -> list[ListedFile]:
    """Return the files to mirror, by number; raises RetryError for a listing that is not whole."""
    baseline = await _list_folder(client, BASELINE)
    _check_whole(baseline, client.host.url(BASELINE + "/"), first=1)
    files = list(baseline) if config.baseline else []
    if config.updates:
        updates = await _list_folder(client, UPDATES)
        if updates and updates[0].year != baseline[0].year:
            raise RetryError(
                f"{client.host.base}: the baseline is of 20{baseline[0].year}, the updates are of "
                f"20{updates[0].year}: NLM is changing the year; try again when it has done so"
            )
        _check_whole(updates, client.host.url(UPDATES + "/"), first=baseline[-1].number + 1)
        files += updates
    if config.files is not None:
        first, last = span_of(config.files)
        files = [file for file in files if first <= file.number <= last]
    if not files:
        raise UsageError(f"--files {config.files}: no such file; there are 1 to {baseline[-1].number} and the updates")
    return files


async def with_md5(client: Client, files: Sequence[ListedFile]) -> list[ListedFile]:
    """Return the files with the MD5 that their sidecars state; raises Fault."""
    return list(await asyncio.gather(*(_ask_md5(client, file) for file in files)))


async def _ask_md5(client: Client, file: ListedFile) -> ListedFile:
    def check(answer: Answer) -> ListedFile:
        digest = read_md5(answer.body, name=file.name)
        if digest is None:
            raise Fault("unexpected", f"no MD5 of {file.name}: {answer.body[:60]!r}")
        return replace(file, md5=digest)

    return await client.get(client.host.url(f"{file.path}.md5"), check, cap=_SIDECAR_CAP)


async def _list_folder(client: Client, folder: str) -> list[ListedFile]:
    return await client.get(
        client.host.url(folder + "/"), lambda answer: read_listing(answer, folder), cap=_LISTING_CAP
    )


def read_listing(answer: Answer, folder: str) -> list[ListedFile]:
    """Return the PubMed files that a folder's page links, by number; raises Fault for a cut page and for no listing."""
    page = answer.body.decode("utf-8", "replace")
    if not re.search(r"</html\s*>\s*$", page, re.IGNORECASE):
        raise Fault("cut", "the page of the listing does not end with </html>")
    links = {found[1]: found for found in _HREF.finditer(page)}
    files = [
        ListedFile(folder=folder, name=name, year=int(found[2]), number=int(found[3]))
        for name, found in links.items()
        if not found[4]
    ]
    bare = [file.name for file in files if f"{file.name}.md5" not in links]
    if bare:
        raise Fault("unexpected", f"no .md5 for {', '.join(sorted(bare)[:5])}; a file may just be coming in")
    if not files and folder == BASELINE:
        raise Fault("unexpected", "the page links no PubMed file")
    return sorted(files, key=lambda file: (file.year, file.number))


def _check_whole(files: Sequence[ListedFile], url: str, *, first: int) -> None:
    """Refuse a listing of two years, or with a gap in its numbers."""
    years = sorted({file.year for file in files})
    if len(years) > 1:
        raise RetryError(f"{url}: lists files of {', '.join(f'20{year}' for year in years)}; NLM is changing the year")
    missing = sorted(set(range(first, files[-1].number + 1)) - {file.number for file in files}) if files else []
    if missing or (files and files[0].number < first):
        holes = ", ".join(map(str, missing[:10])) or f"begins at {files[0].number}, not at {first}"
        raise RetryError(f"{url}: a hole in the numbers: {holes} of {first} to {files[-1].number}; {_AGAIN}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mirror:
    """Where the files go, and what an earlier run left there."""

    workspace: Workspace
    previous: PreviousStore
    spool: str

    async def fetch_all(self, client: Client, files: Sequence[ListedFile]) -> list[Mirrored]:
        """Fetch the files that are not there, several at once, and return all with their parts; raises RetryError."""
        faults: list[Fault] = []
        turn = asyncio.Semaphore(client.pace.connections)

        async def one(file: ListedFile) -> list[Mirrored]:
            async with turn:
                if there := await asyncio.to_thread(self._there, file):
                    client.tally.reused += 1
                    return [(file, there)]
                try:
                    mirrored = await self._fetch(client, file)
                except Fault as fault:
                    faults.append(fault)
                    return []
                client.tally.done += 1
                return [mirrored]

        found = await asyncio.gather(*map(one, files))
        if faults:
            shown = "\n  ".join(f"{fault.url}: {fault.kind}: {fault.detail}" for fault in faults[:10])
            many = f"{len(faults)} of {len(files)} files could not be fetched"
            raise RetryError(f"{many}; the others are kept. Run it again:\n  {shown}")
        return [mirrored for one in found for mirrored in one]

    def _there(self, file: ListedFile) -> list[Part]:
        """Return the parts of a file that is there already, [] when it is not."""
        if receipt := self.workspace.finished(file.name, of=file.md5):
            return list(receipt.parts)
        before = self.previous.manifest.inputs if self.previous.manifest else ()
        if Input(name=file.name, fingerprint=file.md5) not in before:
            return []
        parts = [self.previous.intact(path) for path in (file.path, f"{file.path}.md5")]
        return [part for part in parts if part is not None] if all(parts) else []

    async def _fetch(self, client: Client, file: ListedFile) -> Mirrored:
        """Have one file and its sidecar in the output, and return their parts."""
        output = self.workspace.output
        local = self.spool if storage.is_remote(output) else output
        wanted = Wanted(url=client.host.url(file.path), path=os.path.join(local, file.path), md5=file.md5)
        try:
            size = await download(client, wanted)
        except Fault as fault:
            newer = await _ask_md5(client, file) if fault.kind == "wrong_md5" else file
            if newer.md5 == file.md5:
                raise
            file, wanted = newer, replace(wanted, md5=newer.md5)  # file and sidecar were replaced, or it came wrong
            size = await download(client, wanted)
        digest = await asyncio.to_thread(storage.sha256_file, wanted.path)
        if local != output:
            await asyncio.to_thread(_upload, wanted.path, storage.join(output, file.path))
            os.unlink(wanted.path)
        main = Part(path=file.path, role=file.folder, rows=0, bytes=size, sha256=digest)
        receipt = Receipt(task=file.name, parts=(main, await asyncio.to_thread(self._write_sidecar, file)))
        await asyncio.to_thread(self.workspace.finish, receipt, of=file.md5)
        return file, list(receipt.parts)

    def _write_sidecar(self, file: ListedFile) -> Part:
        content = f"MD5({file.name})= {file.md5}\n".encode()
        path = f"{file.path}.md5"
        with storage.write_atomic(self.workspace.path(path)) as sink:
            sink.write(content)
        return Part(path=path, role="md5", rows=0, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _upload(local: str, path: str) -> None:
    with open(local, "rb") as source, storage.write_atomic(path) as sink:
        while block := source.read(storage.CHUNK):
            sink.write(block)


def _workspace(config: FetchPubmedConfig, output: str, files: Sequence[ListedFile]) -> Workspace:
    inputs = (Input(name=file.name, fingerprint=file.md5) for file in files)
    return open_workspace(output, stage=STAGE, revision=REVISION, config=config.identity(), inputs=inputs)


def _check_same_mirror(workspace: Workspace, there: Manifest | None, files: Sequence[ListedFile]) -> None:
    """Refuse a directory of other settings, another revision, or another year: a new baseline replaces the old one."""
    if there is None:
        return
    if not workspace.made_alike(there):
        raise other_result(workspace, there)
    if there.summary["year"] != 2000 + files[0].year:
        raise UsageError(
            f"{workspace.output}: holds the files of {there.summary['year']}, the server has 20{files[0].year}, a "
            "whole new set; choose another --output and remove this one when you are done with it"
        )
