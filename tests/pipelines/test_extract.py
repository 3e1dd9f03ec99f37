"""What `extract` does when something is wrong: damaged files, rejects, nothing to read."""

import os
from pathlib import Path

import pytest

from corpus.errors import CorruptError, DataError, UsageError
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import has_manifest
from corpus.storage.parquet import read_table
from pipelines.extract import extract

CITATION = b"""<PubmedArticle><MedlineCitation><PMID Version="1">%d</PMID><Article><Journal><Title>J</Title></Journal>
<ArticleTitle>T%d</ArticleTitle></Article></MedlineCitation></PubmedArticle>"""


def write(path: Path, pmids: list[int], *, bad: bytes = b"") -> Path:
    path.write_bytes(b"<PubmedArticleSet>%s%s</PubmedArticleSet>" % (b"".join(CITATION % (n, n) for n in pmids), bad))
    return path


def test_a_damaged_file_stops_the_commit_and_the_others_are_not_read_again(tmp_path: Path) -> None:
    good = write(tmp_path / "pubmed26n0001.xml", [1, 2, 3])
    damaged = write(tmp_path / "pubmed26n0002.xml", [4])
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-10])
    config, output = ExtractConfig(pubmed=(str(good), str(damaged))), tmp_path / "records"
    with pytest.raises(CorruptError, match=r"1 input file\(s\) are damaged[^:]*:\n  .*pubmed26n0002\.xml: "):
        extract(config, output=str(output))
    assert not has_manifest(str(output))
    assert os.listdir(output / "records") == ["pubmed26n0001.parquet"]
    part = output / "records" / "pubmed26n0001.parquet"
    written = part.stat().st_mtime_ns
    damaged.write_bytes(whole)
    manifest = extract(config, output=str(output))
    assert manifest is not None
    assert manifest.books.kept == 4
    assert part.stat().st_mtime_ns == written, "the good file's part is the one of the first run"


def test_too_many_rejects_stop_the_stage_and_name_the_file(tmp_path: Path) -> None:
    bad = CITATION.replace(b"%d", b"7").replace(b"<ArticleTitle>", b"<ArticleTitle><i>")
    source = write(tmp_path / "pubmed26n0001.xml", list(range(1, 10)), bad=bad)
    with pytest.raises(DataError, match=r"1 of 10 records were rejected.* pubmed26n0001 \(1 of 10\)"):
        extract(ExtractConfig(pubmed=(str(source),)), output=str(tmp_path / "strict"))
    loose = ExtractConfig(pubmed=(str(source),), max_reject_rate=0.1)
    manifest = extract(loose, output=str(tmp_path / "loose"))
    assert manifest is not None
    assert (manifest.books.read, manifest.books.kept, manifest.books.dropped) == (10, 9, {"bad_xml": 1})
    reject = read_table(manifest.paths(str(tmp_path / "loose"), "rejects")[0]).to_pylist()[0]
    assert (reject["file"], reject["doc_id"]) == ("pubmed26n0001.xml", "pmid:7")
    assert source.read_bytes()[reject["offset"] :].startswith(b"<PubmedArticle>")
    assert b"<PMID" in reject["raw"]
    assert reject["offset"] == source.read_bytes().rindex(b"<PubmedArticle>")


def test_nothing_to_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no input"):
        extract(ExtractConfig(), output=str(tmp_path))
    with pytest.raises(UsageError, match="nowhere"):
        extract(ExtractConfig(pubmed=(str(tmp_path / "nowhere"),)), output=str(tmp_path))
