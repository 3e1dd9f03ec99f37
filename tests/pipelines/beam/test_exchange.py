"""Blocks arrive whole at their partition, through the engine's shuffle and through spill files."""

import struct
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines.beam import exchange
from pipelines.beam.exchange import BlockExchange, read_blocks

BLOCKS = [(number % 3, bytes([number]) * (number * 1000)) for number in range(12)]


def joined(element: tuple[int, object]) -> tuple[int, list[bytes]]:
    return element[0], sorted(read_blocks(element[1]))


@pytest.mark.parametrize("spilled", [False, True])
def test_every_block_arrives_once(tmp_path: Path, spilled: bool) -> None:
    expected = [(partition, sorted(block for p, block in BLOCKS if p == partition)) for partition in range(3)]
    with TestPipeline(runner="FnApiRunner") as pipeline:
        blocks = pipeline | beam.Create(BLOCKS) | beam.Map(lambda pair: pair).with_output_types(tuple[int, bytes])
        found = blocks | BlockExchange(spill=str(tmp_path / "spill") if spilled else None) | beam.Map(joined)
        assert_that(found, equal_to(expected))
    assert bool(list(tmp_path.rglob("*.blocks"))) == spilled


def test_a_spilled_block_cut_short_is_noticed(tmp_path: Path) -> None:
    from pipelines.beam.exchange import BlockRef

    path = tmp_path / "x.blocks"
    path.write_bytes(b"?" + struct.pack("<I3s", 3, b"234") + struct.pack("<I1s", 1, b"z"))
    assert list(read_blocks([BlockRef(path=str(path), offset=1, length=12), b"y"])) == [b"y", b"234", b"z"]
    with pytest.raises(AssertionError, match="cut short"):
        list(read_blocks([BlockRef(path=str(path), offset=1, length=13)]))


@pytest.mark.parametrize("flush_bytes", [1, 3000, 1 << 20])
def test_a_worker_refers_to_a_partition_once_a_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush_bytes: int
) -> None:
    """References grow with the bytes shuffled, never with parts times partitions."""
    monkeypatch.setattr(exchange, "FLUSH_BYTES", flush_bytes)
    spill = exchange.Spill(str(tmp_path))
    spill.start_bundle()
    pairs = [pair for block in BLOCKS for pair in spill.process(block)]
    pairs += [windowed.value for windowed in spill.finish_bundle()]
    flushes = len(BLOCKS) if flush_bytes == 1 else 3 * -(-sum(len(block) for _, block in BLOCKS) // flush_bytes)
    assert len(pairs) <= flushes
    assert len(list(tmp_path.iterdir())) == 1
    for partition in range(3):
        found = sorted(read_blocks([ref for number, ref in pairs if number == partition]))
        assert found == sorted(block for number, block in BLOCKS if number == partition)
