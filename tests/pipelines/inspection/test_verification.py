"""`verify`: what is whole passes, and every single change to a byte, name or link is found."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.errors import UsageError
from corpus.stage.manifest import Books, Input, Manifest, fingerprint
from corpus.stage.workspace import Receipt, plan_stage
from pipelines.cli.app import main
from pipelines.inspection.verification import verify_directory
from train.checkpoint import store

CONTENT = bytes(range(256)) * 3
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def stage(folder: Path, name: str, inputs: tuple[Input, ...] = (), parts: int = 2, **summary: int) -> Manifest:
    """Commit a small stage the way the stages do."""
    workspace, _ = plan_stage(str(folder), stage=name, revision=1, config={"seed": 0}, inputs=inputs)
    receipts = []
    for number in range(parts):
        path = folder / "data" / f"part-{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT + bytes([number]))
        part = workspace.measure(f"data/part-{number}.bin", role="data", rows=3)
        books = Books(read=4, kept=3, dropped={"too_short": 1})
        receipts.append(workspace.finish(Receipt(task=f"t{number}", parts=(part,), books=books)))
    manifest = workspace.commit(receipts, summary=summary)
    workspace.clean()
    return manifest


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Make a directory with two linked stages."""
    first = stage(tmp_path / "records", "extract", (Input(name="a.xml", fingerprint="00"),))
    stage(tmp_path / "corpus" / "clean", "assemble", (Input(name="extract", fingerprint=first.fingerprint),))
    return tmp_path


def test_what_is_whole_passes(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(work)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [["ok", "extract", "records:"], ["ok", "assemble", "corpus/clean:"]]
    assert "8 read = 6 kept + 2 dropped (too_short 2)" in lines[0]


def test_one_stage_alone(work: Path) -> None:
    findings = verify_directory(str(work / "records"))
    assert (findings.num_stages, findings.num_wrong) == (1, 0)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=40, deadline=None, suppress_health_check=SHARED)
@pytest.mark.parametrize("name", ["records/data/part-0.bin", "records/manifest.json"])
def test_any_flipped_bit_is_found(work: Path, name: str, place: float, bit: int) -> None:
    path = work / name
    whole = path.read_bytes()
    index = int(place * len(whole))
    changed = bytearray(whole)
    changed[index] ^= 1 << bit
    try:
        path.write_bytes(changed)
        # Space between the values of the JSON is no content: changing it changes nothing that is read.
        blank = name.endswith(".json") and _same_json(whole, bytes(changed))
        assert verify_directory(str(work)).num_wrong == 0 if blank else verify_directory(str(work)).num_wrong > 0
    finally:
        path.write_bytes(whole)


def _same_json(one: bytes, other: bytes) -> bool:
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


def test_missing_and_cut_parts(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "records" / "data" / "part-0.bin").unlink()
    (work / "corpus" / "clean" / "data" / "part-1.bin").write_bytes(CONTENT[:-1])
    assert main(["verify", str(work)]) == 4
    shown = capsys.readouterr()
    assert "part-0.bin: missing" in shown.out
    assert f"part-1.bin: {len(CONTENT) - 1} bytes, the manifest says {len(CONTENT) + 1}" in shown.out
    assert "2 wrong in 2 stages" in shown.err


def test_books_that_do_not_balance(work: Path) -> None:
    path = work / "records" / "manifest.json"
    content = json.loads(path.read_text())
    content["books"]["kept"] += 1
    del content["sha256"]
    import hashlib

    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    path.write_text(json.dumps({**content, "sha256": hashlib.sha256(canonical).hexdigest()}))
    findings = verify_directory(str(work))
    assert findings.num_wrong == 1
    assert any("do not balance" in line for line in findings.lines)


def test_a_stage_made_from_something_else(work: Path) -> None:
    other = fingerprint("extract", {"seed": 1}, (), revision=1)
    stage(work / "tokens", "pack", (Input(name="assemble", fingerprint=other),))
    findings = verify_directory(str(work))
    assert findings.num_wrong == 1
    assert any("tokens: `pack` was made from another `assemble` than corpus/clean" in line for line in findings.lines)


