"""Description of a stage's directory or of one of its files as text, `inspect PATH`.

A directory shows its manifest: configuration, inputs, books, files by role. A Parquet part shows its columns
and first rows, a file of rejects its dead letters (`pipelines.inspection.rejects`), a token shard its numbers, a
tokenizer how it splits words, a checkpoint its facts. With `--id` the rows of one document are found in every
file below the path: its record, its decision, its text.
Nothing is unpickled, ever.
"""

import json
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.filesize import decimal

from corpus import storage
from corpus.errors import UsageError
from corpus.stage.manifest import MANIFEST, Manifest, has_manifest, read_manifest
from corpus.storage import parquet
from corpus.storage.json_files import read_json
from pipelines.inspection.naming import NamedDocument, are_one_paper, match_lines, named_documents
from pipelines.inspection.rejects import are_dead_letters, describe_dead_letters, letter_lines, printable
from pipelines.inspection.summaries import FETCH_PMC, FETCH_PUBMED, books_text, number, road_order, stage_text
from tokenizer.hf_json import TOKENIZER
from train.checkpoint import store

ROWS_SHOWN = 3
TEXT_SHOWN = 400
FILES_SHOWN = 5


def inspect_path(path: str, document: str | None = None, records: str | None = None) -> str:
    """Return a description of a path, or of one document in the files below it and of the cluster it is in.

    `records` are those that an assembled corpus was made from, for the texts of dropped documents.

    Raises UsageError for a path that is not there or of no known kind, and for a document that is not found.
    """
    if not storage.exists(path):
        raise UsageError(f"{path}: there is no such file or directory; check the path")
    if document is not None:
        named = _named(path, document)
        if not are_one_paper(named):
            return "\n".join(match_lines(named))
        return "\n".join(line for one in named for line in _document_lines(path, one.doc_id, records))
    name = storage.base_name(path)
    if has_manifest(path):
        return describe_stage(path, read_manifest(path))
    if storage.exists(storage.join(path, store.DESCRIPTION)):
        return describe_json(storage.join(path, store.DESCRIPTION))
    if not storage.is_remote(path) and os.path.isdir(path):
        return _describe_directory(path)
    if name.endswith(".parquet"):
        return describe_parquet(path)
    if name.endswith((".idx", ".bin")):
        from pipelines.inspection.tokens import describe_index

        return describe_index(path.removesuffix(".bin").removesuffix(".idx") + ".idx")
    if name == TOKENIZER:
        from pipelines.inspection.tokens import describe_tokenizer

        return describe_tokenizer(path)
    if name.endswith(".json"):
        return describe_json(path)
    raise UsageError(f"{path}: expected a stage's directory, .parquet, .idx, .bin, tokenizer.json or another .json")


def describe_stage(path: str, manifest: Manifest) -> str:
    """Return the content of a manifest for reading."""
    code = f"revision {manifest.revision} of corpuscle {manifest.version}"
    lines = [f"{path}: `{manifest.stage}`, fingerprint {manifest.fingerprint[:16]}, {code}"]
    lines += ["configuration", *(f"  {name}: {value}" for name, value in manifest.config.items())]
    inputs = [f"  {item.name} {item.fingerprint[:16]}" for item in manifest.inputs]
    lines += [f"{len(inputs)} inputs", *_shortened(inputs, 8)]
    if manifest.books.read:
        lines += [f"books: {books_text(manifest.books)}"]
    lines += ["numbers", *(f"  {name}: {_value(value)}" for name, value in manifest.summary.items())]
    roles = Counter(part.role for part in manifest.parts)
    lines.append(f"{len(manifest.parts)} files, {decimal(sum(part.bytes for part in manifest.parts))}")
    for role in sorted(roles):
        parts = [part for part in manifest.parts if part.role == role]
        rows, num_bytes = sum(part.rows for part in parts), sum(part.bytes for part in parts)
        lines.append(f"  {role}: {len(parts)} files, {rows:,} rows, {decimal(num_bytes)}: {parts[0].path} …")
    return "\n".join(lines)


def describe_parquet(path: str) -> str:
    """Return columns, number of rows, and the first rows of a Parquet file; of rejects, the dead letters."""
    batch = next(parquet.iter_batches(path, batch_size=ROWS_SHOWN), None)
    if batch is not None and are_dead_letters(batch.schema.names):
        return "\n".join(describe_dead_letters(path))
    lines = [f"{path}: {parquet.num_rows(path):,} rows, {decimal(storage.size(path))}"]
    if batch is None:
        return lines[0]
    lines += ["columns", *(f"  {field.name}: {str(field.type)[:100]}" for field in batch.schema)]
    for index, row in enumerate(batch.to_pylist()):
        lines += [f"row {index}", *_row_lines(row, limit=TEXT_SHOWN)]
    return "\n".join(lines)


def describe_json(path: str) -> str:
    """Return a JSON file, indented."""
    content = read_json(path, "check the path", error=UsageError, nan=True)
    return f"{path}\n{json.dumps(content, indent=2, ensure_ascii=False)}"


def _describe_directory(path: str) -> str:
    """Return a line for each finished stage below a directory, or the first Parquet files of an unfinished one."""
    stages = stages_below(path)
    if stages:
        return "\n".join(f"{manifest.stage:<10} {folder}: {stage_text(manifest)}" for folder, manifest in stages)
    parts = _parquet_below(path)
    if not parts:
        raise UsageError(f"{path}: no finished stage and no Parquet file here or below; check the path")
    return "\n".join(_shortened([describe_parquet(part) for part in parts], FILES_SHOWN))


