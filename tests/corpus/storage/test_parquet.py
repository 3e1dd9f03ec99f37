"""Parquet files of no rows: what a split without documents is to readers."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.storage import parquet


@pytest.mark.parametrize("num_rows", [0, 1, 3])
def test_a_file_has_no_row_group_of_no_rows(num_rows: int, tmp_path: Path) -> None:
    """Hugging Face's datasets 5.2 reads batches as large as the first row group; 0 is refused, for all splits."""
    path, table = str(tmp_path / "part.parquet"), pa.table({"id": ["a", "b", "c"], "text": ["x", "y", "z"]})
    parquet.write_table(path, table.slice(0, num_rows))
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [num_rows][:num_rows]
    assert parquet.read_table(path) == table.slice(0, num_rows)
    assert parquet.num_rows(path) == num_rows
    assert sum(batch.num_rows for batch in parquet.iter_batches(path, ["id"], batch_bytes=9)) == num_rows
