"""`export` as a stage: what is committed, resumed, refused; the card and the manifests it is written from."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from safetensors import safe_open

from corpus.errors import CorruptError, UsageError
from corpus.stage.manifest import Books, Input, Manifest, Part, fingerprint, read_manifest, verify_parts, write_manifest
from corpus.storage import parquet
from corpus.storage.files import sha256_file
from pipelines.cli.app import main
from pipelines.inspection.verification import verify_directory
from tests.support.house import REPOSITORY
from tests.support.small_run import SHAPE, loud_model, write_run
from train.checkpoint import store
from train.export import stage
from train.export.config import FORMATS, TRIED, ExportConfig
from train.export.lineage import find_lineage, find_tokens
from train.export.stage import export


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs/mine", loud_model(), tokens=str(tmp_path / "tokens/clean"))


def test_an_export_is_committed_and_repeatable(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(run), "--format", "folded", "--format", "gguf-q8_0", "--format", "ct2-int8"]
    assert main([*words, "--output", str(tmp_path / "one")]) == 0
    assert "of step 7 as folded" in capsys.readouterr().out
    manifest = read_manifest(str(tmp_path / "one"), "export")
    assert list(verify_parts(str(tmp_path / "one"), manifest)) == []
    assert verify_directory(str(tmp_path / "one")).num_wrong == 0
    assert manifest.summary["parameters"] == SHAPE.num_parameters
    assert {part.role for part in manifest.parts} == {"folded", "gguf-q8_0", "ct2-int8", "card"}
    assert main([*words, "--output", str(tmp_path / "two")]) == 0
    assert read_manifest(str(tmp_path / "two")) == manifest  # byte for byte the same files
    assert main([*words, "--output", str(tmp_path / "one")]) == 0
    assert "up to date" in capsys.readouterr().err
    assert main(["export", str(run), "--output", str(tmp_path / "one")]) == 2
    assert "formats: ['folded', 'gguf-q8_0', 'ct2-int8'] there" in capsys.readouterr().err


def test_an_export_of_another_revision_is_refused(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(ExportConfig(), run=str(run), output=str(tmp_path / "out"))
    monkeypatch.setattr(stage, "REVISION", 99)
    with pytest.raises(UsageError, match=r"code: revision \d+ there, now 99"):
        export(ExportConfig(), run=str(run), output=str(tmp_path / "out"))


def test_a_killed_export_reuses_what_it_finished(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, output = ExportConfig(formats=("folded", "ct2-float32")), str(tmp_path / "out")
    write, done = stage._write_format, []

    def die_at_the_second(kind: Any, *rest: Any, **named: Any) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(kind)
        write(kind, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "_write_format", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            export(config, run=str(run), output=output)
    assert not (tmp_path / "out/manifest.json").exists()
    before = (tmp_path / "out/folded/model.safetensors").stat().st_mtime_ns
    resumed = export(config, run=str(run), output=output)
    assert (tmp_path / "out/folded/model.safetensors").stat().st_mtime_ns == before
    assert resumed == export(config, run=str(run), output=str(tmp_path / "whole"))


def test_a_damaged_checkpoint_is_passed_over(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = store.newest_good(str(run), print)
    temporary = Path(store.make_temporary(str(run), 9, 1))
    (temporary / "model.safetensors").write_bytes(b"soon damaged")
    fields = {name: getattr(first, name) for name in first.__dataclass_fields__}
    store.publish(str(run), store.Checkpoint(**{**fields, "step": 9, "files": {}}), keep=3)
    (run / "checkpoints/step-00000009/model.safetensors").write_bytes(b"soon damageD")
    assert export(ExportConfig(), run=str(run), output=str(tmp_path / "out")).summary["step"] == 7
    assert "step-00000009 is damaged" in capsys.readouterr().err
    (run / "checkpoints/step-00000007/model.safetensors").unlink()
    with pytest.raises(CorruptError, match="all 2 checkpoints are damaged"):
        export(ExportConfig(), run=str(run), output=str(tmp_path / "other"))


def test_what_cannot_be_exported_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = str(tmp_path / "out")
    assert main(["export", str(tmp_path), "--output", output]) == 2
    assert "no checkpoints/latest.json" in capsys.readouterr().err
    assert main(["export", str(run), "--output", output, "--format", "onnx"]) == 2
    assert "input should be 'folded', 'faithful'" in capsys.readouterr().err
    other = re.sub(r'"id":\s*388', '"id": 399', (run / "tokenizer.json").read_text())
    (run / "tokenizer.json").write_text(other)
    with pytest.raises(CorruptError, match=r"400 entries, the checkpoint's vocabulary has 389"):
        export(ExportConfig(), run=str(run), output=output)
    (run / "tokenizer.json").unlink()
    with pytest.raises(CorruptError, match=r"tokenizer\.json: missing; copy it"):
        export(ExportConfig(), run=str(run), output=output)


def test_numbers_may_be_shorter(run: Path, tmp_path: Path) -> None:
    export(ExportConfig(dtype="bfloat16"), run=str(run), output=str(tmp_path / "out"))
    with safe_open(str(tmp_path / "out/folded/model.safetensors"), "pt") as tensors:
        assert {str(tensors.get_tensor(name).dtype) for name in tensors.keys()} == {"torch.bfloat16"}  # noqa: SIM118
    assert json.loads((tmp_path / "out/folded/config.json").read_text())["torch_dtype"] == "bfloat16"


def commit(folder: Path, name: str, inputs: dict[str, str], summary: dict[str, Any], config: dict[str, Any]) -> str:
    """A finished stage as its manifest alone; returns its fingerprint."""
    named = tuple(Input(name=key, fingerprint=value) for key, value in inputs.items())
    parts = tuple(
        Part(path=path.name, role="train", rows=3, bytes=path.stat().st_size, sha256=sha256_file(str(path)))
        for path in sorted(folder.glob("*.parquet"))
    )
    print_ = fingerprint(name, config, named, revision=1)
    write_manifest(
        str(folder),
        Manifest(
            stage=name,
            revision=1,
            fingerprint=print_,
            config=config,
            inputs=named,
            parts=parts,
            books=Books(),
            summary=summary,
        ),
    )
    return print_


def a_road(work: Path) -> str:
    """The stages before a run, as far as a card needs them; returns the fingerprint of the tokens."""
    (work / "corpus/clean").mkdir(parents=True)
    rows = {"source": ["pmc", "pmc", "pubmed"], "license": ["CC-BY-4.0", "CC0-1.0", ""], "text": ["a", "b", "c"]}
    parquet.write_table(str(work / "corpus/clean/part-0.parquet"), pa.table(rows))
    corpus = commit(work / "corpus/clean", "assemble", {}, {}, {"profile": "clean", "license": "open"})
    learned = commit(work / "tokenizer", "tokenizer", {"assemble": corpus}, {"vocab_size": 389}, {})
    ledger = {"documents": 3, "tokens": 41_234, "rows": 1, "tail": 0}
    by_source = {"documents_by_source": {"pmc": 2, "pubmed": 1}, "tokens_by_source": {"pmc": 40_000, "pubmed": 1_234}}
    summary = {"splits": {"train": ledger | by_source}, "seq_length": 32, "vocab_size": 389}
    return commit(work / "tokens/clean", "pack", {"assemble": corpus, "tokenizer": learned}, summary, {})


def numbers(text: str) -> set[str]:
    return {found.replace(",", "") for found in re.findall(r"(?<![\w.-])\d[\d,]*(?:\.\d+)?(?![\w-])", text)}


def test_the_card_says_what_the_manifests_say(tmp_path: Path) -> None:
    tokens = a_road(tmp_path)
    run = write_run(tmp_path / "runs/mine", loud_model(), tokens=str(tmp_path / "tokens/clean"), fingerprint=tokens)
    losses = {
        "first_loss": 6.25,
        "last_loss": 2.5,
        "validation_loss": 2.75,
        "unigram_entropy": 5.5,
        "validation_bits_per_byte_pmc": 1.125,
    }
    commit(run, "train", {"pack": tokens}, {"steps": 7, **losses}, {})
    manifest = export(ExportConfig(name="mine"), run=str(run), output=str(tmp_path / "models/mine"))
    card = (tmp_path / "models/mine/README.md").read_text(encoding="utf-8")
    for line in (
        "| train | pmc | 2 | 40,000 |",
        "| train | pubmed | 1 | 1,234 |",
        "| pmc | CC-BY-4.0 | 1 |",
        "| pubmed | none stated | 1 |",
        "Rules of the corpus: license open, profile clean.",
        "| validation loss | 2.7500 |",
        "| validation bits per byte pmc | 1.1250 |",
        "trained for 7 steps on 896 tokens",
        f"| `folded` | `folded` | {manifest.summary['format_bytes']['folded']:,} |",
    ):
        assert line in card, line
    assert (tmp_path / "models/mine/folded/README.md").read_text(encoding="utf-8") == card
    stages = find_lineage(str(run), store.newest_good(str(run), print)).manifests
    assert {item.name for item in manifest.inputs} == {"checkpoint", *stages}
    assert {*stages} == {"train", "pack", "tokenizer", "assemble"}
    source = json.dumps([manifest.summary, *(dict(found.summary) for found in stages.values())])
    source += (run / "checkpoints/step-00000007/checkpoint.json").read_text()
    known = {float(number) for number in numbers(source)} | {1.0, 2.0, 3.0}  # documents by licence are counted
    written = re.sub(r"`[^`]*`|GPT-2|March 2026|l \+ 1|\w{64}|CC-?\w*-[\d.]+", "", card)
    assert {number for number in numbers(written) if float(number) not in known} == set()
    assert verify_directory(str(tmp_path / "models")).num_wrong == 0


def test_what_is_not_at_hand_is_said(run: Path, tmp_path: Path) -> None:
    export(ExportConfig(), run=str(run), output=str(tmp_path / "out"))
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert "no final loss is known" in card
    assert "manifest of the tokens was not at hand" in card
    assert "pack (not at hand) | " + "0" * 64 in card


def test_a_moved_working_directory_is_found_by_its_fingerprints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work, moved = tmp_path / "work", tmp_path / "elsewhere/copied/renamed"
    tokens = a_road(work)
    run = write_run(work / "runs/mine", loud_model(), tokens=str(work / "tokens/clean"), fingerprint=tokens)
    commit(run, "train", {"pack": tokens}, {"steps": 7, "last_loss": 2.5}, {})
    before = export(ExportConfig(), run=str(run), output=str(tmp_path / "before"))
    moved.parent.mkdir(parents=True)
    work.rename(moved)
    assert export(ExportConfig(), run=str(moved / "runs/mine"), output=str(tmp_path / "after")) == before
    assert find_tokens(str(moved / "runs/mine"), tokens) == str(moved / "tokens/clean")
    assert verify_directory(str(moved)).num_wrong == 0
    assert main(["generate", str(moved / "runs/mine"), "--prompt", "p53", "--max-tokens", "2"]) == 0
    other = moved / "tokens/other"  # another name beside the run: found by the fingerprint alone
    (moved / "tokens/clean").rename(other)
    assert export(ExportConfig(), run=str(moved / "runs/mine"), output=str(tmp_path / "renamed")) == before
    assert "lacks" not in capsys.readouterr().err


def test_what_is_not_found_is_said_with_the_option_that_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = a_road(tmp_path / "data/work")
    place = tmp_path / "data/work/tokens/clean"
    run = write_run(tmp_path / "a/b/c/mine", loud_model(), tokens="/nowhere/tokens", fingerprint=tokens)
    words = ["export", str(run), "--output"]
    assert main([*words, str(tmp_path / "bare")]) == 0
    told = capsys.readouterr().err
    assert f"no tokens {tokens[:12]} where they were, nor near the run; name their directory with --held-out" in told
    assert main([*words, str(tmp_path / "whole"), "--held-out", str(place)]) == 0
    assert "lacks" not in capsys.readouterr().err
    assert "## Licences" in (tmp_path / "whole/README.md").read_text(encoding="utf-8")
    (tmp_path / "data/work/corpus").rename(tmp_path / "corpus")
    assert main([*words, str(tmp_path / "less"), "--held-out", str(place)]) == 0
    assert "the card lacks rules and licences: no corpus" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "wrong"), "--held-out", str(tmp_path / "data/work/tokenizer")]) == 2
    assert not (tmp_path / "wrong/manifest.json").exists()


def test_tokens_of_another_fingerprint_in_the_same_place_are_not_taken(tmp_path: Path) -> None:
    a_road(tmp_path / "work")
    run = write_run(
        tmp_path / "work/runs/mine", loud_model(), tokens=str(tmp_path / "work/tokens/clean"), fingerprint="1" * 64
    )
    assert find_tokens(str(run), "1" * 64) is None
    assert {*find_lineage(str(run), store.newest_good(str(run), print)).missing} == {"pack"}
    with pytest.raises(UsageError, match="other tokens than the checkpoint was trained on; give its own with"):
        find_tokens(str(run), "1" * 64, given=str(tmp_path / "work/tokens/clean"))


def test_a_card_names_only_versions_that_are_tried() -> None:
    """The newest of each is the one that is installed for the tests."""
    told = " ".join(form.used_by for form in FORMATS.values())
    tried = {version for versions in TRIED.values() for version in versions}
    assert {*re.findall(r"`([\d.]+)`", told)} == tried
    assert re.findall(r"\d[\d.]+", re.sub(r"`[^`]*`", "", told)) == []
    pinned = dict(
        line.split("==") for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if "==" in line
    )
    for library, versions in TRIED.items():
        assert pinned[library].strip() == versions[-1], f"write the version of {library} that the tests run to TRIED"
