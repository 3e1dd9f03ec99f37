"""`inspect` and `doctor`: what they show of files whose content is known."""

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from corpus.errors import CorruptError, UsageError
from corpus.records import AbstractPart, Kind, Record, Reject, Source
from corpus.stage.manifest import Books, Input
from corpus.stage.workspace import Receipt, plan_stage
from corpus.storage import parquet
from corpus.storage.schema import to_table
from pipelines.inspection import doctor
from pipelines.inspection.stages import inspect_path
from tokenizer.hf_json import tokenizer_json
from tokenizer.megatron import write_shard


def record(pmid: int, title: str, text: str = "") -> Record:
    return Record(
        doc_id=f"pmid:{pmid}",
        source=Source.PUBMED,
        kind=Kind.CITATION,
        pmid=pmid,
        title=title,
        abstracts=(AbstractPart(text=text, label="METHODS"),) if text else (),
        year=1980,
    )


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Commit an extract stage of five records and one reject."""
    folder = tmp_path / "records"
    workspace, _ = plan_stage(
        str(folder),
        stage="extract",
        revision=1,
        config={"articles_per_part": 500},
        inputs=[Input(name="a.xml.gz", fingerprint="9")],
    )
    rows = [record(number, f"Title {number}", "x" * 1000 if number == 0 else "") for number in range(5)]
    parquet.write_table(workspace.path("records/a.parquet"), to_table(rows, Record))
    reject = Reject(
        file="a.xml.gz",
        offset=77,
        doc_id="pmid:9",
        reason="bad_xml",
        detail="mismatched tag",
        sha256="0",
        raw=b"<PMID>9\xff",
    )
    parquet.write_table(workspace.path("rejects/a.parquet"), to_table([reject], Reject))
    parts = (
        workspace.measure("records/a.parquet", role="records", rows=5),
        workspace.measure("rejects/a.parquet", role="rejects", rows=1),
    )
    books = Books(read=6, kept=5, dropped={"bad_xml": 1})
    workspace.commit([workspace.finish(Receipt(task="a", parts=parts, books=books))], summary={"citations": 5})
    workspace.clean()
    return folder


def test_a_stage_shows_its_manifest(records: Path) -> None:
    shown = inspect_path(str(records))
    assert "`extract`" in shown
    assert "articles_per_part: 500" in shown
    assert "books: 6 read = 5 kept + 1 dropped (bad_xml 1)" in shown
    assert "citations: 5" in shown
    assert "records: 1 files, 5 rows" in shown


def test_a_directory_above_shows_its_stages(records: Path) -> None:
    assert inspect_path(str(records.parent)) == "extract    records: 6 read = 5 kept + 1 dropped (bad_xml 1)"


def test_a_part_shows_columns_and_first_rows(records: Path) -> None:
    shown = inspect_path(str(records / "records" / "a.parquet"))
    assert ": 5 rows, " in shown
    assert "  title: string" in shown
    assert "title: Title 2" in shown
    assert "title: Title 3" not in shown
    assert "x… (1,0" in shown
    assert "x" * 1000 not in shown


def test_one_document_is_shown_whole(records: Path) -> None:
    shown = inspect_path(str(records), "pmid:0")
    assert "x" * 1000 in shown
    assert "Title 1" not in shown
    assert "label: METHODS" in shown
    with pytest.raises(UsageError, match=r"no row about 'pmid:77'"):
        inspect_path(str(records), "pmid:77")


def test_a_reject_shows_reason_offset_and_raw_bytes(records: Path) -> None:
    folder = records / "rejects"  # what the error of an uncommitted stage tells the user to look at
    for shown in (
        inspect_path(str(folder)),
        inspect_path(str(folder / "a.parquet")),
        inspect_path(str(records), "pmid:9"),
    ):
        assert "reason: bad_xml" in shown
        assert "offset: 77" in shown
        assert "raw: <PMID>9\\xff" in shown


def test_a_damaged_part_is_an_error(records: Path) -> None:
    path = records / "records" / "a.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorruptError, match=r"a\.parquet"):
        inspect_path(str(path))


def test_a_token_shard(tmp_path: Path) -> None:
    lengths = np.array([3, 20], np.int64)
    write_shard(str(tmp_path / "train-00000"), [(np.arange(23, dtype=np.uint16), lengths)], eot=300)
    for name in ("train-00000.idx", "train-00000.bin"):
        lines = inspect_path(str(tmp_path / name)).splitlines()
        assert lines[0].endswith("train-00000.idx: 2 documents, 25 tokens (each document's end included)")
        assert lines[2] == "document 0: 4 tokens: 0 1 2 300"
        assert lines[3] == "document 1: 21 tokens: 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 …"


def test_a_tokenizer(tmp_path: Path) -> None:
    merges = [(b"E", b"C"), (b"EC", b"G")]
    (tmp_path / "tokenizer.json").write_text(tokenizer_json(merges))
    lines = inspect_path(str(tmp_path / "tokenizer.json")).splitlines()
    assert "259 entries" in lines[0]
    assert len(lines) == 11
    split = next(line.split() for line in lines if line.strip().startswith("ECG"))
    assert split[:2] == ["ECG", "ECG"]


class Trap:
    """An object whose pickle runs code."""

    def __reduce__(self) -> tuple[object, Sequence[object]]:
        return Path.touch, (Path("sprung"),)


def test_a_checkpoint_is_described_and_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoint.json").write_text(json.dumps({"step": 40, "tokens": 81920}))
    (tmp_path / "model_states.pt").write_bytes(pickle.dumps(Trap()))
    assert '"step": 40' in inspect_path(str(tmp_path))
    with pytest.raises(UsageError, match=r"expected a stage's directory"):
        inspect_path(str(tmp_path / "model_states.pt"))
    assert not (tmp_path / "sprung").exists()


def test_a_directory_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no finished stage and no Parquet"):
        inspect_path(str(tmp_path))


def test_doctor_finds_this_machine_fit() -> None:
    findings = doctor.examine()
    assert {finding.subject for finding in findings} >= {"python", "packages", "lxml", "cores", "memory", "disk"}
    assert [finding.line() for finding in findings if finding.level == "fail"] == []
    assert all(finding.advice for finding in findings if finding.level != "ok")


def test_doctor_finds_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "5.4.0" if name == "lxml" else real(name))
    found = {finding.subject: finding for finding in doctor.examine()}
    assert found["packages"].level == "fail"
    assert "lxml 5.4.0 is not >=6.1" in found["packages"].found


def test_doctor_says_where_compiled_code_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> tuple[str, str]:
        (finding,) = (finding for finding in doctor.examine() if finding.subject == "compiled")
        return finding.level, finding.found

    monkeypatch.delenv(doctor.FOLDER, raising=False)
    monkeypatch.setattr(doctor.LOCK, "folder", tmp_path)
    assert found() == ("ok", f"kept in {tmp_path}, where nothing is yet")
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "kernel.nbi").touch()
    assert found() == ("ok", f"kept in {tmp_path}")
    monkeypatch.setenv(doctor.FOLDER, "/elsewhere")
    assert found() == ("warn", f"{doctor.FOLDER}=/elsewhere cannot be written; kept in {tmp_path}")
    monkeypatch.setattr(doctor.LOCK, "folder", None)
    assert found()[0] == "warn"


def test_doctor_names_the_extra_that_export_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "gguf":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    found = {finding.subject: finding for finding in doctor.examine()}
    assert found["training"].level == "ok"
    assert (
        found["export"].line().startswith("warn  export       gguf is missing; needed for GGUF and CTranslate2 alone")
    )
    assert "pip install -e '.[train,export]'" in found["export"].advice


def test_doctor_runs_without_beam_and_torch() -> None:
    program = "import sys; from pipelines.inspection.doctor import examine; examine(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"apache_beam", "torch", "deepspeed"} & set(done.stdout.split())
