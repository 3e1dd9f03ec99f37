"""Small files and what their text in profile `clean` must hold, and must not: from the bytes to the text.

`tests/data/text_cases/*.json` name the files beside them: {file: {kind: jats or pubmed, must, mustnot, note}}, and
with `floats` another value than the default of `render`.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from corpus.ncbi.jats.reader import read_parts
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Record
from corpus.text.render import render

FOLDER = Path(__file__).resolve().parents[1] / "data" / "text_cases"
CASES: dict[str, dict[str, Any]] = {
    name: case for path in sorted(FOLDER.glob("*.json")) for name, case in json.loads(path.read_text("utf-8")).items()
}


def text_of(name: str, case: dict[str, Any]) -> str:
    """Return the text of all records of a file, a blank line between them."""
    path = FOLDER / name
    found = read_pubmed(str(path)) if case["kind"] == "pubmed" else read_parts(path.read_bytes(), file=name)
    options = {"floats": case["floats"]} if "floats" in case else {}
    return "\n\n".join(render(record, **options) for record in found if isinstance(record, Record))


@pytest.mark.parametrize("name", CASES)
def test_a_text_holds_what_it_must_and_nothing_else(name: str) -> None:
    case = CASES[name]
    text = text_of(name, case)
    assert text, "no text at all"
    assert [words for words in case["must"] if words not in text] == [], text
    assert [words for words in case["mustnot"] if words in text] == [], text


def test_every_file_has_a_case() -> None:
    assert {path.name for path in FOLDER.glob("*.xml")} == CASES.keys()
