"""`inspect --id` by PMID, DOI and words of a title: the documents that Python finds in the same rows."""

import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.errors import UsageError
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import read_manifest
from pipelines.assemble.pipeline import AssembleConfig, assemble
from pipelines.cli.app import main
from pipelines.extract import extract
from pipelines.inspection.naming import are_one_paper, named_documents
from pipelines.inspection.stages import inspect_path


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Path:
    """Records and corpus of 1,200 real citations, some with a DOI."""
    folder = tmp_path_factory.mktemp("naming")
    files = tuple(str(path) for name in ("samples", "derived") for path in (real_data / "pubmed" / name).glob("*.gz"))
    extract(ExtractConfig(pubmed=files), output=str(folder / "records"))
    assemble(AssembleConfig(), records=str(folder / "records"), output=str(folder / "corpus"))
    return folder


def files(folder: Path) -> list[str]:
    return sorted(map(str, folder.rglob("*.parquet")))


def test_dois_and_titles_find_what_python_finds(work: Path) -> None:
    paths = files(work / "records")
    rows = [row for path in paths for row in pq.read_table(path, columns=["doc_id", "doi", "title"]).to_pylist()]
    rng = random.Random(5)
    dois = rng.sample(sorted({row["doi"] for row in rows if row["doi"]}), 20)
    for doi in dois:
        expected = list(dict.fromkeys(row["doc_id"] for row in rows if row["doi"] == doi))
        for spelling in (doi, f"https://doi.org/{doi.upper()}", f"doi:{doi}"):
            assert [one.doc_id for one in named_documents(paths, spelling)] == expected
    for row in rng.sample(rows, 20):
        words = [word for word in row["title"].split() if len(word) > 4][:3] or row["title"].split()[:1]
        asked = " ".join(reversed(words)).upper()
        if not asked or "/" in asked:
            continue
        expected = list(
            dict.fromkeys(
                other["doc_id"] for other in rows if all(word.lower() in other["title"].lower() for word in words)
            )
        )
        assert row["doc_id"] in expected
        assert [one.doc_id for one in named_documents(paths, asked)] == expected


def test_a_corpus_is_searched_by_the_first_line_of_its_texts(work: Path) -> None:
    manifest = read_manifest(str(work / "corpus"))
    (path,) = manifest.paths(str(work / "corpus"), "train")
    rows = pq.read_table(path, columns=["doc_id", "text"]).to_pylist()
    for row in rows[::100]:
        title = row["text"].split("\n")[0]
        same = [other["doc_id"] for other in rows if title.lower() in other["text"].split("\n")[0].lower()]
        found = [one.doc_id for one in named_documents([path], title)]
        assert set(same) <= set(found)
    body = next(word for word in rows[0]["text"].split()[::-1] if word not in rows[0]["text"].split("\n")[0])
    assert rows[0]["doc_id"] not in [one.doc_id for one in named_documents([path], body)]


def test_the_command_shows_one_paper_and_lists_several(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = pq.read_table(files(work / "records")[0], columns=["doc_id", "pmid", "title"]).to_pylist()[7]
    by_id = inspect_path(str(work / "records"), row["doc_id"])
    assert inspect_path(str(work / "records"), str(row["pmid"])) == by_id
    assert inspect_path(str(work / "records"), row["title"]) == by_id
    listed = inspect_path(str(work / "records"), "of the")
    assert "documents have these words in their titles; name one by its id" in listed
    assert "more; give more words" in listed
    chosen = listed.split("\n")[1].split()[0]
    assert f"doc_id: {chosen}" in inspect_path(str(work / "records"), chosen), "the advice works"
    with pytest.raises(UsageError, match="a DOI or words of the title do as well"):
        inspect_path(str(work / "records"), "zzzyzx")
    assert main(["inspect", str(work / "records"), "--id", "of the", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert not are_one_paper(named_documents(files(work / "records"), "of the"))
    assert {one["file"] for one in rows} == {None}
    assert {one["row"]["doc_id"] for one in rows} >= {chosen}
