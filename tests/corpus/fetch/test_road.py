"""The whole road on loopback, as a user types it: from `fetch` of both sources to a trained tiny model."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.fetch.config import PMC_VARIABLE, PUBMED_VARIABLE
from corpus.stage.manifest import read_manifest
from corpus.synthetic.sample.write import Sample, write_sample
from pipelines.cli.app import main
from tests.support.fetch_servers import Bucket, ncbi_server, numbered, s3_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(str(tmp_path_factory.mktemp("ncbi")), seed=1, scale=0.05)


@pytest.fixture(scope="module")
def bucket(sample: Sample) -> Iterator[Bucket]:
    with s3_server() as server:
        server.put_tree(Path(sample.pmc_tree))
        yield server


@pytest.fixture(scope="module")
def pubmed(sample: Sample) -> Iterator[str]:
    """The sample's files under numbers without a gap."""
    with ncbi_server(numbered(sample.pubmed)) as base:
        yield base


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch, bucket: Bucket, pubmed: str) -> None:
    monkeypatch.setenv(PMC_VARIABLE, bucket.base)
    monkeypatch.setenv(PUBMED_VARIABLE, pubmed)


ROAD = """\
work: {work}
fetch:
  pubmed: {{source: "{pubmed}"}}
  pmc: {{source: "{pmc}", license: open}}
assemble: {{validation: 0.2}}
tokenizer: {{vocab_size: 600}}
pack: {{seq_length: 128}}
train: {{name: tiny, config: tiny, steps: 5, ranks: 1}}
"""


def test_one_file_from_nothing_to_a_trained_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bucket: Bucket, pubmed: str
) -> None:
    work, path = tmp_path / "work", tmp_path / "run.yaml"
    path.write_text(ROAD.format(work=work, pubmed=pubmed, pmc=bucket.base))
    assert main(["run", str(path)]) == 0
    told = capsys.readouterr().out
    assert "5 steps" in told
    assert main(["verify", str(work)]) == 0
    assert "WRONG" not in capsys.readouterr().out
    articles = read_manifest(f"{work}/raw/pmc").books
    assert articles.dropped["license"] > 0
    assert read_manifest(f"{work}/records").summary["articles"] == articles.kept > 10
    # What is there stays, without a question to the servers: a newer listing would make other stages behind it.
    unreachable = ["--set", "fetch.pubmed.source=http://127.0.0.1:9", "--set", "fetch.pmc.source=http://127.0.0.1:9"]
    assert main(["run", str(path), *unreachable]) == 0
    again = capsys.readouterr()
    assert again.out == told
    assert again.err.count("fetched (fetch-") == 2
    assert main(["run", str(path), "--set", "fetch.pmc.license=any"]) == 2
    assert "license: open there, any asked for" in capsys.readouterr().err


def test_errors_of_the_fetch_section_are_named_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "work: out\nfetch:\n  pubmed: {baseline: false, updates: false}\n  pmc:\n    licence: open\n    ids: [x]\n"
    )
    assert main(["run", str(path)]) == 2
    told = capsys.readouterr().err
    assert "run.yaml:3:3: fetch.pubmed: neither the baseline nor the updates are asked for" in told
    assert "run.yaml:5:5: fetch.pmc.licence: unknown key 'licence'; did you mean license?" in told
    assert "fetch.pmc.ids.0: string should match pattern" in told
    path.write_text("work: out\nfetch: {pmc: {ids: /nowhere}}\n")
    assert main(["run", str(path)]) == 2
    assert "/nowhere: cannot be read" in capsys.readouterr().err


def test_a_dry_run_says_what_would_be_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sample: Sample
) -> None:
    assert main(["fetch", "pmc", "--output", f"{tmp_path}/pmc", "--license", "commercial", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert main(["fetch", "pmc", "--output", f"{tmp_path}/pmc", "--license", "commercial"]) == 0
    done = read_manifest(f"{tmp_path}/pmc")
    assert f"- license{done.books.dropped['license']:>28,}" in told.replace(" ", " ")
    assert f"= articles{done.books.kept:>27,}" in told
    assert "time: about" in told
    assert f"({done.books.kept:,} XML of" in told
    assert main(["fetch", "pubmed", "--output", f"{tmp_path}/pubmed", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert f"to fetch: {len(sample.pubmed)} files" in told
    assert not (tmp_path / "pubmed").exists()


def test_the_log_tells_the_run(tmp_path: Path) -> None:
    assert main(["fetch", "pmc", "--output", str(tmp_path), "--limit", "5"]) == 0
    lines = [json.loads(line) for line in (tmp_path / "fetch.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "phase", "phase", "committed"]
    assert lines[-1]["articles"] == 5
    assert lines[-1]["requests"] >= 10 + len(("listing", "checksum", "manifest", "data", "data"))
    assert lines[-1]["received"] > lines[-1]["xml_bytes"]
    assert lines[-1]["faults"] == {}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["fetch", "pmc", "--limit", "0", "--output", "x"], 2),
        (["fetch", "pmc", "--years", "2020-2010", "--output", "x"], 2),
        (["fetch", "pmc", "--shard", "4/3", "--output", "x"], 2),
        (["fetch", "pmc", "--license", "free", "--output", "x"], 2),
        (["fetch", "pmc", "--ids", "/nowhere", "--output", "x"], 2),
        (["fetch", "pubmed", "--source", "ftp://x/y", "--output", "x"], 2),
        (["fetch", "pmc", "--output", "x", "--", "--runner=DataflowRunner"], 2),
        (["fetch", "pmc", "--inventory", "1999-01-01", "--output", "x"], 2),
    ],
)
def test_what_cannot_work_is_refused(
    words: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    assert "Traceback" not in capsys.readouterr().err
