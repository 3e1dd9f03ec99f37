"""YAML of strangers: values that cannot be converted, deep nesting and bombs of aliases are mistakes with a place."""

import os
from pathlib import Path

import pytest

from corpus.errors import UsageError
from corpus.storage.yaml_source import MOST_CHARACTERS, parse_yaml, read_assignment, read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "aliases stand for more than 100,000 values"),
        ("a: &a [*a]\n", "an alias inside of what it names"),
        ("a: " + "[" * 60 + "]" * 60, "nested more than 50 deep"),
        ("a: " + "[" * 5_000 + "]" * 5_000, "nested more than 50 deep"),
        ("a: 2026-13-45\n", "month must be in 1..12"),
        ("a: !!int ''\n", "not valid YAML"),
        ("a: !!bool x\n", "not valid YAML"),
        ("a: !!timestamp x\n", "not valid YAML"),
        ('a: "\\uD800"\n', "half of a surrogate pair"),
        ("a: " + "1" * 5_000, "not valid YAML"),
        ("a: !!python/object:os.system {}\n", "could not determine a constructor"),
        ("? [a]\n: b\n", "found unhashable key"),
        ("a" * 1_000_001, "longer than 1,000,000 characters"),
    ],
)
def test_a_mistake_names_the_file(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=rf"^f\.yaml(:\d+:\d+)?: not valid YAML: .*{said}|^f\.yaml.*: {said}"):
        parse_yaml(text, "f.yaml")


def test_aliases_that_stay_small_are_read() -> None:
    assert parse_yaml("a: &a [1]\nb: *a\nc: {<<: &d {e: 2}, f: *d}\n", "f").data["b"] == [1]


def test_an_assignment_has_the_same_bounds() -> None:
    with pytest.raises(UsageError, match="--set a: not valid YAML: month must"):
        read_assignment("a=2026-13-45", "b=1")


def test_a_pipe_is_refused_before_anybody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.yaml")
    with pytest.raises(UsageError, match=r"run\.yaml: a pipe, not a regular file"):
        read_yaml(str(tmp_path / "run.yaml"))


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_editors_of_windows_write_is_read(tmp_path: Path, start: str, end: str) -> None:
    (tmp_path / "run.yaml").write_bytes(f"{start}work: w{end}assemble:{end}  seed: 3{end}".encode())
    read = read_yaml(str(tmp_path / "run.yaml"))
    assert read.data == {"work": "w", "assemble": {"seed": 3}}
    assert read.place(("assemble", "seed")).endswith("run.yaml:3:3")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfea\0", "byte 0 is not UTF-8; save the file as UTF-8 text"),
        (b"a: \xe4", "byte 3 is not UTF-8; save the file as UTF-8 text"),
        ("é".encode() * (2 * MOST_CHARACTERS + 1), r"cannot be read \(.+\); check the path"),
    ],
)
def test_what_is_no_text_or_too_long_is_no_yaml(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "run.yaml").write_bytes(content)
    with pytest.raises(UsageError, match=rf"run\.yaml: {said}"):
        read_yaml(str(tmp_path / "run.yaml"))
