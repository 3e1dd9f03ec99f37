"""JSON of strangers: what no two programs agree on is refused in one line, and what is good is taken as it is."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpus.errors import CorruptError, UsageError
from corpus.storage.files import write_atomic
from corpus.storage.json_files import (
    BadJsonError,
    build,
    check_inside,
    parse_json,
    parse_numbers,
    read_json,
    read_names,
)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"[" * 100_000, "nested more than 100 deep"),
        (b"[" * 101 + b"]" * 101, "nested more than 100 deep"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "nested more than 100 deep"),
        (b"1" * 5_000, "5,000 digits"),
        (b"[1e999]", "1e999 is no number that JSON has"),
        (b"[NaN]", "NaN is no number that JSON has"),
        (b'{"a": 1, "a": 2}', "the key 'a' is given twice"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\uDFFF": 1}', "half of a surrogate pair"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "line 1 column 2"),
    ],
)
def test_what_is_no_json_that_all_agree_on(tmp_path: Path, raw: bytes, said: str) -> None:
    with pytest.raises(BadJsonError, match=said):
        parse_json(raw)
    (tmp_path / "a.json").write_bytes(raw)
    with pytest.raises(CorruptError, match=rf"a\.json: not JSON \(.*{said}.*\); make it again"):
        read_json(str(tmp_path / "a.json"), "make it again")


def test_what_is_good_is_taken_as_it_is() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": [1, -2.5e3, null, true, "\\ud83e\\uddec"]}') == {
        "a": [1, -2500.0, None, True, "🧬"]
    }
    assert parse_json(b"[" * 100 + b"]" * 100)
    assert str(parse_json(b"[NaN, 1e999]", nan=True)) == "[nan, inf]"


def test_a_directory_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a regular file, where JSON is expected; look"):
        read_json(str(tmp_path), "look", error=UsageError)


@dataclass(frozen=True, kw_only=True)
class Inner:
    number: int
    share: float
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outer:
    items: tuple[Inner, ...]
    counts: dict[str, int]
    more: int = 0


GOOD = {"items": [{"number": 1, "share": 2, "name": None}], "counts": {"a": 3}}


def test_a_dataclass_is_built() -> None:
    assert build(Outer, GOOD, optional=("more",)) == Outer(items=(Inner(number=1, share=2),), counts={"a": 3})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"items": [{"number": 1, "share": 2}]}, r"items\[0\]\.name: missing"),
        ({"items": [{"number": 1, "share": 2, "name": "a", "new": 1}]}, r"items\[0\]\.new: a field that this version"),
        ({"items": {}}, "items: expected a list, found an object"),
        ({"items": [{"number": True, "share": 2, "name": "a"}]}, "expected a whole number, found true or false"),
        ({"items": [{"number": 1 << 63, "share": 2, "name": "a"}]}, r"items\[0\]\.number: expected a whole number"),
        ({"items": [{"number": 1, "share": "2", "name": "a"}]}, "share: expected a number, found a text"),
        ({"counts": {"a": None}}, r"counts\.a: expected a whole number, found null"),
        ({"newer": 1}, "newer: a field that this version does not know"),
    ],
)
def test_a_field_at_fault_is_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadJsonError, match=said):
        build(Outer, {**GOOD, **change}, optional=("more",))
    with pytest.raises(BadJsonError, match="the whole: expected an object, found a list"):
        build(Outer, [])


OUTSIDE = [
    "../../etc/passwd",
    "a/../../b",
    "/etc/passwd",
    "gs://a/b",
    "file:///etc/passwd",
    "a\0b",
    "",
    ".",
    "~/a",
    "é" * 300,
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_path_that_leaves_the_directory_is_refused(name: str) -> None:
    with pytest.raises(BadJsonError, match="which is not inside the directory"):
        check_inside(name)
    assert check_inside("a/b..c/..d") == "a/b..c/..d"


def test_a_list_of_names_holds_names_that_stay_inside(tmp_path: Path) -> None:
    for content in ('{"a": 1}', "[1]", '["../a"]'):
        (tmp_path / "a.json").write_text(content)
        with pytest.raises(CorruptError, match=r"a\.json: .*; look"):
            read_names(str(tmp_path / "a.json"), "look")


def test_lines_of_numbers() -> None:
    assert len(parse_numbers([b'{"step": 1, "loss": NaN}'], "m", "look")) == 1
    for line in (b"[]", b'{"loss": 1}', b'{"step": 1, "loss": "a"}', b'{"step": 1.5}', b"{"):
        with pytest.raises(CorruptError, match=r"m:2: .*; look"):
            parse_numbers([b'{"step": 1}', line], "m", "look")


def test_bytes_of_a_path_are_read_where_paths_are_expected() -> None:
    path = "d\udce9r"  # as a path of the bytes `d\xe9r` is read where names are UTF-8
    raw = json.dumps({"tokens": path}).encode()
    assert parse_json(raw, paths=True) == {"tokens": path}
    for text, more in ((raw, {}), (b'"\\ud800"', {"paths": True}), (b'"\\udc7f"', {"paths": True})):
        with pytest.raises(BadJsonError, match="half of a surrogate pair"):
            parse_json(text, **more)


def test_a_folder_where_a_file_goes_is_named(tmp_path: Path) -> None:
    (tmp_path / "part" / "inner").mkdir(parents=True)
    with pytest.raises(UsageError, match="part: a folder is where this file goes"), write_atomic(f"{tmp_path}/part"):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["part"]
