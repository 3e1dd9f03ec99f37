"""Cluster of a document of `dedup` as text: its members, their fates and scores, the texts and where they differ.

The texts are in the files that were given, which the run's facts name; they are read where they are still the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from corpus import storage
from corpus.assemble.other_corpus import PREFIX
from corpus.errors import CorpuscleError, UsageError
from corpus.foreign.config import DedupConfig
from corpus.foreign.files import foreign_file, foreign_paths
from corpus.foreign.reading import texts_at
from corpus.foreign.signing import field_names
from corpus.stage.lock import RUN_FACTS
from corpus.stage.manifest import Manifest, read_manifest
from corpus.storage.json_files import read_json
from pipelines.inspection.clusters import MEMBERS_SHOWN, cluster_members, marked

_SHOWN = 400  # characters of a text that stands alone


def foreign_lines(result: str, document: str, given: str | None = None) -> list[str]:
    """Return the text of a document of `dedup`, its cluster, and each pair of it with what differs marked.

    `given`: the file or directory that `dedup` was given, when it is no more where the run's facts say.
    Raises UsageError where that holds other files than were read.
    """
    manifest = read_manifest(result, "dedup")
    members = cluster_members(result, manifest, document)
    if not members:  # a dead letter
        return []
    shown = sorted(members, key=lambda row: (row["cluster_rank"], row["doc_id"]))[:MEMBERS_SHOWN]
    texts = _texts(manifest, shown, [given] if given else _given(result), must=given is not None)
    lines = [f"cluster {shown[0]['cluster']}: {shown[0]['cluster_size']} documents"] if len(members) > 1 else []
    lines += [f"  {_fate(row)}" for row in shown] if lines or shown[0]["reason"] else []
    if len(members) > len(shown):
        lines.append(f"  … and {len(members) - len(shown)} more")
    if not texts:
        return [*lines, "the texts are in the files that were read: show them with --records DIR"]
    return [*lines, *_pairs(shown, texts)] if lines else [f"  text: {texts[shown[0]['doc_id']][:_SHOWN]}"]


def _fate(row: Mapping[str, Any]) -> str:
    place = f"{row['doc_id']} ({row['file']}:{row['line']})"
    if not row["reason"]:
        return f"{place}: kept"
    done = ", kept and tagged" if row["kept"] else ""
    score = f", Jaccard {row['score']:.4f} with {row['matched']}" if row["score"] is not None else ""
    return f"{place}: {row['reason']} of {row['survivor']}{score}{done}"


def _pairs(shown: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> Iterator[str]:
    for row in shown:
        matched = row["matched"]
        if matched in texts and row["doc_id"] in texts:
            yield f"{matched} → {row['doc_id']} ([-only in the first-] {{+only in the second+}})"
            yield from marked(texts[matched], texts[row["doc_id"]])
        elif matched.startswith(PREFIX):
            yield f"{matched} is of another corpus"


def _given(result: str) -> list[str]:
    """Return the files and directories that the last run was given, as far as its facts say."""
    path = storage.join(result, RUN_FACTS)
    content = read_json(path, "remove this file") if storage.exists(path) else {}
    given = content.get("given", []) if isinstance(content, dict) else []
    return [one for one in given if isinstance(one, str)] if isinstance(given, list) else []


def _texts(
    manifest: Manifest, rows: Sequence[Mapping[str, Any]], given: Sequence[str], *, must: bool
) -> dict[str, str]:
    """Return the texts of documents by id, none where the files are not there any more, or are others."""
    stated = {item.name: item.fingerprint for item in manifest.inputs}
    config = DedupConfig(**manifest.config)
    found: dict[str, str] = {}
    try:
        paths = foreign_paths(given)
        for name in sorted({row["file"] for row in rows}):
            if name not in paths or (file := foreign_file(paths[name], name)).digest != stated[name]:
                raise UsageError(f"{', '.join(given)}: holds another {name} than was read; give what `dedup` was given")
            own = sorted((row for row in rows if row["file"] == name), key=lambda row: int(row["line"]))
            places = np.array([row["line"] - 1 for row in own], np.int64)
            texts = texts_at(file, field_names(config), places).to_pylist()
            found |= zip((row["doc_id"] for row in own), texts, strict=True)
    except CorpuscleError:
        if must:
            raise
        return {}
    return found
