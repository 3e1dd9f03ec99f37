"""Both readers on the conformance suite: each small file gives the records that were written down for it."""

import pytest

from tests.conformance_cases import COLLECTIONS, Case, cases, differences, read

# Constructs that the readers do not read as expected yet, and what they do instead. Strict: a fix must remove its line.
KNOWN: dict[str, str] = {
    "jats/caption-note-mark": "the mark of a table's note stays in its caption: postpartum¹",
    "jats/citations-before-word": "a number that touches only the word behind it stays: 1Rates",
    "jats/citations-beside-panel": "the name of a panel goes with the reference beside it: (1A, [5])",
    "jats/compound-keywords": "the parts of a compound keyword are glued: G1heart",
    "jats/mathml-fixed-space": "an mtext of one fixed space is dropped: whereσ_B",
    "jats/mathml-letters-of-a-word": "letters of a word in MathML are set in pairs: E_(pr ot ei n)",
    "jats/mixed-citation-in-text": "the parts of a citation without punctuation are glued: Nat. Methods16",
    "jats/names-in-related-object": "surname and given names are glued: HirstJ",
    "jats/table-citations": "a reference's number in a cell is glued to the word before it: Roe4",
}


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
