"""A part that is deleted or cut is made again by the same command, with and without `--update`, byte for byte."""

from pathlib import Path

import pytest

from corpus.extract import task
from tests.pipelines.assemble.test_determinism import hashes
from tests.pipelines.assemble.test_update import road, write_files


@pytest.mark.parametrize("update", [False, True])
def test_what_is_deleted_or_cut_is_made_again(
    tmp_path: Path, update: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path / "raw")
    work = tmp_path / "work"
    road(tmp_path / "raw", [1, 2, 3], work, update=update)
    expected = hashes(work)
    read: list[str] = []
    real = task.read_pubmed_xml
    monkeypatch.setattr(task, "read_pubmed_xml", lambda path: read.append(path[-8]) or real(path))
    (gone,) = (work / "records").rglob("*0002*.parquet")
    shard = next((work / "corpus" / "train").iterdir())
    gone.unlink()
    shard.write_bytes(shard.read_bytes()[:-9])
    (work / "corpus" / "README.md").write_text("mine")
    capsys.readouterr()
    road(tmp_path / "raw", [1, 2, 3], work, update=update)
    assert {name: digest for name, digest in hashes(work).items() if "README" not in name} == expected
    assert (work / "corpus" / "README.md").read_text() == "mine"
    assert read == ["2"]  # the others are as they were
    said = capsys.readouterr().err
    assert f"{gone}: missing: what is missing is made again" in said
    assert f"{shard}: {shard.stat().st_size - 9} bytes, the manifest says" in said


def test_without_its_receipts_all_of_an_extraction_is_made_again(tmp_path: Path) -> None:
    write_files(tmp_path / "raw")
    work = tmp_path / "work"
    road(tmp_path / "raw", [1, 2], work)
    expected = hashes(work)
    receipts = work / "records" / task.RECEIPTS_FILE
    receipts.write_bytes(receipts.read_bytes()[:-9])
    road(tmp_path / "raw", [1, 2], work)
    assert hashes(work) == expected
