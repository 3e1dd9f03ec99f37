"""Both readers on the conformance suite: each small file gives the records that were written down for it."""

import pytest

from tests.support.conformance_cases import COLLECTIONS, Case, cases, differences, read

# Constructs that the readers do not read as expected yet, and what they do instead. Strict: a fix must remove its line.
KNOWN: dict[str, str] = {}


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_a_file_gives_the_records_written_down_for_it(case: Case, request: pytest.FixtureRequest) -> None:
    if case.id in KNOWN:
        request.applymarker(pytest.mark.xfail(reason=KNOWN[case.id], strict=True))
    assert not differences(case, read(case))


def test_the_suite_is_whole() -> None:
    found = cases()
    counts = {collection: sum(case.collection == collection for case in found) for collection in COLLECTIONS}
    assert counts["pubmed"] >= 35
    assert counts["jats"] >= 50
    assert all(case.construct and case.group and case.records for case in found)
    assert len({case.construct for case in found}) == len(found), "two files of one construct"
    assert set(KNOWN) <= {case.id for case in found}
