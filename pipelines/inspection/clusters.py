"""Cluster of duplicates as text: its members, their fates and scores, the texts and where they differ.

The corpus holds the decisions and the texts that were kept; what was dropped is rendered again from the records that
`assemble` read, found beside the corpus by their fingerprint or given.
"""

import os
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import islice
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from corpus.assemble.config import AssembleConfig
from corpus.assemble.decide import Document, decide
from corpus.assemble.full_text_join import rank_table
from corpus.assemble.inputs import pile_texts, stored_parts
from corpus.assemble.updates import VERDICT
from corpus.dedup.survivor_rank import RANK_COLUMNS
from corpus.errors import UsageError
from corpus.records import Record
from corpus.stage.manifest import Manifest, has_manifest, read_manifest
from corpus.storage import parquet
from corpus.storage.schema import from_batch, to_table

MEMBERS_SHOWN: Final = 20
WORDS_AROUND: Final = 8  # equal words that are shown on each side of a difference
WORDS_COMPARED: Final = 20_000


def cluster_lines(corpus: str, document: str, records: str | None = None) -> list[str]:
    """Return the cluster of a document of an assembled corpus, no line when the document is alone.

    Raises UsageError when `records` are not those that the corpus was made from.
    """
    manifest = read_manifest(corpus, "assemble")
    members = cluster_members(corpus, manifest, document)
    if len(members) < 2:
        return []
    place = _records_place(corpus, manifest, records)
    shown = members[:MEMBERS_SHOWN]
    documents = _documents(place, manifest, {row["doc_id"] for row in shown}) if place else {}
    lines = [f"cluster {members[0]['cluster']}: {len(members)} documents"]
    lines += [f"  {_fate(row)}{_why(row, documents)}" for row in shown]
    if len(members) > len(shown):
        lines.append(f"  … and {len(members) - len(shown)} more")
    if not place:
        return [*lines, "the texts of dropped documents are in the records: show them with --records DIR"]
    for row in shown:
        matched = row["matched"] or row["survivor"]
        if row["score"] is not None and row["doc_id"] in documents and matched in documents:
            lines.append(f"{matched} → {row['doc_id']} ([-only in the first-] {{+only in the second+}})")
            lines += marked(documents[matched].text, documents[row["doc_id"]].text)
    return lines


def marked(one: str, other: str) -> Iterator[str]:
    """Yield the lines of two texts as one, what differs marked word by word and long equal stretches cut short."""
    a, b = one.split()[:WORDS_COMPARED], other.split()[:WORDS_COMPARED]
    pieces: list[str] = []
    operations = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    for place, (kind, a_from, a_to, b_from, b_to) in enumerate(operations):
        if kind == "equal":
            pieces += _shortened(a[a_from:a_to], first=place == 0, last=place == len(operations) - 1)
            continue
        if a_to > a_from:
            pieces.append(f"[-{' '.join(a[a_from:a_to])}-]")
        if b_to > b_from:
            pieces.append(f"{{+{' '.join(b[b_from:b_to])}+}}")
    yield f"  {' '.join(pieces) or 'no words'}"


def _shortened(words: list[str], *, first: bool, last: bool) -> list[str]:
    head, tail = (0 if first else WORDS_AROUND), (0 if last else WORDS_AROUND)
    if len(words) <= head + tail + WORDS_AROUND:
        return words
    middle = f"… {len(words) - head - tail} equal words …"
    return [*words[:head], middle, *words[len(words) - tail :]]


def cluster_members(corpus: str, manifest: Manifest, document: str) -> list[dict[str, Any]]:
    """Return the decisions on the documents of a cluster: the kept ones first, then by score."""
    paths = manifest.paths(corpus, "decisions")
    clusters, others = set(), {document}
    for path in paths:
        table = parquet.read_table(path, columns=["doc_id", "cluster", "survivor"])
        own = table.filter(pc.equal(table.column("doc_id"), document))
        clusters.update(own.column("cluster").to_pylist())
        others.update(own.column("survivor").to_pylist())
    rows: list[dict[str, Any]] = []
    for path in paths:
        for batch in parquet.iter_batches(path):
            near = pc.is_in(batch.column("cluster"), pa.array(sorted(clusters)))
            # A citation whose full text is kept resembles nothing, and is in no cluster but its own.
            joined = pc.is_in(batch.column("doc_id"), pa.array(sorted(others - {""})))
            joined = pc.or_(joined, pc.equal(batch.column("survivor"), document))
            rows += batch.filter(pc.or_(near, joined)).to_pylist()
    rows = [row for row in rows if row["kept"] or row["matched"]]
    return sorted(rows, key=lambda row: (not row["kept"], -(row["score"] or 0), row["doc_id"]))


def _fate(row: dict[str, Any]) -> str:
    if row["kept"]:
        return f"{row['doc_id']}: kept in {row['split']}"
    score = f", Jaccard {row['score']:.4f} with {row['matched']}" if row["score"] is not None else ""
    return f"{row['doc_id']}: {row['reason']} of {row['survivor']}{score}"


def _why(row: dict[str, Any], documents: dict[str, Document]) -> str:
    """Return by which rule of the survivor policy the other one stays."""
    pair = [documents.get(row["survivor"]), documents.get(row["doc_id"])]
    if row["kept"] or not all(pair):
        return ""
    joined = np.array([False, row["reason"] == "full_text_kept"])
    ranks = rank_table(to_table(pair, Document), joined)
    decides = np.flatnonzero(ranks[0] != ranks[1])
    return f"; the survivor {RANK_COLUMNS[decides[0]][1]}" if len(decides) else ""


def _records_place(corpus: str, manifest: Manifest, records: str | None) -> str | None:
    """Return the directory of the records that the corpus was made from: the one given, or one beside the corpus."""
    wanted = next(item.fingerprint for item in manifest.inputs if item.name == "extract")
    if records is not None:
        if read_manifest(records, "extract").fingerprint != wanted:
            raise UsageError(f"{records}: {corpus} was made from other records; give the directory it was made from")
        return records
    above = os.path.dirname(os.path.abspath(corpus)) if not storage.is_remote(corpus) else os.path.dirname(corpus)
    for folder in (above, os.path.dirname(above)):
        place = storage.join(folder, "records")
        if has_manifest(place) and read_manifest(place).fingerprint == wanted:
            return place
    return None


def _documents(records: str, manifest: Manifest, ids: set[str]) -> dict[str, Document]:
    """Return documents by id, rendered from their records as `assemble` did; the last record of an id counts."""
    settings = {name: value for name, value in manifest.config.items() if name in AssembleConfig.model_fields}
    config = AssembleConfig(**settings)
    live = np.zeros(1, VERDICT)[0]
    found: dict[str, Document] = {}
    parts = stored_parts(records, read_manifest(records, "extract"), pile=config.profile == "pile")
    wanted = pa.array(sorted(ids))
    for part, path in enumerate(parts.paths):
        table = parquet.read_table(path, columns=["doc_id"])
        if not pc.any(pc.is_in(table.column("doc_id"), wanted)).as_py():
            continue
        for batch in parts.batches(part):
            rows = batch.filter(pc.is_in(batch.column("doc_id"), wanted))
            for record, pile in zip(from_batch(rows, Record), pile_texts(rows), strict=True):
                made = decide(record, 0, live, config, pile)
                if isinstance(made, Document):
                    found[made.doc_id] = made
    return dict(islice(found.items(), MEMBERS_SHOWN))
