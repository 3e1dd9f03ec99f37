"""Pages are true: those that the code writes are what it writes, and links and names lead somewhere."""

import dataclasses
import re
from pathlib import Path

import pytest

from tests.docs import data_page, floor_plan
from tests.docs.pages import PAGES, REPOSITORY, anchors, links, name_of, prose
from tests.docs.write import pages

LOGS = {"CHANGELOG.md", "docs/decisions.md", "docs/benchmarks.md"}  # of the past: they name what is gone too
WORK_ROWS = {"EarlyDecision", "Candidate", "OtherId", "CountRow"}  # of files that nobody but the stage itself reads
_ROW = re.compile(r"schema_of\((\w+)\)|to_table\([^()]*, (\w+)\)")
_PATH = re.compile(r"`((?:corpus|tokenizer|pipelines|train|tests|configs|docs)/[\w/.-]+)`")


def test_pages_are_what_the_code_writes() -> None:
    old = [path.name for path, content in pages().items() if path.read_text() != content]
    assert not old, "run `make docs`"


def test_a_column_without_a_meaning_is_refused() -> None:
    @dataclasses.dataclass
    class Row:
        known: int  # what it is [bytes]
        unknown: int

    file = data_page.File(path="made-up.json", rows=(Row,), parquet=False)
    found = data_page.columns(file, Row)
    assert next(found) == ("known", "integer", "", "bytes", "what it is")
    with pytest.raises(ValueError, match="unknown: say in a comment"):
        next(found)


def test_every_row_that_is_written_stands_on_the_page() -> None:
    written = set()
    for package in ("corpus", "pipelines"):
        for path in (REPOSITORY / package).rglob("*.py"):
            found = _ROW.findall(path.read_text())
            written |= {name for name in map("".join, found) if name != "Any" and name[0].isupper()}
    shown = {row.__name__ for files in data_page.VERBS.values() for file in files for row in file.rows}
    assert written <= shown | WORK_ROWS, "say of a new file in tests/docs/data_page.py what its rows are"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        place, _, anchor = link.partition("#")
        if place.startswith(("http:", "https:")):
            continue
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", [page for page in PAGES if name_of(page) not in LOGS], ids=name_of)
def test_files_that_a_page_names_exist(page: Path) -> None:
    assert not [path for path in _PATH.findall(prose(page)) if not (REPOSITORY / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_lines_can_be_read(page: Path) -> None:
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if not line.startswith(("|", "$ "))]
    assert not [line for line in lines if len(line) > 200 and "](" not in line]


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 150


def test_the_floor_plan_draws_every_room_once() -> None:
    plan = {"corpus": frozenset(), "corpus/text": frozenset({"corpus"}), "train": frozenset({"corpus/text", "corpus"})}
    plan |= {"train/loop": frozenset({"train"})}
    drawn = floor_plan.drawing(plan)
    assert drawn.count("<text") == 3
    assert drawn.count("marker-end") == 2  # from train to corpus it goes by text
    assert "| 3 | `train` | `corpus`, `corpus/text` |\n| | `train/loop` | `train` |" in floor_plan.table(plan)
