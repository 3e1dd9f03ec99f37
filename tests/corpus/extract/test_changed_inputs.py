"""An input that is another one when it is read than when it was hashed: named, and nothing is committed."""

import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from corpus.errors import CorruptError, RetryError
from corpus.extract import task as extract
from corpus.extract.config import ExtractConfig
from corpus.extract.inputs import InputTask, find_inputs
from corpus.extract.task import conclude, extract_task
from corpus.stage.manifest import Input, has_manifest
from corpus.stage.workspace import Workspace, plan_stage

CITATION = '<PubmedArticle><MedlineCitation><PMID Version="1">{}</PMID><Article><ArticleTitle>T</ArticleTitle></Article></MedlineCitation></PubmedArticle>'  # noqa: E501
ARTICLE = '<article><front><article-meta><article-id pub-id-type="pmcid">PMC5</article-id></article-meta></front><body><p>{}</p></body></article>'  # noqa: E501


def citations(path: Path, pmid: int) -> None:
    path.write_text(f"<PubmedArticleSet>{CITATION.format(pmid)}</PubmedArticleSet>", encoding="utf-8")


def article(path: Path, number: int) -> None:
    path.write_text(ARTICLE.format(number), encoding="utf-8")


def tar(path: Path, number: int) -> None:
    article(path.with_suffix(".nxml"), number)
    with tarfile.open(path, "w") as archive:
        archive.add(path.with_suffix(".nxml"), "PMC5.nxml")
    path.with_suffix(".nxml").unlink()


def metadata(path: Path, number: int) -> None:
    article(path.with_suffix(".nxml"), 1)
    path.write_text(f'{{"pmcid": "PMC5", "version": 1, "pmid": {number}}}', encoding="utf-8")


def file_list(path: Path, number: int) -> None:
    article(path.with_name("PMC5.nxml"), 1)
    path.write_text(f"Article File,Accession ID,PMID,License\na,PMC5,{number},CC BY\n", encoding="utf-8")


KINDS: dict[str, Callable[[Path, int], None]] = {
    "pubmed26n0001.xml": citations,
    "PMC5.nxml": article,
    "bulk.tar": tar,
    "PMC5.json": metadata,
    "oa_file_list.csv": file_list,
}


def planned(folder: Path, output: Path) -> tuple[InputTask, Workspace]:
    pubmed = [str(path) for path in folder.glob("pubmed*")]
    (task,) = find_inputs(pubmed=pubmed, pmc=[] if pubmed else [str(folder)], articles_per_part=500)
    inputs = [Input(name=task.name, fingerprint=task.fingerprint)]
    return task, plan_stage(str(output), stage="extract", revision=1, config={}, inputs=inputs)[0]


def run(task: InputTask, workspace: Workspace) -> None:
    conclude([extract_task(task, workspace, ExtractConfig())], workspace, ExtractConfig())


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_changes_after_it_was_hashed_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "raw" / name
    path.parent.mkdir()
    KINDS[name](path, 1)
    run(*planned(path.parent, tmp_path / "undisturbed"))
    task, workspace = planned(path.parent, tmp_path / "out")
    times = os.stat(path)
    KINDS[name](path, 2)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(RetryError, match=rf"1 input file changed or vanished after the start.*{name}"):
        run(task, workspace)
    assert not has_manifest(workspace.output)
    run(*planned(path.parent, tmp_path / "out"))  # the same command again takes the file as it is now
    assert has_manifest(workspace.output)


def test_a_file_that_changes_while_it_is_read_and_back_again_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pubmed26n0001.xml"
    citations(path, 1)
    task, workspace = planned(tmp_path, tmp_path / "out")
    real = extract.read_pubmed_xml

    def swapped(place: str) -> object:
        citations(path, 2)
        found = list(real(place))
        citations(path, 1)
        return iter(found)

    monkeypatch.setattr(extract, "read_pubmed_xml", swapped)
    with pytest.raises(RetryError, match="changed or vanished"):
        run(task, workspace)


@pytest.mark.parametrize("place", ["PMC5.json", "metadata/PMC5.json", "../metadata/PMC5.json"])
def test_metadata_that_comes_beside_an_article_after_the_search_is_named(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    article(folder / "PMC5.nxml", 1)
    task, workspace = planned(folder, tmp_path / "out")
    fresh = folder / place
    fresh.parent.mkdir(exist_ok=True)
    fresh.write_text('{"pmcid": "PMC5", "version": 1, "pmid": 7}')
    with pytest.raises(RetryError, match=r"1 input file changed or vanished after the start.*PMC5\.json"):
        run(task, workspace)
    assert not has_manifest(workspace.output)
    run(*planned(folder, tmp_path / "out"))
    assert has_manifest(workspace.output)


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pubmed26n0001.xml"
    citations(path, 1)
    task, workspace = planned(tmp_path, tmp_path / "out")
    path.unlink()
    with pytest.raises(RetryError, match=r"vanished after the start.*pubmed26n0001\.xml"):
        run(task, workspace)


def test_a_file_that_was_only_touched_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pubmed26n0001.xml"
    citations(path, 1)
    task, workspace = planned(tmp_path, tmp_path / "out")
    citations(path, 1)
    os.utime(path, (1, 1))
    run(task, workspace)
    assert has_manifest(workspace.output)


def test_a_file_of_a_mirror_that_is_not_what_its_fetch_says_is_damaged(tmp_path: Path) -> None:
    citations(tmp_path / "pubmed26n0001.xml", 1)
    task, workspace = planned(tmp_path, tmp_path / "out")
    stated = replace(task, files=tuple(replace(file, sha256="0" * 64, stated=True) for file in task.files))
    with pytest.raises(CorruptError, match=r"1 file is not what the manifest of their fetch says.*--verify"):
        run(stated, workspace)
