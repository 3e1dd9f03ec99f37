"""The PubMed reader on all real citations: every title and abstract equals the oracle's."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.pubmed_oracle import compare_file, files

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


def test_every_title_and_abstract_equals_the_oracles(real_data: Path) -> None:
    counts: Counter[str] = Counter()
    wrong = []
    for path in files(real_data):
        for citation, faults in compare_file(path):
            counts.update(["all", *citation.kinds()])
            wrong += [f"{path.name} {citation.pmid}: {fault}" for fault in faults]
    assert wrong == []
    assert counts["all"] == 31_201
    # The kinds that the comparison is about are there: it does not pass for want of them.
    for kind in (
        "a vernacular title",
        "a translated title",
        "labelled parts",
        "raised or lowered text",
        "MathML",
    ):
        assert counts[f"with {kind}"] > 0, kind
