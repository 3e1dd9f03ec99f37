"""BlockExchange: bring the byte blocks of one partition together, without holding the shuffle in memory.

In: (partition, block) pairs; out: one (partition, blocks) pair a partition. On a distributed engine the bytes go
through its own GroupByKey. On the embedded runner they go to spill files and only references go through Beam, one for
all blocks that a worker wrote to a partition at a time, so memory is bounded by one partition and `FLUSH_BYTES` a
worker. Blocks come in any order: consumers sort.
"""

import os
import struct
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

from pipelines.beam.metering import count, metered_step, note_largest

FLUSH_BYTES = 64 << 20  # of blocks that wait in a worker, to be written partition by partition
LARGEST: Final = "bytes of the largest block"  # of all that go through an exchange: an element on an engine
SHUFFLED: Final = "bytes shuffled"  # by the engine, or through spill files
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockRef:
    """Where the blocks lie that one worker wrote to one partition at a time: each with its length before it."""

    path: str
    offset: int
    length: int


class BlockExchange(beam.PTransform[Any, Any]):
    """Group byte blocks by partition number; `spill` is a local directory, or None to use the engine's shuffle.

    Takes one collection of blocks or several. These are spilled one by one and flattened as references: a Flatten keeps
    in memory what goes through it on the embedded runner.
    """

    def __init__(self, *, spill: str | None) -> None:
        super().__init__()
        self._spill = spill

    def expand(self, input_or_inputs: Any) -> Any:
        """Wire the spill, if any, and the grouping."""
        several = input_or_inputs if isinstance(input_or_inputs, tuple) else (input_or_inputs,)
        if self._spill is None:
            several = tuple(
                blocks | f"Count{number}" >> beam.Map(_counted).with_output_types(tuple[int, bytes])
                for number, blocks in enumerate(several)
            )
        else:
            several = tuple(
                blocks
                | f"Spill{number}" >> beam.ParDo(metered_step(Spill(self._spill))).with_output_types(tuple[int, Any])
                for number, blocks in enumerate(several)
            )
        together = several | "Flatten" >> beam.Flatten() if len(several) > 1 else several[0]
        return together | "Group" >> beam.GroupByKey()


def _counted(pair: tuple[int, bytes]) -> tuple[int, bytes]:
    """Count a block that the engine shuffles, and return it."""
    count(SHUFFLED, len(pair[1]))
    note_largest(LARGEST, len(pair[1]))
    return pair


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
                section = memoryview(source.read(ref.length))
                assert len(section) == ref.length, f"{path}: spilled blocks cut short"
                yield from _cut(section)


def _cut(section: memoryview) -> Iterator[bytes]:
    at = 0
    while at < len(section):
        (length,) = _LENGTH.unpack_from(section, at)
        at += _LENGTH.size
        yield bytes(section[at : at + length])
        at += length


class Spill(beam.DoFn):
    """Writes the blocks of a bundle to one file, so many at a time that a partition has them side by side."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def start_bundle(self) -> None:
        self._sink: Any = None
        self._waiting: dict[int, list[bytes]] = {}
        self._waiting_bytes = 0

    def process(self, element: tuple[int, bytes]) -> Iterator[tuple[int, BlockRef]]:
        partition, block = element
        note_largest(LARGEST, len(block))
        self._waiting.setdefault(partition, []).append(block)
        self._waiting_bytes += len(block)
        if self._waiting_bytes >= FLUSH_BYTES:
            yield from self._flush()

    def finish_bundle(self) -> Iterator[Any]:
        for pair in self._flush():
            yield GlobalWindows.windowed_value(pair)
        if self._sink is not None:
            self._sink.close()
            self._sink = None

    def _flush(self) -> Iterator[tuple[int, BlockRef]]:
        waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        if waiting and self._sink is None:
            os.makedirs(self._folder, exist_ok=True)
            # A name of its own for every try: a bundle that failed half-way leaves a file nobody refers to.
            self._sink = open(os.path.join(self._folder, f"{uuid.uuid4().hex}.blocks"), "wb")  # noqa: SIM115
        for partition in sorted(waiting):
            offset = self._sink.tell()
            for block in waiting.pop(partition):
                self._sink.write(_LENGTH.pack(len(block)))
                self._sink.write(block)
            length = self._sink.tell() - offset
            count(SHUFFLED, length)
            yield partition, BlockRef(path=self._sink.name, offset=offset, length=length)
        if self._sink is not None:
            self._sink.flush()  # references may be read before the bundle ends
