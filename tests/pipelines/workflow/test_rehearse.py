"""A rehearsal runs the real steps on made-up records, says what each cost, and leaves nothing but its report."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from apache_beam.runners.portability.fn_api_runner import execution

from corpus.errors import UsageError
from pipelines.beam.exchange import SHUFFLED
from pipelines.beam.metering import DROPPED, KEPT, READ
from pipelines.workflow.rehearsal_report import MAKING
from pipelines.workflow.rehearse import rehearse


def test_a_small_rehearsal(tmp_path: Path) -> None:
    found = rehearse(6000, output=str(tmp_path), articles=60)
    assert os.listdir(tmp_path) == ["rehearsal.json"]
    facts = json.loads((tmp_path / "rehearsal.json").read_bytes())
    assert (found.documents, found.articles, found.records) == (6000, 60, 6000 + 594)
    assert found.kept + sum(found.dropped.values()) == found.records
    assert {"full_text_kept", "no_text", "superseded", "near_duplicate"} <= set(found.dropped)
    for step in ("MakeDocuments, citations", "MakeDocuments, articles", "FindCandidates", "WriteShard", MAKING):
        assert found.seconds[step] > 0, step
    assert found.counts["bucket rows"] > 17 * found.kept
    assert found.counts[SHUFFLED] > 16 * found.counts["bucket rows"]
    assert found.peak_bytes > 100e6
    assert 0 < found.counts["bytes of the largest block"] < 64e6
    here, full = found.graph_bytes
    assert 20e3 < here < full < 10e6, "Dataflow takes ten megabytes"
    assert "largest element" in found.text()
    assert facts["core_hours"] == pytest.approx(found.core_hours())
    assert "40 M + 8 M" in found.text()
    assert "vCPU-hour" not in found.text()
    cost = f"{found.core_hours():,.2f} vCPU-hours of assemble for all of PubMed and PMC; at 0.5 a vCPU-hour "
    assert cost + f"{found.core_hours() / 2:,.2f}" in found.text(price=0.5)
    books = {name: count for name, count in found.counts.items() if name.startswith(DROPPED)}
    assert {name.removeprefix(DROPPED): count for name, count in books.items()} == dict(found.dropped)
    assert (found.counts[READ], found.counts[KEPT]) == (found.records, found.kept)
    again = rehearse(6000, output=str(tmp_path), articles=60)
    assert (again.kept, again.dropped, again.counts) == (found.kept, found.dropped, found.counts)


@pytest.mark.parametrize(("documents", "articles"), [(10, 0), (2000, 2000), (2000, -1)])
def test_numbers_that_cannot_be(tmp_path: Path, documents: int, articles: int) -> None:
    with pytest.raises(UsageError, match="at least 1,000"):
        rehearse(documents, output=str(tmp_path), articles=articles)


def test_only_references_pass_through_beam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all that is shuffled next to nothing lies in the runner's own buffers; a Flatten once kept all of it."""
    held: list[int] = []
    for buffer in (execution.ListBuffer, execution.GroupingBuffer):
        append = buffer.append

        def counted(self: object, element: bytes, append: Callable[..., None] = append) -> None:
            held.append(len(element))
            append(self, element)

        monkeypatch.setattr(buffer, "append", counted)
    found = rehearse(20_000, output=str(tmp_path), articles=100)
    assert found.counts[SHUFFLED] > 5e6
    assert sum(held) < 0.02 * found.counts[SHUFFLED], (sum(held), max(held), len(held))
