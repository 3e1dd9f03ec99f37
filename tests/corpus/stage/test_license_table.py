"""Licence tables: every document, byte and token is counted once, and parts add up to the whole."""

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.assemble.facts import LICENSES, added_up, documents
from corpus.stage.license_table import NOT_STATED, LicenseTable, add_licenses, count_licenses, total_of

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["pubmed", "pmc"]),
        st.sampled_from(["", "CC-BY-4.0", "CC0-1.0", "TDM"]),
        st.integers(0, 1 << 40),
    ),
    max_size=30,
)


def table(rows: list[tuple[str, str, int]]) -> LicenseTable:
    sources, licenses, sizes = (pa.array([row[place] for row in rows], kind) for place, kind in enumerate(KINDS))
    return count_licenses(sources, licenses, text_bytes=sizes)


KINDS = (pa.string(), pa.string(), pa.int64())


@given(ROWS, st.integers(0, 30))
def test_parts_add_up_and_nothing_is_lost(rows: list[tuple[str, str, int]], cut: int) -> None:
    whole = table(rows)
    assert add_licenses([table(rows[:cut]), table(rows[cut:])]) == whole
    wanted = Counter((source, name or NOT_STATED) for source, name, _ in rows)
    found = {(source, name): counts["documents"] for source, names in whole.items() for name, counts in names.items()}
    assert found == dict(wanted)
    assert total_of(whole, "text_bytes") == sum(size for _, _, size in rows)


def test_a_table_that_does_not_cover_a_split_is_left_out() -> None:
    counted = {documents("train"): 2, LICENSES: {"train": table([("pmc", "", 1), ("pmc", "", 2)])}}
    old = {documents("train"): 1}  # of a shard that an older version wrote
    assert LICENSES in added_up([counted])
    assert LICENSES not in added_up([counted, old])
    assert added_up([counted, counted])[LICENSES]["train"]["pmc"][NOT_STATED] == {"documents": 4, "text_bytes": 6}
