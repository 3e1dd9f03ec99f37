"""Questions that somebody asks: files of objects or of lines; what is none is refused with its place."""

import json
from pathlib import Path

import pytest

from corpus.errors import UsageError
from corpus.qa.asked import read_asked


def test_objects_and_lines_are_questions(tmp_path: Path) -> None:
    rows = [
        {"question": " Which drug? ", "options": {"A": "aspirin", "B": "none"}, "answer_idx": "B"},
        {"id": "own", "text": "Is it so?", "context": "It is.", "options": None},
        {"question": "Which?", "options": ["a", "b", "c"]},
    ]
    (tmp_path / "q.json").write_text(json.dumps(rows))
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("q.json", "q.jsonl"):
        found = read_asked(str(tmp_path / name))
        assert [(one.id, one.text, one.context, one.options) for one in found] == [
            ("1", "Which drug?", "", ("aspirin", "none")),
            ("own", "Is it so?", "It is.", ()),
            ("3", "Which?", "", ("a", "b", "c")),
        ]
        assert all(one.label is None for one in found)
    (tmp_path / "one.json").write_text(json.dumps(rows[0]))
    assert [one.text for one in read_asked(str(tmp_path / "one.json"))] == ["Which drug?"]
    (tmp_path / "q.txt").write_text("Are bone cysts serious?\n\nWhat helps?\n")
    found = read_asked(str(tmp_path / "q.txt"))
    assert [(one.id, one.text) for one in found] == [("1", "Are bone cysts serious?"), ("3", "What helps?")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"ask": "x"}', "q.json:1: no text under `question`; expected JSON objects such as"),
        ('{"question": "x", "options": ["one"]}', "q.json:1: `options` are not two texts or more"),
        ('{"question": "x", "options": "ab"}', "`options` are not two texts or more"),
        ('{"question": "x", "options": [1, 2]}', "`options` are not two texts or more"),
        ('{"question": "x", "context": 4}', "`context` is not a text"),
        ('{"question": "x"}\n{no json\n', r"q\.json:2: "),
        ("[]", "holds no question"),
    ],
)
def test_what_is_no_question_is_refused_with_its_place(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "q.json").write_text(content)
    with pytest.raises(UsageError, match=said):
        read_asked(str(tmp_path / "q.json"))
