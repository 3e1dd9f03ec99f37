"""BlockExchange: bring the byte blocks of one partition together, without holding the shuffle in memory.

In: (partition, block) pairs; out: one (partition, blocks) pair a partition. On a distributed engine the
bytes go through its own GroupByKey. On the embedded runner they go to spill files and only references
go through Beam, so memory is bounded by one partition. Blocks come in any order: consumers sort.
"""

import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockRef:
    """Where a spilled block lies."""

    path: str
    offset: int
    length: int


class BlockExchange(beam.PTransform[Any, Any]):
    """Group byte blocks by partition number; `spill` is a local directory, or None to use the engine's shuffle."""

    def __init__(self, *, spill: str | None) -> None:
        super().__init__()
        self._spill = spill

    def expand(self, input_or_inputs: Any) -> Any:
        """Wire the spill, if any, and the grouping."""
        blocks = input_or_inputs
        if self._spill is None:
            return blocks | "Group" >> beam.GroupByKey()
        return (
            blocks
            | "Spill" >> beam.ParDo(_Spill(self._spill)).with_output_types(tuple[int, Any])
            | "GroupRefs" >> beam.GroupByKey()
        )


def read_blocks(values: Iterable[bytes | BlockRef]) -> Iterator[bytes]:
    """Yield the bytes of a partition's blocks, wherever they are."""
    by_path: dict[str, list[BlockRef]] = {}
    for value in values:
        if isinstance(value, BlockRef):
            by_path.setdefault(value.path, []).append(value)
        else:
            yield value
    for path in sorted(by_path):
        with open(path, "rb") as source:
            for ref in sorted(by_path[path], key=lambda ref: ref.offset):
                source.seek(ref.offset)
                block = source.read(ref.length)
                assert len(block) == ref.length, f"{path}: spilled block cut short"
                yield block


class _Spill(beam.DoFn):
    """Appends the blocks of one bundle to one file."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._sink: Any = None

    def process(self, element: tuple[int, bytes]) -> Iterator[tuple[int, BlockRef]]:
        partition, block = element
        if self._sink is None:
            os.makedirs(self._folder, exist_ok=True)
            # A name of its own for every try: a bundle that failed half-way leaves a file nobody refers to.
            path = os.path.join(self._folder, f"{uuid.uuid4().hex}.blocks")
            self._sink = open(path, "wb")  # noqa: SIM115 - closed when the bundle ends
        offset = self._sink.tell()
        self._sink.write(block)
        yield partition, BlockRef(path=self._sink.name, offset=offset, length=len(block))

    def finish_bundle(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink = None
