"""`report` and `account` of a result of `dedup`: what they say is what DuckDB counts in its files."""

import json
import random
import re
from pathlib import Path

import duckdb
import pytest
from lxml import html

from corpus.errors import UsageError
from corpus.stage.manifest import read_manifest
from pipelines.cli.app import main
from pipelines.inspection.accounting import account_text
from pipelines.inspection.line_counts import count_lines
from tests.pipelines.dedup.test_dedup import prose
from tests.support.foreign_corpus import write_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `out` and `tagged`: three files, one of them whole, copies within and across, bad lines."""
    folder = tmp_path_factory.mktemp("accounts")
    rng = random.Random(5)
    texts = {
        "a/one.jsonl": [prose(n) for n in range(12)] + [prose(0)] * 4,
        "two.parquet": [f"{prose(n)} and one more" for n in range(6)] + [prose(40)],
        "whole.jsonl": [prose(60), prose(61)],
    }
    for name, own in texts.items():
        rng.shuffle(own)
        write_rows(folder / "in" / name, [{"id": f"{name[:1]}-{n}", "text": text} for n, text in enumerate(own)])
    with (folder / "in/a/one.jsonl").open("a") as sink:
        sink.write('{"id": "a-0", "text": "said before"}\nno json\n{"id": "x"}\n')
    for output, more in (("out", []), ("tagged", ["--duplicates", "tag"])):
        given = [str(folder / "in"), "-o", str(folder / output), "--id-key", "id", "--max-reject-rate", "0.5"]
        assert main(["dedup", *given, "--twins", "merge", *more]) == 0
    return folder


def by_duckdb(base: Path, output: str) -> dict[str, dict[str, int]]:
    """Return (file, reason or kept) counts of decisions and dead letters."""
    found: dict[str, dict[str, int]] = {}
    decided, letters = f"'{base}/{output}/decisions/**/*.parquet'", f"'{base}/{output}/rejects/**/*.parquet'"
    queries = (
        f"SELECT file, 'kept', count(*) FROM {decided} WHERE kept GROUP BY 1",
        f"SELECT file, reason, count(*) FROM {decided} WHERE reason <> '' GROUP BY 1, 2",
        f"SELECT file, reason, count(*) FROM {letters} GROUP BY 1, 2",
    )
    for query in queries:
        for file, what, count in duckdb.sql(query).fetchall():
            found.setdefault(file, {})[what] = count
    return found


def table_of(told: str, first: str) -> dict[str, dict[str, int]]:
    """Return the table whose head begins with these words, by its rows."""
    lines = told.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"  {first}"))
    names = [word for word in lines[start].removeprefix(f"  {first}").split() if word]
    rows = {}
    for line in lines[start + 1 :]:
        if not line.startswith("  "):
            break
        name, *numbers = re.split(r"\s{2,}", line.strip())
        rows[name] = dict(zip(names, (int(one.replace(",", "")) for one in numbers), strict=True))
    return rows


@pytest.mark.parametrize("output", ["out", "tagged"])
def test_an_account_says_where_every_line_went(base: Path, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = base / output
    assert main(["account", str(result)]) == 0
    told = capsys.readouterr().out
    expected, files = by_duckdb(base, output), table_of(told, "file")
    assert (
        {name for name in files if name != "in all"} == set(expected) == {"a/one.jsonl", "two.parquet", "whole.jsonl"}
    )
    for file, counts in expected.items():
        shown = {what: count for what, count in files[file].items() if count and what != "read"}
        assert shown == counts
    assert next(iter(files)) == "a/one.jsonl", "the file that lost most comes first"
    books = read_manifest(str(result)).books
    assert (files["in all"]["read"], files["in all"]["kept"]) == (books.read, books.kept)
    assert sum(files[name]["read"] for name in expected) == books.read
    assert ("duplicates are tagged and stay" in told) == (output == "tagged")
    sizes = duckdb.sql(
        f"SELECT cluster, any_value(cluster_size), count(*) FROM '{result}/decisions/**/*.parquet' "
        "WHERE cluster_size > 1 GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    assert all(size == count for _, size, count in sizes)
    clusters = table_of(told, "documents in a cluster")
    assert sum(one["clusters"] for one in clusters.values()) == len(sizes)
    assert sum(one["documents"] for one in clusters.values()) == sum(size for _, size, _ in sizes)
    assert clusters["2"] == {"clusters": 5, "documents": 10}
    assert clusters["6–10"] == {"clusters": 1, "documents": 6}
    advised = re.search(r"see one: corpuscle (inspect .*)", told)
    assert advised is not None
    assert main(advised[1].split()) == 0
    assert f"cluster {sizes[0][0]}: {sizes[0][1]} documents" in capsys.readouterr().out
    assert main(["account", str(result), "--id", sizes[0][0]]) == 0
    assert f"cluster {sizes[0][0]}: {sizes[0][1]} documents" in capsys.readouterr().out


def test_an_account_of_no_document_is_refused(base: Path) -> None:
    assert main(["account", str(base / "out"), "--id", "nobody"]) == 2
    with pytest.raises(UsageError, match="no result of `corpuscle fetch pmc`"):
        account_text(str(base / "in"))


@pytest.mark.parametrize("output", ["out", "tagged"])
def test_the_report_shows_counts_reasons_and_clusters(base: Path, output: str) -> None:
    result = base / output
    assert main(["report", str(result), "-o", str(base / f"{output}.html")]) == 0
    page = html.fromstring((base / f"{output}.html").read_bytes())
    tables = {one.find("summary").text_content(): one for one in page.iter("details")}
    rows = {
        name: [[cell.text_content() for cell in row] for row in list(table.iter("tr"))[1:]]
        for name, table in tables.items()
    }
    expected = by_duckdb(base, output)
    manifest = read_manifest(str(result))
    counts = count_lines(str(result), manifest)
    assert dict(rows["duplicates"]) == {reason: f"{count}" for reason, count in counts.totals().items()}
    for file, _read, kept, gone, letters in rows["files"]:
        own = expected[file]
        bad = sum(own.get(name, 0) for name in ("bad_json", "no_text", "duplicate_id"))
        assert [int(kept), int(letters)] == [own["kept"], bad]
        assert int(gone) == sum(own.values()) - own["kept"] - bad
    assert {row[3] for row in rows["dead letters (3)"]} == {"bad_json", "no_text", "duplicate_id"}
    assert all(meant for _, _, meant in rows["reasons"])
    assert {name for name, _, _ in rows["reasons"]} == set(manifest.books.dropped)
    assert ["6–10", "1", "6"] in rows["clusters by size"]
    titles = [svg.text_content() for svg in page.iter("svg")]
    done = "tagged" if output == "tagged" else "left out"
    for title in (f"lines and rows {done}, by reason", "clusters of duplicates", f"near-duplicates {done}"):
        assert any(title in one for one in titles)


def test_a_result_without_a_duplicate_has_a_report_and_an_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps({"text": prose(1)}) + "\n")
    assert main(["dedup", str(tmp_path / "x.jsonl"), "-o", str(tmp_path / "out")]) == 0
    assert main(["report", str(tmp_path / "out")]) == 0
    assert main(["account", str(tmp_path / "out")]) == 0
    assert "no two documents resemble each other" in capsys.readouterr().out
