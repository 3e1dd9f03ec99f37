"""Comparison of the decisions of `assemble` with what the author of a sample planted, record by record.

In: the decisions of a run and `planted.json`, which says for every record what may become of it. A document
may have several records (revisions, versions, deletions); its decisions and its fates must match one to
one, in some order, because decisions do not say which file a record came from.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from corpus.errors import CorruptError
from corpus.stage.manifest import Manifest
from corpus.storage import parquet
from corpus.storage.json_files import read_json

COLUMNS = ("doc_id", "kind", "kept", "reason", "survivor")
KEPT = "kept"


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Agreement of decisions with what was planted: records by outcome, and a line for each document that differs."""

    num_records: int
    outcomes: Mapping[str, int]
    differences: tuple[str, ...]


def compare_with_planted(corpus: str, manifest: Manifest, planted: str) -> Comparison:
    """Compare all decisions of an assembled corpus with the truth in `planted.json`."""
    content = read_json(planted, "make the sample again")
    fates: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    try:
        for case in content["cases"]:
            for fate in case["fates"]:
                stated = {"outcomes": [*fate["outcomes"]], "survivor": fate["survivor"], "case": case["name"]}
                fates[str(fate["doc_id"]), str(fate["kind"])].append({**fate, **stated})
    except (KeyError, TypeError) as error:
        raise CorruptError(f"{planted}: not the truth of a sample ({error!r}); make the sample again") from error
    decided: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    outcomes: Counter[str] = Counter()
    for path in manifest.paths(corpus, "decisions"):
        for row in parquet.read_table(path, COLUMNS).to_pylist():
            row["outcome"] = KEPT if row["kept"] else row["reason"]
            outcomes[row["outcome"]] += 1
            decided[row["doc_id"], row["kind"]].append(row)
    differences = [
        _difference(key, fates[key], decided[key])
        for key in sorted({*fates, *decided})
        if not _agree(fates[key], decided[key])
    ]
    return Comparison(
        num_records=outcomes.total(), outcomes=dict(sorted(outcomes.items())), differences=tuple(differences)
    )


def _agree(fates: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether the decisions can be put in an order in which each is one that its fate allows."""
    if len(fates) != len(rows):
        return False
    return any(all(map(_allows, fates, order)) for order in permutations(rows))


def _allows(fate: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    if row["outcome"] not in fate["outcomes"]:
        return False
    return fate["survivor"] is None or row["survivor"] == fate["survivor"]


def _difference(key: tuple[str, str], fates: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> str:
    planted = "; ".join(f"{fate['case']}: {' or '.join(fate['outcomes'])}" for fate in fates) or "nothing"
    found = "; ".join(f"{row['outcome']} {row['survivor'] or ''}".strip() for row in rows) or "nothing"
    return f"{key[0]} ({key[1]}): planted {planted}; decided {found}"
