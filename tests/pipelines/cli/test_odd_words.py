"""Words that a shell makes of a variable that is not set, of a copied address, or of another editor's file."""

from pathlib import Path

import pytest

from pipelines.cli import app

CITATION = "<PubmedArticle><MedlineCitation><PMID>1</PMID></MedlineCitation></PubmedArticle>"


@pytest.fixture
def citation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.xml").write_text(f"<PubmedArticleSet>{CITATION}</PubmedArticleSet>", encoding="utf-8")
    return "a.xml"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "--output is empty; name a directory (is a variable of the shell not set?)"),
        (" ", "--output is empty"),
        ("file:///tmp/out", "nothing is written there; --output is a path of this machine, gs://… or s3://…"),
        ("http://example.org/out", "nothing is written there"),
        ("FTP://example.org/out", "nothing is written there"),
    ],
)
def test_an_output_that_is_none_is_refused_at_once(
    output: str, said: str, citation: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main(["extract", "--pubmed", citation, f"--output={output}"]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [citation]


def test_an_input_of_an_empty_variable_is_named(citation: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["extract", "--pubmed", citation, "", "--output", "out"]) == 2
    assert "'': nothing is there (an empty path: is a variable of the shell not set?)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("work: x\n".encode("utf-16"), "run.yaml: byte 0 is not UTF-8; save the file as UTF-8 text"),
        (b"", "found nothing"),
        (b"- a\n- b\n", "found a list of 2"),
        (b"extract\n", "found only 'extract'"),
    ],
)
def test_a_run_file_that_is_none_says_what_it_is(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.yaml").write_bytes(content)
    assert app.main(["run", str(tmp_path / "run.yaml")]) == 2
    assert said in capsys.readouterr().err


def test_home_is_home_where_no_shell_expands_it(
    citation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "out").mkdir(parents=True)
    (tmp_path / "home" / "out" / "mine").touch()
    assert app.main(["extract", "--pubmed=~/none.xml", citation, "--output=~/out"]) == 2
    assert f"{tmp_path}/home/none.xml: nothing is there" in capsys.readouterr().err
    assert app.main(["extract", "--pubmed", citation, "--output=~/out"]) == 2
    assert f"{tmp_path}/home/out: is not empty and was not made by corpuscle" in capsys.readouterr().err
    assert not (tmp_path / "~").exists()
