"""What `extract` does when something is wrong: damaged files, rejects, nothing to read."""

import gzip
import os
import sys
from pathlib import Path

import pytest

from corpus.errors import CorruptError, DataError, UsageError
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import Books, has_manifest
from corpus.stage.reject_limit import allowed_rejects
from corpus.storage.parquet import read_table
from pipelines.beam.flags import WORKERS
from pipelines.cli.app import main
from pipelines.extract import extract

CITATION = b"""<PubmedArticle><MedlineCitation><PMID Version="1">%d</PMID><Article><Journal><Title>J</Title></Journal>
<ArticleTitle>T%d</ArticleTitle></Article></MedlineCitation></PubmedArticle>"""
BAD = CITATION.replace(b"%d", b"7").replace(b"<ArticleTitle>", b"<ArticleTitle><i>")


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


def named(folder: Path, name: bytes) -> Path:
    """Return a path whose name is no UTF-8."""
    return Path(os.fsdecode(os.fsencode(folder) + b"/" + name))


@pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="elsewhere every name is text")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_names_that_are_no_utf8_are_escaped_wherever_they_are_written(tmp_path: Path, workers: int) -> None:
    raw, tree = tmp_path / "raw", named(tmp_path, b"tr\xe9e")
    article = b"<article><front><article-meta><article-id pub-id-type='pmcid'>PMC5</article-id></article-meta></front>"
    raw.mkdir()
    write(named(raw, b"pubmed\xff\xfe.xml"), [1, 2], bad=BAD)
    write(named(raw, b"pubmed\xff.xml"), [3])
    tree.mkdir()
    for name in (b"m\xe9.nxml", b"m\xe8.nxml"):
        named(tree, name).write_bytes(article + b"<body><p>T</p></body></article>")
    config = ExtractConfig(pubmed=(str(raw),), pmc=(str(tree),))
    manifest = extract(config, output=str(tmp_path / "out"), beam_args=[f"{WORKERS}={workers}"])
    assert manifest is not None
    assert [item.name for item in manifest.inputs] == ["articles-00000", "pubmed\\xff", "pubmed\\xff\\xfe"]
    rows = [row for path in manifest.paths(str(tmp_path / "out"), "records") for row in read_table(path).to_pylist()]
    assert sorted({row["file"] for row in rows}) == [
        *("m\\xe8.nxml", "m\\xe9.nxml", "pubmed\\xff.xml", "pubmed\\xff\\xfe.xml"),
    ]
    [reject] = [
        row for path in manifest.paths(str(tmp_path / "out"), "rejects") for row in read_table(path).to_pylist()
    ]
    assert reject["file"] == "pubmed\\xff\\xfe.xml"
    assert extract(config, output=str(tmp_path / "out")) == manifest, "what was written is read again"


def test_a_damaged_file_is_named_though_its_name_is_no_utf8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named(tmp_path, b"p\xff.xml").write_bytes(b"<PubmedArticleSet>")
    named(tmp_path, b"q\xff.zip").write_bytes(b"")
    assert main(["extract", "--pubmed", str(tmp_path), "--output", str(tmp_path / "out")]) == 4
    error = capsys.readouterr().err
    assert f"{tmp_path}/p\\xff.xml: does not end with" in error
    assert f"not read: {tmp_path}/q\\xff.zip\n" in error
    with pytest.raises(CorruptError) as failure:
        extract(ExtractConfig(pubmed=(str(tmp_path),)), output=str(tmp_path / "out"))
    assert str(failure.value).encode(), "a worker's error is sent as UTF-8"


def test_a_name_like_an_escaped_one_is_refused_beside_it(tmp_path: Path) -> None:
    for name in (b"p\xff.xml", rb"p\xff.xml"):
        write(named(tmp_path, name), [1])
    with pytest.raises(UsageError, match="different files share one name"):
        extract(ExtractConfig(pubmed=(str(tmp_path),)), output=str(tmp_path / "out"))


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


ARTICLE = b"""<?xml version="1.0"?>\n<!DOCTYPE article PUBLIC "-//NLM//DTD" "x.dtd">
<!-- <PubmedArticleSet> -->
<article><front><article-meta><article-id pub-id-type="pmcid">PMC%d</article-id></article-meta></front>
<body><p>T</p></body></article>"""


def jats(folder: Path, count: int) -> Path:
    """Write articles to a folder, one of them compressed."""
    folder.mkdir()
    for number in range(1, count + 1):
        raw = ARTICLE % number
        (folder / f"PMC{number:02d}.xml.gz").write_bytes(gzip.compress(raw) if number == 2 else raw)
    return folder


def test_files_of_the_other_kind_are_named_in_a_few_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*arguments: Path | str) -> tuple[int, str]:
        code = main(["extract", *map(str, arguments), "--output", str(tmp_path / "out")])
        error = capsys.readouterr().err
        assert len(error.splitlines()) <= 4
        return code, error

    articles, records = jats(tmp_path / "jats", 30), tmp_path / "pubmed"
    records.mkdir()
    for number in range(1, 5):
        write(records / f"pubmed26n000{number}.xml", [number])
    first = ", ".join(f"{articles}/PMC0{number}.xml.gz" for number in (1, 2, 3)) + ", …"
    hold = f"30 files hold JATS articles, given as --pubmed: {first}\nGive them as --pmc.\n"
    assert refused("--pubmed", articles) == (2, f"error: {hold}")
    assert not (tmp_path / "out").exists(), "found before anything is read"
    code, error = refused("--pubmed", articles, "--pubmed", records)
    assert (code, hold in error) == (4, True)
    first = ", ".join(f"{records}/pubmed26n000{number}.xml" for number in (1, 2, 3)) + ", …"
    hold = f"4 files hold PubMed records, given as --pmc: {first}\nGive them as --pubmed.\n"
    assert refused("--pmc", records) == (2, f"error: {hold}")
    code, error = refused("--pmc", records, "--pmc", articles)
    assert (code, hold in error) == (4, True)
    (records / "pubmed26n0001.xml").write_text("<PubmedArticleSet>")
    code = main(["extract", "--pubmed", str(articles), "--pubmed", str(records), "--output", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert (code, "30 files hold" in error, "1 input file(s) are damaged" in error) == (4, True, True)


def test_nothing_to_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no input"):
        extract(ExtractConfig(), output=str(tmp_path))
    with pytest.raises(UsageError, match="nowhere"):
        extract(ExtractConfig(pubmed=(str(tmp_path / "nowhere"),)), output=str(tmp_path))
