"""Cuts by metadata and lists of ids: the books against DuckDB on the records, unknown words, lists that fail."""

from pathlib import Path

import duckdb
import pytest

from corpus.assemble.config import AssembleConfig, WhereConfig
from corpus.assemble.cut import CUT_REASONS, read_cut
from corpus.errors import UsageError
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import read_manifest
from corpus.storage.parquet import read_table
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.cli.app import main
from pipelines.extract import extract
from tests.corpus.assemble.test_retraction_watch import event, listed
from tests.support.cut_oracle import RecordsInDuckDb, counted_by_code, parts_of, random_cuts

pytestmark = pytest.mark.slow
CUTS = {str(reason) for reason in CUT_REASONS}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("cut")
    sample = write_sample(str(folder / "raw"), scale=0.1)
    config = ExtractConfig(pubmed=sample.pubmed, pmc=(sample.pmc_tree, sample.pmc_tar))
    assert extract(config, output=str(folder / "records")) is not None
    return str(folder / "records")


def test_thirty_random_cuts_count_as_duckdb_counts(records: str, tmp_path: Path) -> None:
    parts = parts_of(records)
    database = RecordsInDuckDb(parts)
    met = set[str]()
    for where in random_cuts(database, tmp_path, count=30, seed=1):
        counted = counted_by_code(parts, where)
        assert counted == database.counts(where), where
        met |= {reason for reason, number in counted.items() if number}
    assert met == {"", *CUTS}


def test_the_books_of_a_cut_corpus_are_those_counts_and_its_rows_say_why(records: str, tmp_path: Path) -> None:
    parts = parts_of(records)
    database = RecordsInDuckDb(parts)
    listed = tmp_path / "ids.txt"
    listed.write_text("# chosen\n" + "\n".join(database.values("doi")[::2]) + "\nPMC1 # one more\n\n")
    mesh = database.values("mesh", listed=True)[:3]
    where = WhereConfig(years="1990-", mesh=mesh, ids=(str(listed),))
    manifest = assemble(AssembleConfig(where=where), records=records, output=str(tmp_path / "corpus"))
    assert manifest is not None
    counted = counted_by_code(parts, where)
    assert {name: manifest.books.dropped[name] for name in CUTS & {*manifest.books.dropped}} == {
        name: number for name, number in counted.items() if name
    }
    assert len(counted) > 3
    shards = f"{tmp_path}/corpus/*/part-*-of-*.parquet"
    rows = duckdb.sql(f"SELECT source, year, mesh, jats_type, language FROM '{shards}'").fetchall()
    assert rows
    assert all(year >= 1990 for _, year, _, _, _ in rows)
    assert all(set(stated) & set(mesh) for source, _, stated, _, _ in rows if source == "pubmed")
    assert {kind != "" for source, _, _, kind, _ in rows} == {source == "pmc" for source, *_ in rows}
    assert {language for *_, language in rows} <= {"en", ""}


def test_an_excluded_paper_leaves_in_both_sources_and_all_others_stay(records: str, tmp_path: Path) -> None:
    found = duckdb.sql(
        f"SELECT c.pmid, a.pmcid, a.doi FROM '{records}/records/*.parquet' c JOIN '{records}/records/*.parquet' a "
        "ON c.pmcid = a.pmcid WHERE c.kind = 'citation' AND a.kind = 'article' AND a.doi IS NOT NULL ORDER BY 1 LIMIT 9"
    ).fetchall()
    unwanted = tmp_path / "unwanted.txt"
    unwanted.write_bytes(f"\ufeffhttps://doi.org/{found[0][2].upper()}\r\n".encode())
    whole, less = str(tmp_path / "whole"), str(tmp_path / "less")
    assemble(AssembleConfig(), records=records, output=whole)
    assert main(["assemble", "--records", records, "-o", less, "--exclude", str(unwanted)]) == 0
    first, second = (
        {row["doc_id"]: row["reason"] for path in read_manifest(place, "assemble").paths(place, "decisions")
         for row in read_table(path).to_pylist() if row["reason"] not in ("superseded", "older_version", "deleted")}
        for place in (whole, less)
    )  # fmt: skip
    gone = {name for name, reason in second.items() if reason == "excluded"}
    assert {f"pmid:{found[0][0]}"} < gone
    assert any(name.startswith(f"pmc:PMC{found[0][1]}.") for name in gone)
    assert all(second[name] == reason for name, reason in first.items() if name not in gone and not second[name])