def stages_below(path: str) -> list[tuple[str, Manifest]]:
    """Return the finished stages at or below a directory, in the order of the road."""
    folders = [os.path.dirname(name) for name in storage.walk_files(path) if storage.base_name(name) == MANIFEST]
    found = [(folder or ".", read_manifest(storage.join(path, folder) if folder else path)) for folder in folders]
    return sorted(found, key=lambda item: (road_order(item[1].stage), item[0]))


def _parquet_below(path: str) -> list[str]:
    return [storage.join(path, name) for name in storage.walk_files(path) if name.endswith(".parquet")]


def document_rows(path: str, document: str) -> list[dict[str, Any]]:
    """Return all rows about one document at or below a path, each with its file; raises UsageError for none.

    Where words stand in the titles of several papers the rows are their ids and titles, without a file.
    """
    named = _named(path, document)
    if not are_one_paper(named):
        return [{"file": None, "row": {"doc_id": one.doc_id, "title": one.title}} for one in named]
    files = _files_of(path)
    found = [
        {"file": _shown(file), "row": row} for one in named for file in files for row in _rows_of(file, one.doc_id)
    ]
    if not found:
        raise UsageError(f"{path}: no row about {document!r}; {_where_else(path)}")
    return found


def _named(path: str, document: str) -> list[NamedDocument]:
    """Return the documents that a name stands for; raises UsageError for none."""
    if found := named_documents(_files_of(path), document, foreign=_is_foreign(path)):
        return found
    raise UsageError(f"{path}: no row about {document!r}; {_where_else(path)}")


def _document_lines(path: str, document: str, records: str | None) -> list[str]:
    lines, found = _find_document(path, document)
    return [*lines, *_cluster_of(path, found, records)]


def _shown(file: str) -> str:
    return file if storage.is_remote(file) else os.path.normpath(file)


def _files_of(path: str) -> list[str]:
    """Return the Parquet files at or below a path, in the order of the road."""
    files = [path]
    if not path.endswith(".parquet"):
        stages = stages_below(path)
        parts = [storage.join(path, folder, part.path) for folder, manifest in stages for part in manifest.parts]
        files = [part for part in parts if part.endswith(".parquet")] if stages else _parquet_below(path)
    return files


def _find_document(path: str, document: str) -> tuple[list[str], str]:
    """Return all rows about one document at or below a path, in full and in the order of the road, and its id."""
    found, doc_id = list[str](), document
    for file in _files_of(path):
        for row in _rows_of(file, document):
            doc_id = row["doc_id"]
            lines = letter_lines(row, whole=True) if are_dead_letters([*row]) else _row_lines(row, limit=None)
            found += [_shown(file), *lines]
    if not found:
        raise UsageError(f"{path}: no row about {document!r}; {_where_else(path)}")
    if has_manifest(path) and read_manifest(path).stage == FETCH_PMC:
        found.append(f"its XML, and where each character goes: corpuscle account {shlex.quote(path)} --id {doc_id}")
    return found, doc_id


def _is_foreign(path: str) -> bool:
    """Say whether a path holds anyone's documents, with ids of their own."""
    return has_manifest(path) and read_manifest(path).stage == "dedup"


def _where_else(path: str) -> str:
    """Return what helps when no row is about a document: a mirror of PubMed holds none."""
    stage = read_manifest(path).stage if has_manifest(path) else ""
    if _is_foreign(path):
        return "an id is as its corpus states it, else FILE:LINE; decisions/ has them all"
    if stage == FETCH_PUBMED:
        return "a mirror holds PubMed's own files; `corpuscle extract` makes records of them, and --id finds those"
    return "ids look like pmid:30039426 and pmc:PMC6182404.1; a DOI or words of the title do as well"


def _cluster_of(path: str, document: str, records: str | None) -> list[str]:
    stage = read_manifest(path).stage if has_manifest(path) else ""
    if stage == "dedup":
        from pipelines.inspection.foreign_clusters import foreign_lines

        return foreign_lines(path, document, records)
    if stage != "assemble":
        return []
    from pipelines.inspection.clusters import cluster_lines

    return cluster_lines(path, document, records)


def _rows_of(path: str, document: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file whose `doc_id` is the document's; `PMC123` stands for any version."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with storage.open_read(path) as source:
        if "doc_id" not in pq.read_schema(source).names:
            return
    bare = document.removeprefix("pmc:")
    names = pa.array([bare, f"pmc:{bare}"])
    for batch in parquet.iter_batches(path):
        column = batch.column("doc_id")
        found = pc.is_in(column, value_set=names)
        if re.fullmatch("PMC[0-9]+", bare):
            found = pc.or_(found, pc.match_substring_regex(column, rf"^(pmc:)?{bare}[.][0-9]+$"))
        yield from batch.filter(found).to_pylist()


def _row_lines(row: dict[str, Any], *, limit: int | None) -> Iterator[str]:
    """Yield a line for each value of a row that says something."""
    for name, value in row.items():
        if not _is_said(value):
            continue
        if isinstance(value, list):
            yield f"  {name}:"
            items = [f"    - {_cut(_flat(item), limit)}" for item in value]
            yield from items if limit is None else _shortened(items, 6)
        else:
            yield f"  {name}: {_cut(_flat(value), limit)}"


def _flat(value: Any) -> str:
    """Return a nested value on one line, without its empty fields."""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_flat(inner)}" for name, inner in value.items() if _is_said(inner))
    if isinstance(value, list):
        return " | ".join(_flat(item) for item in value)
    if isinstance(value, bytes):
        return printable(value)
    return str(value)


def _is_said(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], b"")


def _cut(text: str, limit: int | None) -> str:
    return text if limit is None or len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def _value(value: Any) -> str:
    if isinstance(value, int | float):
        return number(value)
    return _cut(json.dumps(value, ensure_ascii=False), TEXT_SHOWN)


def _shortened(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[:most], f"  … and {len(lines) - most} more"]
