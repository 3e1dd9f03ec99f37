"""A job stops, or goes on, by the share of its dead letters; `inspect` shows each with its place, fault and bytes."""

import gzip
import re
from pathlib import Path

import pytest
from msgspec.structs import asdict

from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Reject
from corpus.stage.manifest import read_manifest
from corpus.storage.parquet import write_table
from corpus.storage.schema import to_table
from pipelines.inspection.rejects import LETTERS_SHOWN, describe_dead_letters, letter_lines, printable
from tests.support import malformed
from tests.support.malformed import PUBMED, SET_CLOSING, SET_OPENING, citation


def pubmed_set(pieces: list[bytes]) -> bytes:
    return SET_OPENING + b"".join(pieces) + SET_CLOSING


def dead_letters(path: Path, pieces: list[bytes]) -> list[Reject]:
    path.write_bytes(pubmed_set(pieces))
    return [item for item in read_pubmed(str(path)) if isinstance(item, Reject)]


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run one command of `corpuscle` and return its exit code and what it printed."""
    from pipelines.cli.app import main  # Beam takes seconds to import, and only the tests below need it

    capsys.readouterr()
    code = main([*arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


SHOWN = ("undefined entity", "invalid byte ff", "control character escape", "text between records")


def damaged_file(path: Path, *, num_good: int) -> Path:
    """Write a file of good citations and the damaged pieces named in SHOWN."""
    kinds = {kind.name: kind.raw for kind in PUBMED}
    good = [citation(number + 1) for number in range(num_good)]
    for place, name in enumerate(SHOWN):
        good.insert(2 * place + 1, kinds[name])
    path.write_bytes(gzip.compress(pubmed_set(good)))
    return path


@pytest.mark.slow
def test_a_job_over_the_limit_stops_with_exit_3_names_the_file_and_the_command_that_shows_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = damaged_file(tmp_path / "pubmed26n0002.xml.gz", num_good=3000)
    good = tmp_path / "pubmed26n0001.xml.gz"
    good.write_bytes(gzip.compress(pubmed_set([citation(number + 5000) for number in range(500)])))
    output = tmp_path / "records"
    arguments = ("extract", "--pubmed", str(good), "--pubmed", str(bad), "--output", str(output))
    code, out, error = command(capsys, *arguments)
    assert code == 3
    assert not out
    assert "4 of 3504 records were rejected, more than max_reject_rate = 0.001: pubmed26n0002 (4 of 3004)" in error
    assert "pubmed26n0001" not in error
    assert not (output / "manifest.json").exists()
    found = re.search(r"`corpuscle (inspect [^`]+)`", error)
    assert found, "the message ends with the command that shows the dead letters"
    code, out, _ = command(capsys, *found[1].split())
    assert code == 0
    assert "pubmed26n0002.parquet: 4 dead letters: bad_xml 3, stray_bytes 1" in out
    content = gzip.decompress(bad.read_bytes())
    lines = out.splitlines()
    for offset in re.findall(r"^  offset: (\d+)$", out, re.MULTILINE):
        assert f"  see more: gzip -dc {bad.name} | tail -c +{int(offset) + 1} | head -c 4096 | less" in lines
        assert content[int(offset) :].startswith((b"<PubmedArticle>", b"503 Service"))
    assert "\\xff" in out, "bytes that are no text are shown"
    assert "\\x1b[0m" in out, "and no control character reaches the terminal"
    assert "\x1b" not in out


@pytest.mark.slow
def test_a_job_below_the_limit_goes_on_and_counts_its_dead_letters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = damaged_file(tmp_path / "pubmed26n0001.xml.gz", num_good=3996)
    output = tmp_path / "records"
    code, _, error = command(capsys, "extract", "--pubmed", str(source), "--output", str(output))
    assert (code, error) == (0, "")
    manifest = read_manifest(str(output))
    assert (manifest.books.read, manifest.books.kept) == (4000, 3996)
    assert manifest.books.dropped == {"bad_xml": 3, "stray_bytes": 1}
    code, out, _ = command(capsys, "inspect", str(output), "--id", malformed.PUBMED_ID)
    assert code == 0
    assert out.count("reason: bad_xml") == 3


@pytest.mark.parametrize("name", ["undefined entity", "invalid byte ff", "bare less-than", "overlong slash"])
def test_the_fault_is_marked_where_it_is(tmp_path: Path, name: str) -> None:
    kind = next(kind for kind in PUBMED if kind.name == name)
    (letter,) = dead_letters(tmp_path / "f.xml", [kind.raw])
    lines = [*letter_lines(asdict(letter))]
    at = next(number for number, line in enumerate(lines) if line.startswith("  fault: "))
    inside = printable(malformed.INSIDE[name])
    begin = lines[at].index(inside)
    assert begin <= lines[at + 1].index("^") <= begin + len(inside)


def test_many_dead_letters_are_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    found = dead_letters(tmp_path / "f.xml", [b"<PubmedArticle/>"] * 5000)
    write_table(str(tmp_path / "r.parquet"), to_table(found, Reject))
    lines = [*describe_dead_letters(str(tmp_path / "r.parquet"))]
    assert lines[0].endswith("r.parquet: 5,000 dead letters: no_id 5,000")
    assert sum(line.startswith("dead letter ") for line in lines) == LETTERS_SHOWN
    assert "4,980 more" in lines[-1]
