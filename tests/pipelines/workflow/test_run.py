"""The road on a small sample: five stages, an account whose numbers are the manifests', and nothing done twice."""

import re
from pathlib import Path

import pytest

from corpus.errors import UsageError
from corpus.stage.manifest import Books, Manifest, read_manifest
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main
from pipelines.inspection.summaries import funnel, number, summary_line
from pipelines.inspection.verification import verify_directory
from pipelines.workflow.config import load
from pipelines.workflow.planted import compare_with_planted
from pipelines.workflow.run import places_of, run_road

CONFIG = """\
work: {work}
extract:
  pubmed: [{raw}/pubmed]
  pmc: [{raw}/pmc/pmc-oa-opendata]
assemble: {{validation: 0.2}}
tokenizer: {{vocab_size: 600}}
pack: {{seq_length: 32}}
"""


def manifest(stage: str, books: Books, **summary: object) -> Manifest:
    return Manifest(
        stage=stage, revision=1, fingerprint="", config={}, inputs=(), parts=(), books=books, summary=summary
    )


def test_the_funnel_accounts_for_every_record() -> None:
    books = Books(read=1200, kept=1000, dropped={"too_short": 50, "deleted": 150, "notice": 0})
    lines = [" ".join(line.split()) for line in funnel([manifest("assemble", books), manifest("train", Books())])]
    assert lines == ["assemble read 1,200", "- deleted 150", "- too_short 50", "= kept 1,000"]


def test_the_line_of_a_stage() -> None:
    split = {"tokens": 2050, "rows": 2, "tail": 2}
    packed = manifest("pack", Books(read=9, kept=9), splits={"train": split}, seq_length=1024)
    assert summary_line(packed, "out") == "pack: 2,050 train tokens = 2 rows of 1,024 + 2; 0 files of 0 bytes in out"
    assert "nothing was written to out" in summary_line(None, "out")


@pytest.mark.parametrize(("value", "text"), [(1234567, "1,234,567"), (1234.5, "1,234"), (0.123456, "0.1235"), (0, "0")])
def test_numbers_for_reading(value: float, text: str) -> None:
    assert number(value) == text


def test_a_dry_run_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG.format(work=tmp_path / "work", raw=tmp_path))
    with pytest.raises(UsageError, match=r"dry run"):
        run_road(load(str(path)), beam_args=("--dry_run=True",))
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_the_road_to_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = write_sample(str(tmp_path / "raw"), seed=1, scale=0.05)
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG.format(work=tmp_path / "work", raw=tmp_path / "raw"))
    assert main(["run", str(path), "--set", f"extract.pmc=[{sample.pmc_tree}, {sample.pmc_tar}]"]) == 0
    first = capsys.readouterr()
    config = load(str(path), [f"extract.pmc=[{sample.pmc_tree}, {sample.pmc_tar}]"])
    places = places_of(config)
    assert verify_directory(str(tmp_path)).num_wrong == 0
    road = run_road(config)
    assert road.text() + "\n" == first.out
    assert capsys.readouterr().err.count("up to date") == 4
    num_records = sample.num_citations + sample.num_articles + sample.num_sub_articles + sample.num_deletions
    assert re.search(rf"extract +read +{num_records:,}\n", first.out)
    comparison = compare_with_planted(places.assemble, road.manifests["assemble"], sample.planted)
    assert comparison.differences == ()
    assert comparison.outcomes["kept"] == road.manifests["pack"].books.read


@pytest.mark.slow
def test_a_changed_setting_is_refused_with_the_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = write_sample(str(tmp_path / "raw"), seed=1, scale=0.02)
    records, corpus = str(tmp_path / "records"), str(tmp_path / "corpus")
    assert main(["extract", "--pubmed", *sample.pubmed, "--output", records]) == 0
    assert main(["assemble", "--records", records, "--output", corpus]) == 0
    capsys.readouterr()
    assert main(["assemble", "--records", records, "--output", corpus, "--threshold", "0.9"]) == 2
    assert "threshold: 0.8 there, 0.9 asked for" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_uses_the_evaluation_sets_that_lie_there_and_names_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = write_sample(str(tmp_path / "raw"), seed=1, scale=0.03)
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG.format(work=tmp_path / "work", raw=tmp_path / "raw") + "evaluation_sets: [medqa, mmlu]\n")
    own = ["--set", f"extract.pmc=[{sample.pmc_tree}, {sample.pmc_tar}]"]
    assert main(["run", str(path), *own]) == 0
    missing = f"not in {tmp_path}/work/raw/evaluation, so not looked for"
    assert f"medqa: {missing}" in capsys.readouterr().err
    evaluation = tmp_path / "work" / "raw" / "evaluation"
    evaluation.mkdir(parents=True)
    cells = (f"Which of the {k} is it?,one,two,three,four,A\n" for k in range(135))
    (evaluation / "anatomy_test.csv").write_text("".join(cells))
    (evaluation / "own.jsonl").write_text('{"question": "What is in no published set?"}\n')
    assert main(["run", str(path), *own, "--dry-run", "--update"]) == 0
    assert f"medqa: {missing}" in capsys.readouterr().out
    assert main(["run", str(path), *own, "--update"]) == 0
    said = capsys.readouterr().err
    assert "anatomy_test.csv: mmlu, test of mmlu/anatomy, 135 questions (known by published counts)" in said
    assert "own.jsonl: not known by name" in said
    assert f"medqa: {missing}" in said
    assert f"mmlu: {missing}" not in said
    inputs = [one.name for one in read_manifest(str(tmp_path / "work" / "corpus" / "clean")).inputs]
    assert inputs == ["evaluation anatomy_test.csv", "evaluation own.jsonl", "extract"]
