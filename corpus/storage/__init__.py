"""Files on a disk or in a bucket: atomic writes, Parquet, Arrow IPC. The names of `files` are the room's own."""
# ruff: noqa: I001 — one list of names, each exported `as` itself

from corpus.storage.files import (
    CHUNK as CHUNK,
    TEMPORARY as TEMPORARY,
    base_name as base_name,
    exists as exists,
    holds_files as holds_files,
    is_remote as is_remote,
    join as join,
    kind_of_special as kind_of_special,
    list_names as list_names,
    open_read as open_read,
    publish as publish,
    readable as readable,
    readable_name as readable_name,
    remove_file as remove_file,
    remove_temporary as remove_temporary,
    remove_tree as remove_tree,
    sha256_file as sha256_file,
    size as size,
    sync_path as sync_path,
    walk_files as walk_files,
    walk_sizes as walk_sizes,
    write_atomic as write_atomic,
    xxh3_file as xxh3_file,
)