def test_a_list_of_retractions_holds_for_both_sources_by_doi_too(records: str, tmp_path: Path) -> None:
    found = duckdb.sql(
        f"SELECT c.doc_id, a.doc_id, a.doi FROM '{records}/records/*.parquet' c JOIN '{records}/records/*.parquet' a "
        "ON c.pmcid = a.pmcid WHERE c.kind = 'citation' AND a.kind = 'article' AND a.doi IS NOT NULL "
        "AND NOT c.retracted AND NOT a.retracted AND len(a.body) > 3 ORDER BY c.pmid DESC LIMIT 3"
    ).fetchall()
    path = tmp_path / "retraction_watch.csv"
    path.write_bytes(listed([event("unavailable", doi.upper()) for _, _, doi in found]))
    dropped, tagged = str(tmp_path / "dropped"), str(tmp_path / "tagged")
    given = ["assemble", "--records", records, "--retractions", str(path), "--languages", "", "--license", "any", "-o"]
    assert main([*given, dropped]) == 0
    assert main([*given, tagged, "--retracted", "tag"]) == 0
    manifest = read_manifest(dropped, "assemble")
    assert [one.name for one in manifest.inputs] == ["extract", "retractions"]
    rows = [row for part in manifest.paths(dropped, "decisions") for row in read_table(part).to_pylist()]
    reasons = {row["doc_id"]: row["reason"] for row in rows if row["reason"] not in ("superseded", "older_version")}
    assert {reasons[name] for citation, article, _ in found for name in (citation, article)} == {"retracted"}
    articles = ", ".join(f"'{article}'" for _, article, _ in found)
    shards = f"'{tagged}/*/part-*-of-*.parquet'"
    texts = duckdb.sql(f"SELECT text, retracted FROM {shards} WHERE doc_id IN ({articles})").fetchall()
    assert len(texts) == len(found)
    assert all(text.startswith("[Retracted Publication]\n\n") and retracted for text, retracted in texts)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--mesh", "Human", "--mesh", "zzzz"], ["--mesh 'Human': no record has it; the nearest are 'Humans'",
                                                  "--mesh 'zzzz': no record has it; nothing like it"]),
        (["--publication-type", "journal artcle"], ["the nearest are 'Journal Article'"]),
        (["--jats-type", "research"], ["the nearest are 'research-article'"]),
        (["--years", "2020-2010"], ["--years: 2020-2010 ends before it begins"]),
        (["--years", "20xx"], ["--years: expected years as 2010-2020"]),
        (["--ids", "nowhere.txt"], ["nowhere.txt: there is no such file; check --ids"]),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_told_before_any_work(
    given: list[str], told: list[str], records: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "corpus"
    assert main(["assemble", "--records", records, "-o", str(output), *given]) == 2
    said = capsys.readouterr().err
    assert all(text in said for text in told), said
    assert not (output / "manifest.json").exists()


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "10.1000/x\nNCT00000102\n", "PMC12x\n", "\xff"])
def test_a_list_that_names_no_paper_is_refused_with_its_line(text: str, records: str, tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"expected a PMID \(30039426\)") as raised:
        assemble(AssembleConfig(where=WhereConfig(ids=(str(path),))), records=records, output=str(tmp_path / "c"))
    assert "NCT" not in text or "ids.txt, line 2: 'NCT00000102'" in str(raised.value)


def test_another_list_is_another_input(tmp_path: Path) -> None:
    path, made = tmp_path / "ids.txt", []
    for lines in ("1\n2\n", "1\n3\n"):
        path.write_text(lines)
        made += read_cut(AssembleConfig(where=WhereConfig(ids=(str(path),)))).inputs
    assert [one.name for one in made] == ["ids", "ids"]
    assert made[0] != made[1]


ARTICLE = """<article article-type="research-article"><front><article-meta>
<article-id pub-id-type="pmcid">PMC{pmcid}</article-id>
<title-group><article-title>Title {pmcid}</article-title></title-group>
<pub-date><year>2001</year></pub-date><permissions><license license-type="open-access">
<license-p>https://creativecommons.org/licenses/{terms}/4.0/</license-p></license></permissions></article-meta></front>
<body><p>The mice of study {pmcid} lived for a long time in version {version} and were never asked about it by anyone
of those who wrote this paper, which is long enough to be kept.</p></body></article>"""
VERSIONS = [(1, 1, "by"), (1, 2, "by-nc"), (2, 1, "by"), (2, 2, "by"), (3, 1, "by-nc"), (3, 2, "by-nc-nd")]


@pytest.mark.parametrize("chosen", ["newest", "newest-allowed"])
def test_an_older_version_that_may_be_used_takes_the_place_of_the_newest(chosen: str, tmp_path: Path) -> None:
    for pmcid, version, terms in VERSIONS:
        path = tmp_path / "tree" / f"PMC{pmcid}.{version}" / f"PMC{pmcid}.{version}.xml"
        path.parent.mkdir(parents=True)
        path.write_text(ARTICLE.format(pmcid=pmcid, version=version, terms=terms))
    records, corpus = str(tmp_path / "records"), str(tmp_path / "corpus")
    assert extract(ExtractConfig(pmc=(str(tmp_path / "tree"),)), output=records) is not None
    given = ["assemble", "--records", records, "-o", corpus, "--license", "commercial", "--languages", ""]
    assert main([*given, "--article-version", chosen]) == 0
    paths = read_manifest(corpus, "assemble").paths(corpus, "decisions")
    rows = {row["doc_id"].removeprefix("pmc:"): row for path in paths for row in read_table(path).to_pylist()}
    allowed = chosen == "newest-allowed"
    assert {name: row["reason"] for name, row in rows.items()} == {
        "PMC1.1": "" if allowed else "older_version",
        "PMC1.2": "license",
        "PMC2.1": "older_version",
        "PMC2.2": "",
        "PMC3.1": "older_version",
        "PMC3.2": "license",
    }
    assert rows["PMC1.2"]["survivor"] == ("pmc:PMC1.1" if allowed else "")
    assert rows["PMC3.1"]["survivor"] == "pmc:PMC3.2"


@pytest.mark.slow
def test_a_cut_that_keeps_nothing_warns_and_the_next_stage_refuses_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = write_sample(str(tmp_path / "raw"), seed=2, scale=0.02)
    records, corpus = str(tmp_path / "records"), str(tmp_path / "corpus")
    assert main(["extract", "--pubmed", *sample.pubmed, "--output", records]) == 0
    assert main(["assemble", "--records", records, "--output", corpus, "--years", "1000-1001"]) == 0
    said = capsys.readouterr().err
    assert f"warning: {corpus}: no document of" in said
    assert "most often for `year`" in said
    assert main(["inspect", records]) == 0, "the advice works"
    assert read_manifest(corpus, "assemble").books.kept == 0
    assert main(["tokenizer", "--corpus", corpus, "--output", str(tmp_path / "tokenizer")]) == 2
    assert main(["report", corpus]) == 0, "and a report of nothing is made"
