"""Rows left out: which batch a step trains on, which checkpoints still hold, what a damaged file says."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.errors import CorruptError
from tests.train.checkpoint.test_restart import save
from train.checkpoint.skipped import (
    SkippedRows,
    batch_of,
    batches_of,
    drop_outdated,
    newly_left_out,
    read_skipped,
    skipped_books,
    write_skipped,
)
from train.checkpoint.store import read_checkpoint, read_list, start_list


def skip(*batches: int, step: int = 1) -> SkippedRows:
    return SkippedRows(step=step, loss=None, reason="the loss is nan", back_to=0, batches=batches, rows=(7, 8))


@given(st.sets(st.integers(0, 60)), st.integers(0, 60))
def test_a_step_trains_on_its_batch_of_those_that_are_left(left_out: set[int], step: int) -> None:
    order = [batch for batch in range(200) if batch not in left_out]
    assert batch_of(step, sorted(left_out)) == order[step]
    before = order[step - 1] if step else -1
    assert [*newly_left_out(step, sorted(left_out))] == [*range(before + 1, order[step])]


@example(places=[{0}, {*range(9)}, {10}], step=1, known=2)  # a batch named twice is left out once
@given(st.lists(st.sets(st.integers(0, 40), min_size=1), max_size=4), st.integers(1, 40), st.integers(0, 4))
def test_a_checkpoint_stays_as_long_as_its_rows_are_those_of_its_steps(
    tmp_path_factory: pytest.TempPathFactory, places: list[set[int]], step: int, known: int
) -> None:
    """Whatever was left out when it was saved, and since."""
    output = tmp_path_factory.mktemp("run")
    start_list(str(output))
    skipped = tuple(skip(*sorted(place)) for place in places)
    then, now = batches_of(skipped[:known]), batches_of(skipped)
    save(output, step, skipped_batches=then)
    write_skipped(str(output), skipped)
    rows = [[batch_of(each, left_out) for each in range(step)] for left_out in (sorted({*then}), sorted({*now}))]
    dropped = drop_outdated(str(output))
    assert (dropped == ()) == (rows[0] == rows[1])
    assert [entry.step for entry in read_list(str(output)) or ()] == ([] if dropped else [step])
    assert len([*(output / "checkpoints").glob("step-*")]) == (0 if dropped else 1)
    assert drop_outdated(str(output)) == ()


def test_what_is_written_is_read_and_in_the_books(tmp_path: Path) -> None:
    assert read_skipped(str(tmp_path)) == ()
    assert skipped_books(()) == {}
    skipped = (skip(3, 4, step=5), skip(9, step=8))
    write_skipped(str(tmp_path), skipped)
    assert read_skipped(str(tmp_path)) == skipped
    assert skipped_books(skipped)["skipped"][1] == {"step": 8, "loss": None, "reason": "the loss is nan", "rows": 2}


def test_a_checkpoint_without_rows_left_out_says_nothing_of_them(tmp_path: Path) -> None:
    """So it has the bytes that it had before there was such a field."""
    start_list(str(tmp_path))
    save(tmp_path, 1)
    save(tmp_path, 2, skipped_batches=(0,))
    described = [(tmp_path / f"checkpoints/step-0000000{step}/checkpoint.json").read_text() for step in (1, 2)]
    assert ["skipped_batches" in text for text in described] == [False, True]
    assert read_checkpoint(str(tmp_path), "step-00000001").skipped_batches == ()
    assert read_checkpoint(str(tmp_path), "step-00000002").skipped_batches == (0,)


def test_a_lost_or_damaged_file_is_an_error_not_another_order(tmp_path: Path) -> None:
    start_list(str(tmp_path))
    write_skipped(str(tmp_path), (skip(3),))
    whole = (tmp_path / "skipped.json").read_bytes()
    save(tmp_path, 9, skipped_batches=(3,))
    (tmp_path / "skipped.json").unlink()
    with pytest.raises(CorruptError, match="does not name batch 3, which step-00000009 was trained without; put the"):
        drop_outdated(str(tmp_path))
    (tmp_path / "skipped.json").write_bytes(whole[:-9])
    with pytest.raises(CorruptError, match=r"skipped\.json: not JSON .*; put the file back as it was"):
        drop_outdated(str(tmp_path))
    (tmp_path / "skipped.json").write_bytes(whole)
    assert drop_outdated(str(tmp_path)) == ()
