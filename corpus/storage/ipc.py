"""Tables as compressed byte blocks, for what crosses a shuffle on its way to verification and to the shards."""

import io

import pyarrow as pa


def to_block(table: pa.Table) -> bytes:
    """Return a table as one zstd-compressed Arrow stream."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue()


def from_block(block: bytes | memoryview) -> pa.Table:
    """Return the table of a block made by `to_block`."""
    return pa.ipc.open_stream(block).read_all()
