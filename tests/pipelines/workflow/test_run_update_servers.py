"""`corpuscle run --update` against servers that have more than yesterday, into a local directory and into a bucket."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from corpus import storage
from corpus.assemble.change_feed import CHANGES
from corpus.stage.events import EVENTS_LOG
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.synthetic.sample.write import Sample, write_sample
from pipelines.cli.app import main
from tests.support.fetch_servers import Bucket, ncbi_server, numbered, s3_server

pytestmark = pytest.mark.slow

CONFIG = """\
work: {work}
fetch:
  pubmed: {{source: "{pubmed}"}}
  pmc: {{source: "{pmc}", articles_per_shard: 16, max_missing_rate: 1}}
assemble: {{validation: 0.2}}
tokenizer: {{vocab_size: 400}}
pack: {{seq_length: 32}}
"""
STAGES = ("records", "corpus/clean", "tokenizer", "tokens/clean")
NOT_COMPARED = (RUN_FACTS, LOCK, EVENTS_LOG)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(str(tmp_path_factory.mktemp("ncbi")), seed=2, scale=0.04)


@pytest.fixture
def bucket(sample: Sample) -> Iterator[Bucket]:
    with s3_server() as server:
        server.put_tree(Path(sample.pmc_tree))
        yield server


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.exhaustive)])
def work(request: pytest.FixtureRequest, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "local":
        return str(tmp_path / "work")
    pytest.importorskip("s3fs", reason="needs the s3 extra")
    endpoint, _, name = bucket.base.rpartition("/")
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return f"s3://{name}/work-of-a-day"


def content(work: str) -> dict[str, bytes]:
    """Return the bytes of all that the stages behind `fetch` made."""
    found = {}
    for stage in STAGES:
        for name in storage.walk_files(storage.join(work, stage)):
            if storage.base_name(name) not in NOT_COMPARED and not name.startswith(f"{CHANGES}/"):
                with storage.open_read(storage.join(work, stage, name)) as source:
                    found[f"{stage}/{name}"] = source.read()
    return found


def test_what_is_new_on_the_server_arrives(
    work: str, sample: Sample, bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = numbered(sample.pubmed)
    late = sorted(files)[-2:]  # the last update file and its MD5
    kept = {name: files.pop(name) for name in late}
    path = tmp_path / "run.yaml"
    with ncbi_server(files) as pubmed:
        path.write_text(CONFIG.format(work=work, pubmed=pubmed, pmc=bucket.base))
        assert main(["run", str(path)]) == 0
        before = content(work)
        files |= kept
        capsys.readouterr()
        assert main(["run", str(path)]) == 0  # asks no server
        assert "--update looks for what is new" in capsys.readouterr().err
        assert content(work) == before
        assert main(["run", str(path), "--update"]) == 0
        said = capsys.readouterr().err
        assert "not read again; 1 new (" in said
        assert "documents copied, " in said
        for name in storage.walk_files(storage.join(work, "tokenizer")):
            with storage.open_read(storage.join(work, "tokenizer", name)) as source:
                target = tmp_path / "fresh/tokenizer" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read())
        assert main(["run", str(path), "--set", f"work={tmp_path / 'fresh'}"]) == 0
        assert content(work) == content(str(tmp_path / "fresh"))
        capsys.readouterr()
        assert main(["run", str(path), "--update"]) == 0
        assert capsys.readouterr().err.count("up to date") == 5
