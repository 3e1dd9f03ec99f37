"""`passages`: the counts of DuckDB, the same bytes from any order, worker and engine, errors that say what helps."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpus.assemble.config import AssembleConfig
from corpus.errors import OtherResultError, UsageError
from corpus.extract.config import ExtractConfig
from corpus.passages.config import PassagesConfig
from corpus.passages.counting import order_of
from corpus.passages.rows import Passage
from corpus.stage.manifest import Manifest, read_manifest
from corpus.storage.schema import from_batch, schema_of
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.cli.app import main
from pipelines.extract import extract
from pipelines.inspection.stages import inspect_path
from pipelines.inspection.verification import verify_directory
from pipelines.passages.pipeline import forecast_passages, passages
from tests.pipelines.dedup.test_truth import hashes
from tests.support.engines import prism_server
from tests.support.passages_oracle import Counted, passages_by_duckdb
from tests.support.small_corpus import sentences, write_corpus

pytestmark = pytest.mark.slow
CONFIG = PassagesConfig(min_documents=2, min_characters=10)
STOCK = ["We declare no competing interests.", "All authors read it, J. Smith et al. Too.", "Data are at example.org."]


def text_of(number: int) -> str:
    """Return a text of its own sentences, with some that others have, alone in a line and among others."""
    own = [one[:1].upper() + one[1:] for one in sentences(number, 9) if one != "."]
    lines = ["## Methods that all have", " ".join(own[:4]), f"- {STOCK[0].upper()}", *own[4:]]
    if number % 3 == 0:
        lines.append(" ".join([own[0], *STOCK[1:]]))
    if number % 5 == 0:
        lines.append(" ".join(STOCK))
    return "\n\n".join(lines)


def run(output: Path, *bases: Path, config: PassagesConfig = CONFIG, **more: Any) -> Manifest:
    manifest = passages(config, given=[str(base) for base in bases], output=str(output), **more)
    assert manifest is not None
    return manifest


def rows(output: Path) -> list[Passage]:
    return from_batch(pq.read_table(output / "passages.parquet"), Passage)


def counts(output: Path) -> Counted:
    """Return what DuckDB counts too, of the passages of a result."""
    return {
        (row.kind == "paragraph", row.folded): (row.documents, row.occurrences, row.alone, row.bytes, row.examples[0])
        for row in rows(output)
    }


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the corpora `one` and `two` and the passages of both, `out`."""
    base = tmp_path_factory.mktemp("passages")
    texts = [("pubmed", text_of(number)) for number in range(90)]
    write_corpus(base / "one", [("train", texts[:40]), ("validation", texts[40:50])])
    write_corpus(base / "two", [("train", texts[50:])], pmids=[range(51, 91)])
    run(base / "out", base / "one", base / "two")
    return base


def test_the_counts_are_duckdbs(base: Path) -> None:
    for name in ("one", "two"):
        run(base / f"out-{name}", base / name)
        found = counts(base / f"out-{name}")
        assert found == passages_by_duckdb(base / name, min_documents=2, min_characters=10)
        assert len(found) > 3


def test_what_is_planted_is_found_and_headings_are_not(base: Path) -> None:
    found = {row.text: row for row in rows(base / "out")}
    assert (found[STOCK[2]].documents, found[STOCK[2]].alone) == (42, 0)
    all_of_it = found[" ".join(STOCK)]
    assert (all_of_it.kind, all_of_it.documents) == ("paragraph", 18)
    loud = found[STOCK[0].upper()]
    assert (loud.documents, loud.occurrences, loud.alone) == (90, 108, 90)
    assert not any("methods that" in row.folded for row in found.values())
    assert rows(base / "out") == sorted(rows(base / "out"), key=order_of)
    assert pq.read_schema(base / "out" / "passages.parquet").equals(schema_of(Passage))


