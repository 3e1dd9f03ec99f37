"""Documents of foreign files: what is read, what is a dead letter and why, with its line, offset and bytes."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import RetryError, UsageError
from corpus.foreign.fields import FieldNames
from corpus.foreign.files import ForeignFile, find_foreign
from corpus.foreign.reading import DocumentBatch, documents, raw_at, texts_at
from corpus.storage import lines

NAMES = FieldNames(text="text", id="id")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def one_file(path: Path) -> ForeignFile:
    (file,) = find_foreign([str(path)])
    return file


def read(path: Path, names: FieldNames = NAMES) -> DocumentBatch:
    """Return all that a file gives, as one batch."""
    whole = DocumentBatch(texts=[])
    texts: list[str] = []
    for batch in documents(one_file(path), names):
        whole.places += batch.places
        whole.ids += batch.ids
        whole.more += batch.more
        whole.letters += batch.letters
        whole.num_places += batch.num_places
        texts += batch.arrow_texts().to_pylist()
    whole.texts = texts
    return whole


BAD = [
    (b'{"text": "cut', "bad_json", "malformed"),
    (b"[1, 2]", "bad_json", "Expected `object`"),
    (b'"text"', "bad_json", "Expected `object`"),
    (b"{} {}", "bad_json", "trailing"),
    (b'{"text": "x", "n": NaN}', "bad_json", "malformed"),
    (b'{"text": "\\ud800"}', "bad_json", "no JSON object"),
    (b'{"text":' + b"[" * 100_000 + b"}", "bad_json", "no JSON object"),
    (b'{"text": "\xff"}', "bad_utf8", "byte 10 "),
    (b'{"text": "x", "other": "\xc3"}', "bad_utf8", "not UTF-8"),
    (b"{}", "no_text", "has no text, but nothing"),
    (b'{"body": "x", "id": 3}', "no_text", "has no text, but body, id"),
    (b'{"text": null}', "no_text", "text is null"),
    (b'{"text": 5}', "not_text", "a number"),
    (b'{"text": ["x"]}', "not_text", "a list"),
    (b'{"text": {"a": "x"}}', "not_text", "an object"),
    (b'{"text": true}', "not_text", "true or false"),
    (b'{"text": "x", "id": 1.5}', "bad_id", "a number"),
    (b'{"text": "x", "id": [1]}', "bad_id", "a list"),
    (b'{"text": "x", "id": true}', "bad_id", "true or false"),
]


@pytest.mark.parametrize(("line", "reason", "said"), BAD, ids=[f"{number}-{one[1]}" for number, one in enumerate(BAD)])
def test_a_bad_line_is_a_dead_letter_and_its_neighbours_are_documents(
    line: bytes, reason: str, said: str, tmp_path: Path
) -> None:
    good = b'{"text": "good", "id": "a"}\n'
    (tmp_path / "x.jsonl").write_bytes(good + b"\n" + line + b"\r\n" + good.replace(b'"a"', b'"b"'))
    found = read(tmp_path / "x.jsonl")
    assert (found.places, found.texts, found.ids, found.num_places) == ([0, 3], ["good"] * 2, ["a", "b"], 4)
    (letter,) = found.letters
    assert (letter.file, letter.line, letter.offset, letter.reason) == ("x.jsonl", 3, len(good) + 1, reason)
    assert said in letter.detail
    assert letter.raw == line[:4096]
    assert letter.sha256 == hashlib.sha256(line).hexdigest()


@settings(max_examples=60)
@given(rows=st.lists(st.dictionaries(st.sampled_from(["text", "id", "x", "meta", "text.a"]), json_values, max_size=4)))
def test_what_is_read_is_what_json_says(rows: list[dict[str, Any]], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("lines") / "x.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=bool(number % 2)) + "\n" for number, row in enumerate(rows)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "_CHUNK", 11)
        found = read(path, FieldNames(text="text", id="id", more=("meta",)))
    ids = [row.get("id") for row in rows]
    right = [isinstance(own, str | int | None) and not isinstance(own, bool) for own in ids]
    good = [number for number, row in enumerate(rows) if isinstance(row.get("text"), str) and right[number]]
    assert found.places == good
    assert found.texts == [rows[number]["text"] for number in good]
    assert found.ids == [None if ids[number] in (None, "") else str(ids[number]) for number in good]
    assert [one is None or not isinstance(one, str | int | bool | list | dict) for (one,) in found.more] == [
        rows[number].get("meta") is None for number in good
    ]
    assert sorted(letter.line - 1 for letter in found.letters) == sorted(set(range(len(rows))) - set(good))


def test_keys_reach_into_objects_and_a_key_of_the_very_name_comes_first(tmp_path: Path) -> None:
    rows = [
        {"a": {"b": {"c": "inside"}}, "a.b.c": "outside"},
        {"a": {"b": {"c": "inside"}}},
        {"a": {"b": "no object"}},
        {"a": 5},
    ]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(tmp_path / "x.jsonl", FieldNames(text="a.b.c", id=""))
    assert found.texts == ["outside", "inside"]
    assert [letter.reason for letter in found.letters] == ["no_text", "no_text"]
    pq.write_table(pa.Table.from_pylist(rows[:2]), tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet", FieldNames(text="a.b.c", id="")).letters[0].reason == "no_text"
    pq.write_table(pa.Table.from_pylist(rows[1:2]), tmp_path / "y.parquet")
    assert read(tmp_path / "y.parquet", FieldNames(text="a.b.c", id="a.b.c")).ids == ["inside"]


def test_a_byte_order_mark_and_a_last_line_without_end_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "one"}\r\n{"text": "two"}')
    assert read(tmp_path / "x.jsonl").texts == ["one", "two"]


def test_rows_without_a_text_or_with_bytes_that_are_none_are_dead_letters(tmp_path: Path) -> None:
    bad = pa.StringArray.from_buffers(3, pa.py_buffer(np.array([0, 1, 2, 3], "<i4")), pa.py_buffer(b"a\xffc"))
    texts = pa.concat_arrays([bad, pa.array([None, "end"], pa.string())])
    table = pa.table({"text": texts, "id": ["0", "1", "2", "3", "4"], "more": [1, 2, 3, 4, 5]})
    pq.write_table(table, tmp_path / "x.parquet")
    found = read(tmp_path / "x.parquet")
    assert (found.places, found.texts, found.ids) == ([0, 2, 4], ["a", "c", "end"], ["0", "2", "4"])
    letters = [(letter.line, letter.reason, letter.doc_id, letter.raw[:3]) for letter in found.letters]
    assert letters == [(2, "bad_utf8", "1", b"\xff"), (4, "no_text", "3", b'{"t')]


def test_texts_are_found_again_at_their_places(tmp_path: Path) -> None:
    rows = [{"text": f"text {number} ä", "id": number} for number in range(50)]
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet", row_group_size=7)
    places = np.array([0, 3, 4, 48], np.int64)
    for name in ("x.jsonl.gz", "x.parquet"):
        file = one_file(tmp_path / name)
        assert texts_at(file, NAMES, places).to_pylist() == [f"text {number} ä" for number in places]
        raws = [json.loads(raw) for _, raw in raw_at(file, places)]
        assert raws == [rows[number] for number in places]


@pytest.mark.parametrize("name", ["x.jsonl.gz", "x.jsonl.zst", "x.parquet"])
def test_a_file_cut_short_is_refused_by_name(name: str, tmp_path: Path) -> None:
    raw = "".join(json.dumps({"text": f"text {number} {hash(number)}"}) + "\n" for number in range(5000)).encode()
    whole = {"x.jsonl.gz": gzip.compress(raw), "x.jsonl.zst": pa.Codec("zstd").compress(raw, asbytes=True)}
    (tmp_path / name).write_bytes(whole.get(name, raw)[:-200])
    with pytest.raises(UsageError, match=rf"{name}: not readable as .*mend it, or take it away"):
        read(tmp_path / name)


def test_a_column_that_is_no_text_or_not_there_is_refused_with_the_option_that_helps(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["x"], "n": [1]}), tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="has no column text, but body, n; name the column of the text by --text-key"):
        read(tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="column n is int64, not text"):
        read(tmp_path / "x.parquet", FieldNames(text="n", id="id"))
    assert read(tmp_path / "x.parquet", FieldNames(text="body", id="id")).texts == ["x"]


def test_a_file_that_changes_meanwhile_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "one"}\n')
    file = one_file(tmp_path / "x.jsonl")
    (tmp_path / "x.jsonl").write_text('{"text": "another one"}\n')
    with pytest.raises(RetryError, match="changed after the start"):
        list(documents(file, NAMES))


def test_inputs_are_refused_that_cannot_be_told_apart_or_read(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.jsonl").write_text("")
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(UsageError, match=r"would both be written as x\.jsonl; give a directory above both"):
        find_foreign([str(tmp_path / "one"), str(tmp_path / "two")])
    assert [file.name for file in find_foreign([str(tmp_path)])] == ["one/x.jsonl", "two/x.jsonl"]
    assert find_foreign([str(tmp_path / "one"), f"{tmp_path}/one/", str(tmp_path / "one/x.jsonl")])
    with pytest.raises(UsageError, match="its name is none of"):
        find_foreign([str(tmp_path / "x.csv")])
    with pytest.raises(UsageError, match="there is no such file"):
        find_foreign([str(tmp_path / "three")])
    with pytest.raises(UsageError, match="give another --output"):
        find_foreign([str(tmp_path)], output=str(tmp_path / "one" / "out"))
    with pytest.raises(UsageError, match="give files or directories"):
        find_foreign([])
