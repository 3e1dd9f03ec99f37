"""Licence table of a stage: documents, bytes and tokens by source and licence, exact, for its manifest.

Columns of documents come in, batch by batch; counts by source and licence go out, and counts of parts add up to those
of the whole. A licence that no one states is counted under `NOT_STATED`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

LicenseTable = dict[str, dict[str, dict[str, int]]]  # source → licence → documents, text_bytes, tokens → how many
NOT_STATED: Final = "none stated"


def count_licenses(
    sources: pa.Array | pa.ChunkedArray, licenses: pa.Array | pa.ChunkedArray, **numbers: pa.Array | pa.ChunkedArray
) -> LicenseTable:
    """Return the documents of each source and licence, and the sums of what is counted of each document."""
    named = pc.if_else(pc.equal(pc.fill_null(licenses, ""), ""), NOT_STATED, licenses)
    rows = pa.table({"source": sources, "license": named, **numbers})
    wanted: list[tuple[object, str]] = [([], "count_all"), *((name, "sum") for name in numbers)]
    found: LicenseTable = {}
    for row in rows.group_by(["source", "license"]).aggregate(wanted).to_pylist():
        counts = {"documents": row["count_all"]} | {name: int(row[f"{name}_sum"] or 0) for name in numbers}
        found.setdefault(row["source"], {})[row["license"]] = counts
    return _sorted(found)


def add_licenses(tables: Iterable[Mapping[str, Mapping[str, Mapping[str, int]]]]) -> LicenseTable:
    """Return the sum of some tables."""
    total: LicenseTable = {}
    for table in tables:
        for source, licenses in table.items():
            for license_name, counts in licenses.items():
                own = total.setdefault(source, {}).setdefault(license_name, {})
                for name, number in counts.items():
                    own[name] = own.get(name, 0) + number
    return _sorted(total)


def total_of(table: Mapping[str, Mapping[str, Mapping[str, int]]], name: str) -> int:
    """Return the sum of one number over all sources and licences."""
    return sum(counts.get(name, 0) for licenses in table.values() for counts in licenses.values())


def _sorted(table: LicenseTable) -> LicenseTable:
    return {source: dict(sorted(licenses.items())) for source, licenses in sorted(table.items())}