def test_orders_workers_and_partitions_give_the_same_bytes(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(base / "turned", base / "two", base / "one")
    assert hashes(base / "turned") == hashes(base / "out")
    workers = ["--direct_num_workers=2"]
    run(
        base / "workers", base / "one", base / "two", config=CONFIG.model_copy(update={"workers": 2}), beam_args=workers
    )
    assert hashes(base / "workers") == hashes(base / "out")
    monkeypatch.setattr("pipelines.passages.pipeline.PARTITION_BYTES", 1000)
    monkeypatch.setattr("corpus.passages.tasks.MOST_TALLIES", 3)
    monkeypatch.setattr("corpus.passages.reading.BATCH_ROWS", 7)
    run(base / "small", base / "one", base / "two")
    assert hashes(base / "small") == hashes(base / "out")


def test_an_engine_of_beam_gives_the_same_bytes(base: Path) -> None:
    with prism_server() as (jobs, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=LOOPBACK"]
        run(base / "prism", base / "one", base / "two", beam_args=flags)
    assert hashes(base / "prism") == hashes(base / "out")


def test_a_result_is_verified_shown_and_brought_up_to_date(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = base / "again"
    run(output, base / "one")
    assert verify_directory(str(output)).num_wrong == 0
    assert "passages: 1 files, 4 rows" in inspect_path(str(output))
    with pytest.raises(OtherResultError, match="--update"):
        run(output, base / "one", base / "two")
    assert forecast_passages(CONFIG, given=[str(base / "one")], output=str(output)).to_do == 0
    assert forecast_passages(CONFIG, given=[str(base / "two")], output=str(output), update=True).to_do == 2
    run(output, base / "one", base / "two", update=True)
    assert hashes(output) == hashes(base / "out")
    assert main(["passages", str(base / "two"), str(base / "one"), "--output", str(output), *OPTIONS]) == 0
    said = capsys.readouterr()
    assert "up to date" in said.err
    assert "stand in 2 documents or more" in said.out
    page = (output / "passages.md").read_text()
    assert f"| 42 | 48 | 0 | – | 48 | {STOCK[2]} |" in page


OPTIONS = ["--min-documents", "2", "--min-characters", "10"]


def test_what_is_no_text_is_refused_and_the_advice_helps(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give a result of `corpuscle extract` or of `corpuscle assemble`"):
        run(tmp_path / "x", base / "out")
    with pytest.raises(UsageError, match="give each result once"):
        run(tmp_path / "x", base / "one", base / "one")
    with pytest.raises(UsageError, match=r"no manifest\.json"):
        run(tmp_path / "x", tmp_path)
    assert main(["passages", str(base / "one"), "--output", str(tmp_path / "x"), *OPTIONS, "--dry-run"]) == 0
    assert not (tmp_path / "x").exists()
    run(tmp_path / "x", base / "one")


def test_nothing_in_common_is_an_empty_list(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", [("train", [("pubmed", f"The text {number}.") for number in range(5)])])
    manifest = run(tmp_path / "out", tmp_path / "in")
    assert rows(tmp_path / "out") == []
    assert manifest.summary["passages_found"] == 0
    assert manifest.books.read == manifest.books.kept == 5


def test_what_was_read_before_a_fault_is_not_read_again(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from corpus.passages import tasks

    read: list[str] = []
    whole = tasks.passage_batches

    def counted(source: Any) -> Any:
        read.append(source.path)
        return whole(source)

    def fails(*_: Any) -> None:
        raise OSError("no more")

    monkeypatch.setattr(tasks, "passage_batches", counted)
    with monkeypatch.context() as broken:
        broken.setattr("pipelines.passages.steps.finish_passages", fails)
        with pytest.raises(Exception, match="no more"):
            run(base / "stopped", base / "one")
    assert len(read) == 4
    run(base / "stopped", base / "one")
    assert len(read) == 4
    run(base / "whole", base / "one")
    assert hashes(base / "stopped") == hashes(base / "whole")


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with records and the corpus of a made-up sample."""
    base = tmp_path_factory.mktemp("sampled")
    sample = write_sample(str(base / "raw"), seed=3, scale=0.1)
    config = ExtractConfig(pubmed=sample.pubmed, pmc=(sample.pmc_tree,), max_reject_rate=1.0)
    extract(config, output=str(base / "records"))
    assemble(AssembleConfig(), records=str(base / "records"), output=str(base / "corpus"))
    return base


def test_records_name_the_rules_that_take_a_passage(sampled: Path) -> None:
    run(sampled / "out", sampled / "records")
    found = rows(sampled / "out")
    for row in found:
        assert row.stay + sum(count.occurrences for count in row.rules) == row.occurrences
        assert (row.rule == "") == (2 * row.stay >= row.occurrences)
    taken = [row for row in found if row.stay == 0]
    assert {row.rule.partition(":")[0] for row in taken} & {"section", "back matter"}
    run(sampled / "out-corpus", sampled / "corpus")
    left = {row.folded for row in rows(sampled / "out-corpus")}
    assert left
    assert not left & {row.folded for row in taken}
    books = [read_manifest(str(sampled / name)).books for name in ("out", "records")]
    assert books[0].read == books[0].kept == books[1].kept


@pytest.mark.exhaustive
@pytest.mark.real_data
def test_the_counts_are_duckdbs_on_all_real_texts(real_data: Path, tmp_path: Path) -> None:
    config = ExtractConfig(pubmed=(str(real_data / "pubmed"),), pmc=(str(real_data / "pmc/pmc-oa-opendata.tar.xz"),))
    extract(config, output=str(tmp_path / "records"))
    assemble(AssembleConfig(), records=str(tmp_path / "records"), output=str(tmp_path / "corpus"))
    run(tmp_path / "out", tmp_path / "corpus", config=PassagesConfig(min_documents=2))
    found = counts(tmp_path / "out")
    assert len(found) > 1000
    assert found == passages_by_duckdb(tmp_path / "corpus", min_documents=2, min_characters=20)
