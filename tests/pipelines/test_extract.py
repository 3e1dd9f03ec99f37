"""What `extract` does when something is wrong: damaged files, rejects, nothing to read."""

import os
from pathlib import Path

import pytest

from corpus.errors import CorruptError, DataError, UsageError
from corpus.extract.config import ExtractConfig
from corpus.extract.task import allowed_rejects
from corpus.stage.manifest import Books, has_manifest
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


BAD = CITATION.replace(b"%d", b"7").replace(b"<ArticleTitle>", b"<ArticleTitle><i>")


def test_too_many_rejects_stop_the_stage_and_name_the_file_and_the_option(tmp_path: Path) -> None:
    source = write(tmp_path / "pubmed26n0001.xml", list(range(1, 10)), bad=BAD)
    found = r"1 of 10 records were rejected.* pubmed26n0001 \(1 of 10\).* --max-reject-rate$"
    with pytest.raises(DataError, match=found):
        extract(ExtractConfig(pubmed=(str(source),), max_reject_rate=0), output=str(tmp_path / "strict"))
    loose = ExtractConfig(pubmed=(str(source),), max_reject_rate=0.1)
    manifest = extract(loose, output=str(tmp_path / "loose"))
    assert manifest is not None
    assert (manifest.books.read, manifest.books.kept, manifest.books.dropped) == (10, 9, {"bad_xml": 1})
    reject = read_table(manifest.paths(str(tmp_path / "loose"), "rejects")[0]).to_pylist()[0]
    assert (reject["file"], reject["doc_id"]) == ("pubmed26n0001.xml", "pmid:7")
    assert source.read_bytes()[reject["offset"] :].startswith(b"<PubmedArticle>")
    assert b"<PMID" in reject["raw"]
    assert reject["offset"] == source.read_bytes().rindex(b"<PubmedArticle>")


def test_a_few_bad_records_do_not_stop_a_small_job(tmp_path: Path) -> None:
    source = write(tmp_path / "pubmed26n0001.xml", list(range(10, 40)), bad=3 * BAD)
    manifest = extract(ExtractConfig(pubmed=(str(source),)), output=str(tmp_path / "few"))
    assert manifest is not None
    assert (manifest.books.kept, manifest.books.dropped) == (30, {"bad_xml": 3})
    write(source, list(range(10, 40)), bad=4 * BAD)
    with pytest.raises(DataError, match="4 of 34 records were rejected"):
        extract(ExtractConfig(pubmed=(str(source),)), output=str(tmp_path / "many"))


@pytest.mark.parametrize(
    ("read", "rate", "allowed"),
    [
        *((1, 0.001, 0), (2, 0.001, 1), (31, 0.001, 3), (999, 0.001, 3), (999, 0.0, 0), (100, 0.5, 50)),
        *((1000, 0.001, 1), (1999, 0.001, 1), (10_000, 0.001, 10), (10_000, 0.0, 0), (3, 1.0, 3)),
    ],
)
def test_the_share_counts_from_a_thousand_records_on_and_below_it_a_few_pass(
    read: int, rate: float, allowed: int
) -> None:
    def passes(rejected: int) -> bool:
        books = Books(read=read, kept=read - rejected, dropped={"bad_xml": rejected})
        return rejected <= allowed_rejects(books, rate)

    assert [passes(rejected) for rejected in range(min(read, allowed + 2) + 1)] == [
        rejected <= allowed for rejected in range(min(read, allowed + 2) + 1)
    ]


def test_nothing_to_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no input"):
        extract(ExtractConfig(), output=str(tmp_path))
    with pytest.raises(UsageError, match="nowhere"):
        extract(ExtractConfig(pubmed=(str(tmp_path / "nowhere"),)), output=str(tmp_path))