def checkpoint(run: Path, step: int, *, keep: int = 9, tokens: int = 7) -> Input:
    """Publish a checkpoint of a run and return it as the input of an export."""
    if store.read_list(str(run)) is None:
        store.start_list(str(run))
    Path(store.make_temporary(str(run), step, 1), "weights").write_bytes(bytes([step]))
    described = store.Checkpoint(
        step=step, tokens=tokens, ranks=1, zero_stage=1, tokens_fingerprint="f", recipe={}, files={}
    )
    store.publish(str(run), described, keep=keep)
    return Input(name="checkpoint", fingerprint=(store.read_list(str(run)) or ())[-1].sha256)


def test_an_export_is_held_against_its_checkpoint_when_its_run_went_on(work: Path) -> None:
    run = work / "runs" / "a"
    first = checkpoint(run, 2)
    trained = stage(run, "train")
    inputs = (first, Input(name="train", fingerprint=trained.fingerprint))
    stage(work / "models" / "a", "export", inputs, step=2)
    assert verify_directory(str(work)).num_wrong == 0
    assert not [line for line in verify_directory(str(work)).lines if line.startswith("note")]
    (run / "manifest.json").unlink()
    checkpoint(run, 4)
    stage(run, "train", (Input(name="more", fingerprint="1"),))
    checkpoint(work / "runs" / "b", 2, tokens=8)  # whatever another run has
    found = verify_directory(str(work))
    older = "note    models/a: made of step 2, older than the newest of runs/a, step 4"
    assert (found.num_wrong, [line for line in found.lines if line.startswith("note")]) == (1, [older])
    assert "WRONG   runs/b: interrupted; run the same command again to finish it" in found.lines
    checkpoint(run, 6, keep=1)
    gone = "note    models/a: made of a checkpoint of step 2, which runs/a, runs/b keeps no more"
    assert gone in verify_directory(str(work)).lines


def test_an_export_of_no_run_here_is_wrong(work: Path) -> None:
    checkpoint(work / "run", 4)
    stage(work / "run", "train")
    same = checkpoint(work.parent / "same", 4)  # the very same bytes
    for name, made_of, step in (
        ("same", same, 4),
        ("other", Input(name="checkpoint", fingerprint="0"), 4),
        ("b", same, 8),
    ):
        stage(work / name, "export", (made_of,), step=step)
    stage(work / "later", "export", (Input(name="checkpoint", fingerprint="1"),), step=8)
    found = verify_directory(str(work))
    wrong = [
        f"WRONG   {name}: made of another checkpoint of step {step} than run has or had"
        for name, step in (("later", 8), ("other", 4))
    ]
    assert [line for line in found.lines if line.startswith(("WRONG", "note"))] == wrong


def test_several_corpora_side_by_side(work: Path) -> None:
    first = stage(work / "other" / "records", "extract", (Input(name="b.xml", fingerprint="11"),))
    stage(work / "other" / "corpus", "assemble", (Input(name="extract", fingerprint=first.fingerprint),))
    assert verify_directory(str(work)).num_wrong == 0


def test_an_interrupted_stage_is_named(work: Path) -> None:
    workspace, _ = plan_stage(str(work / "tokens"), stage="pack", revision=1, config={}, inputs=())
    workspace.finish(Receipt(task="t", parts=()))
    findings = verify_directory(str(work))
    assert findings.num_wrong == 1
    assert "WRONG   tokens: interrupted; run the same command again to finish it" in findings.lines


def test_orphans_are_listed_and_harmless(work: Path) -> None:
    for number in range(12):
        (work / "records" / "data" / f"part-{number + 7}.bin").write_bytes(b"x")
    (work / "beside.txt").write_text("in no stage's directory")
    findings = verify_directory(str(work))
    assert findings.num_wrong == 0
    orphans = [line for line in findings.lines if line.startswith("orphan")]
    assert len(orphans) == 11
    assert orphans[-1] == "orphan  … and 2 more"


def test_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing to verify"):
        verify_directory(str(tmp_path))
