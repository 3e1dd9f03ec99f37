"""Blocks arrive whole at their partition, through the engine's shuffle and through spill files."""

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines.exchange import BlockExchange, read_blocks

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
    from pipelines.exchange import BlockRef

    path = tmp_path / "x.blocks"
    path.write_bytes(b"1234")
    assert list(read_blocks([BlockRef(path=str(path), offset=1, length=3), b"z"])) == [b"z", b"234"]
    with pytest.raises(AssertionError, match="cut short"):
        list(read_blocks([BlockRef(path=str(path), offset=1, length=4)]))
