"""Store that an earlier run left, by ranges of PMC ids: what need not be fetched again."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from corpus import storage
from corpus.fetch.pmc.metadata_rows import Detail
from corpus.ncbi.archives.article_store import INDEX, METADATA, IndexRow, read_index
from corpus.stage.manifest import Manifest, Part
from corpus.storage import parquet
from corpus.storage.schema import from_batch

_NAME = re.compile(r".*/pmc-(\d+)-(\d+)-[0-9a-f]+\.[a-z.]+")


class PreviousStore:
    """A finished store; without a manifest it is empty.

    What is there counts when it has the size that the manifest states, with `verify` when it has the hash.
    """

    def __init__(self, base: str, manifest: Manifest | None, *, verify: bool = False) -> None:
        self.base, self.manifest, self._verify = base, manifest, verify
        self.parts: dict[str, Part] = {part.path: part for part in manifest.parts} if manifest else {}
        self._sizes = storage.walk_sizes(base) if manifest else {}
        self._index = lru_cache(maxsize=1)(lambda path: read_index(storage.join(self.base, path)))
        self._judged: dict[str, bool] = {}

    def damaged(self) -> list[str]:
        """Return the paths of the parts that are missing or not as the manifest states."""
        return [path for path in sorted(self.parts) if self.intact(path) is None]

    def borders(self, role: str) -> list[int]:
        """Return the first ids of the files of a role."""
        return [first for first, _, _ in self._files(role)]

    def rows(self, first: int, last: int) -> Iterator[IndexRow]:
        """Yield the index rows of the ids first to last."""
        for start, end, part in self._files(INDEX):
            if start <= last and first <= end and self.intact(part.path):
                yield from (row for row in self._index(part.path) if first <= row.pmcid <= last)

    def details(self, first: int, last: int) -> Iterator[Detail]:
        """Yield the metadata of the ids first to last."""
        for start, end, part in self._files(METADATA):
            if start <= last and first <= end and self.intact(part.path):
                for batch in parquet.iter_batches(storage.join(self.base, part.path), batch_size=1024):
                    yield from (one for one in from_batch(batch, Detail) if first <= one.pmcid <= last)

    def intact(self, path: str) -> Part | None:
        """Return the part at a path if it is there as the manifest states."""
        part = self.parts.get(path)
        if part is not None and path not in self._judged:
            same = self._sizes.get(path) == part.bytes
            if same and self._verify:
                same = storage.sha256_file(storage.join(self.base, path)) == part.sha256
            self._judged[path] = same
        return part if part is not None and self._judged[path] else None

    def _files(self, role: str) -> list[tuple[int, int, Part]]:
        named = [(_NAME.fullmatch(path), part) for path, part in self.parts.items() if part.role == role]
        return sorted(((int(name[1]), int(name[2]), part) for name, part in named if name), key=lambda file: file[:2])


def damage_text(paths: Sequence[str]) -> str:
    """Return what to tell of damaged parts that are about to be made again."""
    shown = ", ".join(paths[:3]) + (", …" if len(paths) > 3 else "")
    return f"{len(paths):,} files are missing or damaged and are fetched again: {shown}"
