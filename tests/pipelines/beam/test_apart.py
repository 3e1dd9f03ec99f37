"""Workers that share nothing with the command but a network and an object store: the same bytes, and plain errors.

The store (moto's S3) and the engine (Prism) run beside the test; the workers' machine (`tests.support.apart`) has
another network, host name, locale and time zone, and sees no file of the test.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpus import storage
from corpus.stage.events import EVENTS_LOG
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main
from tests.conftest import REPOSITORY
from tests.support.apart import Cable, OtherMachine, cable, pool_apart
from tests.support.engines import prism_server
from tests.support.fetch_servers import s3_server

pytestmark = pytest.mark.slow

KEY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a command has around it: folders here, a bucket, an engine, and the way to the other machine."""

    folder: Path  # of this machine, hidden from the workers
    bucket: str
    store: dict[str, str]  # variables that say where the store is
    jobs: int
    cable: Cable

    def flags(self, workers: str) -> list[str]:
        """Return Beam's flags of the engine, with workers at an address."""
        flags = ["--", "--runner=PortableRunner", f"--job_endpoint=localhost:{self.jobs}"]
        return [*flags, "--environment_type=EXTERNAL", f"--environment_config={workers}"]

    def machine(self, **changes: object) -> OtherMachine:
        """Return the workers' machine as it should be, or with changes."""
        usual = {"hidden": (self.folder,), "variables": self.store | KEY}
        return OtherMachine(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    s3fs = pytest.importorskip("s3fs", reason="needs the s3 extra")
    folder = tmp_path_factory.mktemp("here")
    write_sample(str(folder / "raw"), seed=3, scale=0.06)
    patched = pytest.MonkeyPatch.context()
    with cable() as tied, s3_server(tied.here) as served, prism_server() as (jobs, _), patched as patch:
        endpoint, _, name = served.base.rpartition("/")
        store = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1"}
        for variable, value in (store | KEY).items():
            patch.setenv(variable, value)
        s3fs.S3FileSystem.clear_instance_cache()
        for file in storage.walk_files(str(folder / "raw")):
            served.put(f"raw/{file}", (folder / "raw" / file).read_bytes())
        yield Surroundings(folder=folder, bucket=f"s3://{name}", store=store, jobs=jobs, cable=tied)
    s3fs.S3FileSystem.clear_instance_cache()


RESULTS = ("records", "corpus", "tokens")


def road(base: str, raw: str, *, flags: list[str]) -> None:
    """Run the three stages of Beam from the inputs below `raw` to results below `base`."""
    records, corpus, tokens = (storage.join(base, name) for name in RESULTS)
    pmc = [f"{raw}/pmc/pmc-oa-opendata", f"{raw}/pmc/oa_comm_xml.PMC000xxxxxx.baseline.tar.gz"]
    inputs = ["--pubmed", f"{raw}/pubmed", "--pmc", *pmc, "--articles-per-part", "7"]
    assert main(["extract", *inputs, "--output", records, *flags]) == 0
    assert main(["assemble", "--records", records, "--shard-mb", "1", "--output", corpus, *flags]) == 0
    tokenizer = storage.join(base, "tokenizer")  # learned by the command's own machine
    assert main(["tokenizer", "--corpus", corpus, "--vocab-size", "400", "--output", tokenizer]) == 0
    assert main(["pack", "--corpus", corpus, "--tokenizer", tokenizer, "--output", tokens, *flags]) == 0


def hashes(base: str) -> dict[str, str]:
    """Return the hash of every file of the results, but for the lock and the cost of the run."""
    names = {name: storage.join(base, name) for name in storage.walk_files(base) if name.startswith(RESULTS)}
    return {
        name: storage.sha256_file(path)
        for name, path in names.items()
        if not name.endswith((LOCK, RUN_FACTS, EVENTS_LOG))
    }


def test_workers_that_share_nothing_give_the_same_bytes(around: Surroundings) -> None:
    road(str(around.folder), str(around.folder / "raw"), flags=[])
    with pool_apart(around.cable, around.jobs, around.machine()) as workers:
        road(around.bucket, f"{around.bucket}/raw", flags=around.flags(workers))
    expected = hashes(str(around.folder))
    assert len(expected) > 12
    assert hashes(around.bucket) == expected


def extract_again(around: Surroundings, machine: OtherMachine, output: str) -> int:
    """Run a small `extract` with workers of a machine; return its exit code."""
    with pool_apart(around.cable, around.jobs, machine) as workers:
        return main(["extract", "--pubmed", f"{around.bucket}/raw/pubmed", "--output", output, *around.flags(workers)])


@pytest.mark.parametrize(
    ("lack", "code", "words"),
    [
        ("credentials", 2, "the store wants credentials, and there are none"),
        ("library of the store", 2, "a worker lacks what this command has (No module named 's3fs')"),
        ("package", 2, "a worker lacks what this command has (No module named 'corpus."),
        ("version", 2, "a worker has another corpuscle than this command"),
        ("disk", 2, "its workers wrote to disks of their own"),
    ],
)
def test_what_a_worker_lacks_is_named(
    around: Surroundings, lack: str, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine, output = around.machine(), f"{around.bucket}/lacks/{lack}"
    if lack == "credentials":
        machine = around.machine(variables=around.store)
    elif lack == "library of the store":
        machine = around.machine(replaced=without_s3fs(tmp_path))
    elif lack == "package":
        machine = around.machine(hidden=(around.folder, REPOSITORY / "corpus"))
    elif lack == "version":
        machine = around.machine(replaced={REPOSITORY / "corpus": other_version(tmp_path)})
    else:
        output = str(around.folder / "a disk of this machine")
    assert extract_again(around, machine, output) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def without_s3fs(folder: Path) -> dict[Path, Path]:
    """Return what to put in the place of s3fs: a package that is not there, as its import says it."""
    import s3fs

    (folder / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 's3fs'\", name='s3fs')\n")
    return {Path(s3fs.__file__).parent: folder}


def other_version(folder: Path) -> Path:
    """Return a copy of our code in which one line is another."""
    shutil.copytree(REPOSITORY / "corpus", folder / "corpus")
    with open(folder / "corpus" / "records.py", "a", encoding="utf-8") as source:
        source.write("# as of another day\n")
    return folder / "corpus"
