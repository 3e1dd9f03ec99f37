"""What `verify`, `inspect` and `doctor` say, as JSON for programs (`--json`): one object on standard output.

The words are those of the text. Fields are only ever added.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from corpus import storage
from corpus.errors import UsageError
from corpus.stage.manifest import Manifest, has_manifest, read_manifest
from corpus.storage import parquet
from corpus.storage.json_files import read_json
from pipelines.inspection.doctor import Finding
from pipelines.inspection.stages import ROWS_SHOWN, document_rows, stages_below
from pipelines.inspection.verification import Findings
from train.health.facts import ClusterFacts


def json_text(content: Any) -> str:
    """Return an object as the text of one."""
    return json.dumps(content, indent=1, ensure_ascii=False, default=str)


def verification_json(directory: str, findings: Findings) -> str:
    """Return findings: each line with its level (ok, WRONG, note, orphan) and the faults below it."""
    lines: list[dict[str, Any]] = []
    for line in findings.lines:
        if line.startswith(" ") and lines:
            lines[-1]["faults"].append(line.strip())
        else:
            level, _, text = line.partition(" ")
            lines.append({"level": level.lower(), "text": text.strip(), "faults": []})
    return json_text(
        {"directory": directory, "stages": findings.num_stages, "wrong": findings.num_wrong, "findings": lines}
    )


def doctor_json(findings: Iterable[Finding], facts: ClusterFacts | None = None) -> str:
    """Return the findings about a machine, and what its ranks or a cluster's measured."""
    found = [asdict(finding) for finding in findings]
    measured = {} if facts is None else {"measured": asdict(facts)}
    return json_text({"fit": all(one["level"] != "fail" for one in found), "findings": found} | measured)


def inspection_json(path: str, document: str | None = None) -> str:
    """Return what a path holds: a manifest, the manifests below it, a Parquet file's columns and first rows, JSON.

    With a document, all rows about it by file. Raises UsageError for what is not there or of another kind.
    """
    if not storage.exists(path):
        raise UsageError(f"{path}: there is no such file or directory; check the path")
    if document is not None:
        return json_text({"path": path, "document": document, "rows": document_rows(path, document)})
    if has_manifest(path):
        return json_text({"path": path, "manifest": asdict(read_manifest(path))})
    if path.endswith(".parquet"):
        return json_text(_parquet(path))
    if path.endswith(".json"):
        return json_text({"path": path, "content": read_json(path, "check the path", error=UsageError, nan=True)})
    stages = stages_below(path) if storage.is_remote(path) or os.path.isdir(path) else []
    if not stages:
        raise UsageError(f"{path}: --json shows a stage's directory, one above several, a .parquet or a .json file")
    return json_text({"path": path, "stages": {folder: _short(manifest) for folder, manifest in stages}})


def _short(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest without its list of files, which can be long: their number and bytes."""
    found = asdict(manifest)
    parts = found.pop("parts")
    return found | {"files": len(parts), "bytes": sum(part["bytes"] for part in parts)}


def _parquet(path: str) -> dict[str, Any]:
    batch = next(parquet.iter_batches(path, batch_size=ROWS_SHOWN), None)
    return {
        "path": path,
        "rows": parquet.num_rows(path),
        "bytes": storage.size(path),
        "columns": {} if batch is None else {field.name: str(field.type) for field in batch.schema},
        "first_rows": [] if batch is None else batch.to_pylist(),
    }
