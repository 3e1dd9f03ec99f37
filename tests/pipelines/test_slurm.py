"""The corpus on a real Slurm cluster of two nodes: array of shards, join and the stages after it, by one command."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.assemble.config import AssembleConfig
from corpus.extract.config import ExtractConfig
from corpus.synthetic.sample.write import Sample, write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from tests.conftest import REPOSITORY
from tests.pipelines.test_join import hashes
from tests.support.slurm_cluster import SlurmCluster, slurm_cluster

pytestmark = pytest.mark.slow

SCRIPT = REPOSITORY / "configs/deploy/corpus.slurm"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(str(tmp_path_factory.mktemp("raw")), seed=4, scale=0.05)


def submit(cluster: SlurmCluster, sample: Sample, work: Path) -> str:
    settings = {
        "PUBMED": str(Path(sample.pubmed[0]).parent), "WORK": str(work), "SHARDS": "2", "VENV": sys.prefix,
        "TOKENIZER_OPTIONS": "--vocab-size 300", "PACK_OPTIONS": "--seq-length 32",
    }  # fmt: skip
    said = cluster.run(str(SCRIPT), **settings)
    cluster.wait()
    return said


def logs(work: Path) -> str:
    return "\n".join(f"{path.name}: {path.read_text()}" for path in sorted((work / "logs").iterdir()))


def test_one_command_builds_the_corpus_and_again_what_is_missing(
    cluster: SlurmCluster, sample: Sample, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    said = submit(cluster, sample, work)
    assert "2 of 2 shards are missing" in said
    assert (work / "tokens" / "manifest.json").is_file(), logs(work)
    assert "error" not in logs(work).lower()
    pubmed = (str(Path(sample.pubmed[0]).parent),)
    extract(ExtractConfig(pubmed=pubmed), output=str(tmp_path / "records"))
    assemble(AssembleConfig(), records=str(tmp_path / "records"), output=str(tmp_path / "corpus"))
    for name in ("records", "corpus"):
        assert hashes(work / name) == hashes(tmp_path / name)
    lost = work / "shards" / "2"
    subprocess.run(["rm", "-r", str(lost), str(work / "records")], check=True)  # a task that was lost
    assert "1 of 2 shards are missing" in submit(cluster, sample, work)
    assert hashes(work / "records") == hashes(tmp_path / "records")
