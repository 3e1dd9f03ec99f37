"""Splits without documents have no files; Hugging Face's datasets, where it is installed, loads each corpus."""

from importlib.metadata import version
from pathlib import Path

import pytest

from corpus.stage.manifest import read_manifest
from pipelines.assemble.summary import shards_line
from tests.benchmarks.loaders import loaded, make_corpora, rows_of

SPLITS_OF = {
    "three splits": ["train", "validation", "test"],
    "no validation": ["train", "test"],
    "train alone": ["train"],
    "no train": ["validation"],
}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_corpora(tmp_path_factory.mktemp("corpora"))


@pytest.mark.slow
def test_a_split_without_documents_has_no_files_and_is_named(corpora: dict[str, Path]) -> None:
    for name, corpus in corpora.items():
        found = rows_of(corpus)
        assert [*found] == SPLITS_OF[name]
        assert all(found.values())
        assert {path.name for path in corpus.iterdir() if path.is_dir()} == {"decisions", *found}
        line = shards_line(read_manifest(str(corpus), "assemble"))
        assert ("validation no document, so no shard" in line) is (name in ("no validation", "train alone"))
        assert ("train no document" in line) is (name == "no train")


@pytest.mark.slow
def test_datasets_loads_each_corpus(corpora: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="not installed here; `python -m tests.benchmarks.loaders` fetches it")
    found = loaded(version("datasets"), [*corpora.values()], folder=tmp_path)
    for (name, corpus), answers in zip(corpora.items(), found, strict=True):
        assert answers == [rows_of(corpus)] * 2, name
