"""A working directory that was moved: every verb finds what it needs by content, and nothing is done again."""

from pathlib import Path

import pytest

from corpus.stage.manifest import MANIFEST
from corpus.storage import parquet
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main

CONFIG = """\
work: work
extract: {pubmed: [raw/pubmed], pmc: [raw/pmc], pile: true}
assemble: {validation: 0.2}
tokenizer: {vocab_size: 600}
pack: {seq_length: 32}
train:
  name: tiny
  config: tiny
  ranks: 1
  settings: {steps: 2, batch_rows: 2, micro_batch: 2, warmup_steps: 1, sample_tokens: 0}
"""

SETTINGS = ("batch_rows=2", "micro_batch=2", "warmup_steps=1", "sample_tokens=0")
TRAIN = ("train", "--config", "tiny", "--ranks", "1", *(word for one in SETTINGS for word in ("--set", one)))


def manifests(work: Path) -> dict[str, tuple[bytes, int]]:
    """Return the bytes and the time of every manifest below a directory."""
    found = sorted(work.rglob(MANIFEST))
    return {str(path.relative_to(work)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


@pytest.mark.slow
def test_every_verb_works_after_a_move(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before", tmp_path / "moved away/deeper/after"
    write_sample(str(before / "raw"), seed=1, scale=0.05)
    (before / "run.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(before)
    assert main(["run", "run.yaml"]) == 0
    assert main(["export", "work/runs/tiny", "--output", "work/models/tiny"]) == 0
    made = manifests(before / "work")
    after.parent.mkdir(parents=True)
    before.rename(after)
    monkeypatch.chdir(after)
    assert main(["run", "run.yaml"]) == 0
    assert main(["export", "work/runs/tiny", "--output", "work/models/tiny"]) == 0
    assert manifests(after / "work") == made, "all of it is up to date"
    monkeypatch.chdir(tmp_path)  # and from elsewhere
    work = after / "work"
    corpus, run = str(work / "corpus/clean"), str(work / "runs/tiny")
    decisions = parquet.read_table(f"{corpus}/decisions/part-00000.parquet").to_pylist()
    near = [row["doc_id"] for row in decisions if row["reason"].endswith("_duplicate")]
    capfd.readouterr()
    for words in (
        ("verify", str(work)),
        ("inspect", str(work)),
        *(("inspect", str((work / name).parent)) for name in made),
        ("report", str(work)),
        ("compare", str(work / "records"), "--tokenizer", str(work / "tokenizer/tokenizer.json")),
        ("export", run, "--output", str(work / "models/checked"), "--check", "64"),
        ("generate", run, "--prompt", "p53", "--max-tokens", "2"),
        ("generate", str(work / "models/tiny"), "--prompt", "p53", "--max-tokens", "2"),
    ):
        assert main([*words]) == 0, (words, capfd.readouterr().err)
    assert "lacks" not in capfd.readouterr().err
    assert "## Licences" in (work / "models/checked/README.md").read_text(encoding="utf-8")
    assert main(["inspect", corpus, "--id", near[0]]) == 0
    assert "→" in capfd.readouterr().out, "the records are found too, and the texts compared"
    assert main([*TRAIN, "--tokens", str(work / "tokens/clean"), "--output", run, "--steps", "3", "--resume"]) == 0
    assert "from step 2" in capfd.readouterr().err
