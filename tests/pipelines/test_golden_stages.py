"""What each stage makes of a fixed sample is what its golden digest says, or its REVISION is raised."""

from dataclasses import replace
from pathlib import Path

import pytest

from corpus.errors import UsageError
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import read_manifest
from pipelines import extract as extract_pipeline
from pipelines.report.legend import meaning
from tests.support import golden_stages
from tests.support.golden_stages import (
    HOMES,
    Golden,
    complaint,
    made_stages,
    must_be_raised,
    read_golden,
    revision_of,
)
from tests.support.small_corpus import mixed_corpus
from tokenizer import learn as learn_stage
from tokenizer import pack as pack_stage
from tokenizer.config import PackConfig, TokenizerConfig

ONE = Golden(revision=1, input="i", output="o")
RAISE = (
    "the output of `assemble` changed: raise corpus/assemble/config.py: REVISION (now 1) and write the new digest: "
    "python -m tests.support.golden_stages"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden")


@pytest.fixture(scope="module")
def made(folder: Path) -> dict[str, Golden]:
    return made_stages(folder)


@pytest.mark.slow
def test_every_stage_makes_what_its_golden_digest_says(made: dict[str, Golden]) -> None:
    golden = read_golden()
    assert list(golden) == list(made) == list(HOMES)
    told = [complaint(stage, golden[stage], one) for stage, one in made.items()]
    assert not any(told), "\n".join(told)


@pytest.mark.slow
def test_the_report_explains_every_reason_in_their_books(made: dict[str, Golden], folder: Path) -> None:
    books = {stage: read_manifest(str(folder / stage)).books.dropped for stage in made}
    assert [stage for stage in books if books[stage]] == ["fetch-pmc", "extract", "assemble"]
    assert [one for stage, dropped in books.items() for one in dropped if not meaning(stage, one)] == []


def test_golden_digests_are_of_the_revisions_in_the_code() -> None:
    assert {stage: one.revision for stage, one in read_golden().items()} == {name: revision_of(name) for name in HOMES}


def test_a_changed_output_asks_for_another_revision() -> None:
    assert complaint("assemble", ONE, ONE) == ""
    changed = replace(ONE, output="other")
    assert complaint("assemble", ONE, changed) == RAISE
    assert must_be_raised(ONE, changed)
    raised = replace(changed, revision=2)
    assert "REVISION is 2, the golden digest is of 1: write" in complaint("assemble", ONE, raised)
    assert "made by a stage before it" in complaint("assemble", ONE, replace(changed, input="other"))
    assert "no golden digest" in complaint("assemble", None, ONE)
    assert not any(must_be_raised(golden, raised) for golden in (ONE, None))


def test_the_command_writes_no_change_under_an_old_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = {"assemble": ONE}
    monkeypatch.setattr(golden_stages, "GOLDEN", tmp_path / "stages.json")
    monkeypatch.setattr(golden_stages, "made_stages", lambda folder: now)
    assert golden_stages.main() == 0
    now["assemble"] = replace(ONE, output="other")
    assert golden_stages.main() == 1
    assert RAISE in capsys.readouterr().err
    assert read_golden() == {"assemble": ONE}
    now["assemble"] = replace(ONE, output="other", revision=2)
    assert golden_stages.main() == 0
    assert read_golden() == now


def test_extract_of_another_revision_is_made_again_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.xml").write_bytes(b"<PubmedArticleSet></PubmedArticleSet>")
    config, output = ExtractConfig(pubmed=(str(tmp_path / "a.xml"),)), str(tmp_path / "records")
    extract_pipeline.extract(config, output=output)
    monkeypatch.setattr(extract_pipeline, "REVISION", 99)
    with pytest.raises(UsageError, match=r"code: revision \d+ there, now 99"):
        extract_pipeline.extract(config, output=output)
    extract_pipeline.extract(config, output=output, update=True)
    said = capsys.readouterr().err
    assert "of the code, now 99: all of it is made again" in said
    assert "not read again" not in said
    assert read_manifest(output).revision == 99


def test_tokenizer_and_pack_of_another_revision_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, words, rows = (str(tmp_path / name) for name in ("corpus", "tokenizer", "tokens"))
    mixed_corpus(Path(corpus), count=60)
    learn_stage.learn(TokenizerConfig(vocab_size=300, source="all"), corpus=corpus, output=words)
    workspace, _, _ = pack_stage.plan_pack(PackConfig(), corpus=corpus, tokenizer=words, output=rows)
    workspace.commit([], summary={})
    monkeypatch.setattr(learn_stage, "REVISION", 99)
    monkeypatch.setattr(pack_stage, "REVISION", 99)
    with pytest.raises(UsageError, match=r"code: revision \d+ there, now 99"):
        learn_stage.learn(TokenizerConfig(vocab_size=300, source="all"), corpus=corpus, output=words)
    with pytest.raises(UsageError, match=r"code: revision \d+ there, now 99"):
        pack_stage.plan_pack(PackConfig(), corpus=corpus, tokenizer=words, output=rows)
