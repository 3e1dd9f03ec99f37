"""Outputs and inputs on s3:// and gs://: the same bytes as on a disk, whole or absent, through kills too.

moto is the S3 server, gcp-storage-emulator the one of Google; the same libraries talk to them as to the real ones.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from corpus import storage
from corpus.errors import RetryError
from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.spool import spool_folder
from corpus.stage.lock import held
from corpus.stage.manifest import read_manifest, verify_parts
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main
from tests.corpus.fetch.test_kills import POINTS, start
from tests.corpus.fetch.test_pubmed import FILES
from tests.corpus.fetch.test_pubmed import run as run_pubmed
from tests.support.fetch_servers import Bucket, gcs_server, ncbi_server, numbered, s3_server
from tests.support.small_fetch import filled, hashes, run

pytestmark = pytest.mark.slow

NUM = 40  # as many as the points of the local kills count on
# Local points are passed on the way to a remote output too, all but those of files that only a local one has.
REMOTE_POINTS = (
    *(point for point in POINTS if not point.startswith(("os:replace", "os:fsync"))),
    "corpus.fetch.pmc.stage:mark_unfinished:before:1",
    "s3fs.core:S3File.commit:before:1",
    "s3fs.core:S3File.commit:before:4",
    "s3fs.core:S3File.commit:after:5",
    "s3fs.core:S3File.commit:after:9",
    "s3fs.core:S3File.commit:before:11",
    "corpus.fetch.spool:_move_log:before:1",
)
SHORT = ("s3fs.core:S3File.commit:after:5",)


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    pytest.importorskip("s3fs", reason="needs the s3 extra")
    with filled(NUM) as server:
        yield server


@pytest.fixture(scope="module")
def expected(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    run(bucket.base, folder)
    return folder


@pytest.fixture(scope="module")
def expected_records(expected: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = str(tmp_path_factory.mktemp("records"))
    assert main(["extract", "--pmc", str(expected), "--output", folder]) == 0
    return hashes(folder)


@pytest.fixture
def s3(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An address below the bucket; processes that are started find the server too."""
    endpoint, _, name = bucket.base.rpartition("/")
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    _fresh(monkeypatch, tmp_path, "s3")
    return f"s3://{name}/stores/{tmp_path.name}"


@pytest.fixture
def gs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """An address in the emulator of Google's storage."""
    pytest.importorskip("gcsfs", reason="needs the gcp extra")
    with gcs_server() as (address, name):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        _fresh(monkeypatch, tmp_path, "gs")
        yield f"gs://{name}/stores/one"


def _fresh(monkeypatch: pytest.MonkeyPatch, spools: Path, protocol: str) -> None:
    """Forget connections to servers of other tests, and keep spools in the test's folder."""
    fsspec.get_filesystem_class(protocol).clear_instance_cache()
    monkeypatch.setattr("tempfile.tempdir", str(spools))
    monkeypatch.setenv("TMPDIR", str(spools))


@pytest.fixture(params=["s3", "gs"])
def place(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


def test_stores_and_mirrors_are_the_same_and_extract_reads_and_writes_there(
    bucket: Bucket,
    expected: Path,
    expected_records: dict[str, str],
    place: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(bucket.base, f"{place}/pmc") == read_manifest(str(expected))
    assert hashes(f"{place}/pmc") == hashes(expected)
    assert storage.exists(f"{place}/pmc/fetch.jsonl")
    with ncbi_server(FILES) as base:
        mirror = run_pubmed(base, f"{place}/pubmed")
        run_pubmed(base, tmp_path / "pubmed")
    assert hashes(f"{place}/pubmed") == hashes(tmp_path / "pubmed")
    assert not list(verify_parts(f"{place}/pubmed", mirror))
    assert not list(tmp_path.glob("corpuscle-fetch-*")), "nothing of a remote output stays on this machine"
    assert main(["extract", "--pmc", f"{place}/pmc", "--output", f"{place}/records"]) == 0
    assert hashes(f"{place}/records") == expected_records
    capsys.readouterr()
    assert main(["verify", place]) == 0
    assert "WRONG" not in capsys.readouterr().out


ROAD = """\
work: {work}
fetch: {{pubmed: {{source: "{pubmed}"}}, pmc: {{source: "{pmc}"}}}}
assemble: {{validation: 0.2, test: 0.0, languages: []}}
tokenizer: {{vocab_size: 300, source: pmc}}
pack: {{seq_length: 32}}
"""


@pytest.mark.exhaustive
def test_the_road_to_tokens_lies_there_whole(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = write_sample(str(tmp_path / "ncbi"), seed=1, scale=0.05)
    with s3_server() as source, ncbi_server(numbered(sample.pubmed)) as pubmed:
        source.put_tree(Path(sample.pmc_tree))
        for work in (place, str(tmp_path / "work")):
            (tmp_path / "run.yaml").write_text(ROAD.format(work=work, pubmed=pubmed, pmc=source.base))
            assert main(["run", str(tmp_path / "run.yaml")]) == 0
    assert hashes(place) == hashes(tmp_path / "work")
    capsys.readouterr()
    assert main(["verify", place]) == 0
    assert "WRONG" not in capsys.readouterr().out


@pytest.mark.parametrize("point", SHORT)
def test_a_kill_with_an_output_on_s3(bucket: Bucket, expected: Path, s3: str, point: str) -> None:
    _kill_and_finish(bucket, expected, s3, point)


@pytest.mark.exhaustive
@pytest.mark.parametrize("point", [point for point in REMOTE_POINTS if point not in SHORT])
def test_a_kill_at_every_other_point_with_an_output_on_s3(bucket: Bucket, expected: Path, s3: str, point: str) -> None:
    _kill_and_finish(bucket, expected, s3, point)


def _kill_and_finish(bucket: Bucket, expected: Path, output: str, point: str) -> None:
    assert start(bucket.base, output, point).wait(timeout=120) == -signal.SIGKILL, "the point was reached"
    run(bucket.base, output)
    assert hashes(output) == hashes(expected)


def test_an_error_while_a_file_is_written_leaves_none(place: str) -> None:
    _break_off(place, 1000)


def test_an_error_in_an_upload_of_several_parts_leaves_none(s3: str) -> None:
    _break_off(s3, 60_000_000)


def _break_off(place: str, size: int) -> None:
    path = f"{place}/file"
    with pytest.raises(ValueError, match="in the middle"), storage.write_atomic(path) as sink:  # noqa: PT012
        for _ in range(0, size, 1_000_000):
            sink.write(bytes(min(size, 1_000_000)))
        raise ValueError("in the middle")
    del sink
    assert not storage.exists(path)
    with storage.write_atomic(path) as sink:
        sink.write(b"whole")
    assert storage.size(path) == 5


def test_two_fetches_to_the_same_place_do_not_share_a_spool(bucket: Bucket, s3: str) -> None:
    with held(spool_folder(FetchPmcConfig(), s3)), pytest.raises(RetryError, match="another corpuscle is writing here"):
        run(bucket.base, s3)
    assert not storage.exists(s3)
    assert os.path.exists(spool_folder(FetchPmcConfig(), s3))
