"""Another corpus: its files read as Arrow and Python read them, what cannot be read told by name, priority in fates."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.assemble import other_corpus
from corpus.assemble.config import AssembleConfig
from corpus.assemble.other_corpus import OtherCorpus, find_other, stated_other
from corpus.dedup.candidates import candidate_edges
from corpus.dedup.resolve import resolve
from corpus.dedup.shingles import normalize, shingle
from corpus.dedup.survivor_rank import other_ranks
from corpus.dedup.verify import verified_edges
from corpus.errors import RetryError, UsageError
from corpus.reasons import DUPLICATE_REASONS, DropReason
from corpus.records import are_other, doc_key, other_keys, other_places
from corpus.storage import lines
from tests.corpus.dedup.test_verify import jaccard, prose

NO_KEYS = np.zeros(0, np.uint64)


def found(base: Path, **settings: Any) -> OtherCorpus:
    return find_other(AssembleConfig(against=(str(base),), **settings))


def documents(corpus: OtherCorpus) -> list[tuple[str, str | None]]:
    rows: list[tuple[str, str | None]] = []
    for number in range(len(corpus.files)):
        count = 0
        for some in corpus.read(number):
            assert some.first_row == count
            rows += zip(some.ids, some.texts.to_pylist(), strict=True)
            count += len(some.ids)
    return rows


@given(st.integers(0, (1 << 24) - 1), st.lists(st.integers(0, (1 << 36) - 1), max_size=9))
def test_a_key_names_a_place_and_is_above_all_documents(file: int, rows: list[int]) -> None:
    keys = other_keys(file, np.array(rows, np.int64))
    files, places = other_places(keys)
    assert (files.tolist(), places.tolist()) == ([file] * len(rows), rows)
    assert are_other(keys).all()
    assert all(int(key) > doc_key(f"pmc:PMC{(1 << 36) - 1}.4095") for key in keys)
    assert not are_other(np.array([doc_key("pmid:7"), doc_key("pmc:PMC7.1#3")], np.uint64)).any()


texts = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 9**9), st.text("abcä", max_size=5)), texts)))
def test_lines_give_what_was_written(rows: list[tuple[Any, str | None]], tmp_path_factory: Any) -> None:
    base = tmp_path_factory.mktemp("lines")
    (base / "a.jsonl").write_text("\n".join(json.dumps({"key": key, "body": text}) for key, text in rows))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(other_corpus, "BATCH_ROWS", 3)
        patched.setattr(lines, "_CHUNK", 7)
        read = documents(found(base, against_text="body", against_id="key"))
    assert read == [(f"a.jsonl:{k}" if key is None else str(key), text) for k, (key, text) in enumerate(rows)]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_columns_give_what_was_written(kind: pa.DataType, tmp_path: Path) -> None:
    for name, ids in (("id", [7, 8, None]), ("doc_id", ["pmid:1", "x", None]), ("other", [1, 2, 3])):
        table = pa.table({name: ids, "text": pa.array(["one", None, "two"]).cast(kind), "more": [[1], [], None]})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    (tmp_path / "seen.txt").write_text("of no interest")
    (tmp_path / ".cache.jsonl").write_text("nor this")
    ids = [one for one, _ in documents(found(tmp_path))]
    assert ids[:3] == ["pmid:1", "x", "doc_id.parquet:2"]
    assert ids[3:] == ["7", "8", "id.parquet:2", "other.parquet:0", "other.parquet:1", "other.parquet:2"]
    assert [text for _, text in documents(found(tmp_path))] == ["one", None, "two"] * 3


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"body": "x"}\n', "a.jsonl:2: has no text, but body; name it by --against-text"),
        ("a.jsonl", b'{"text": "x"}\n[1]\n', "a.jsonl:2: not a JSON object"),
        ("a.jsonl", b'{"text": "x"}\n{"text": "\xff"}\n', "a.jsonl:2: not a JSON object"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl:1: not a JSON object"),
        ("a.jsonl", b'{"text": 7}\n', "a.jsonl:1: text is no text"),
        ("a.jsonl.gz", b"nothing packed", "a.jsonl.gz: not readable as JSON lines"),
        ("a.jsonl.zst", b"nothing packed", "a.jsonl.zst: not readable as JSON lines"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "x"}\n', mtime=0)[:-3], "a.jsonl.gz: not readable as JSON lines"),
        ("a.jsonl.zst", pa.compress(b'{"text": "x"}\n', "zstd", asbytes=True)[:-3], "not readable as JSON lines"),
        ("a.parquet", b"PAR1", "a.parquet: not readable as Parquet"),
        ("a.txt", b"", r"holds no file to read; expected a directory with \*.parquet"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=told) as raised:
        documents(found(tmp_path))
    assert str(raised.value).startswith("--against")


def test_packed_lines_are_read_to_their_end_whatever_pieces_they_were_packed_in(tmp_path: Path) -> None:
    lines = [json.dumps({"id": k, "text": f"text {k}"}).encode() + b"\r\n" for k in range(9)]
    (tmp_path / "a.jsonl.gz").write_bytes(b"".join(map(gzip.compress, lines)))
    (tmp_path / "b.jsonl.zst").write_bytes(b"".join(pa.compress(line, "zstd", asbytes=True) for line in lines))
    assert documents(found(tmp_path)) == [(str(k), f"text {k}") for k in range(9)] * 2


def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1], "words": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="column text is int64, not text; see --against-text"):
        documents(found(tmp_path))
    assert documents(found(tmp_path, against_text="words")) == [("a.parquet:0", "a")]
    with pytest.raises(UsageError, match="has no key, but text, words; name it by --against-id"):
        documents(found(tmp_path, against_text="words", against_id="key"))
    with pytest.raises(UsageError, match="there is no such directory"):
        found(tmp_path / "none")
    with pytest.raises(UsageError, match="use --profile clean"):
        found(tmp_path, profile="pile")
    for inside in (tmp_path, tmp_path / "train"):
        with pytest.raises(UsageError, match="is the output itself; give another directory to --output"):
            find_other(AssembleConfig(against=(f"{inside}/",)), output=str(tmp_path))


def test_another_content_name_or_column_is_another_input_and_another_place_is_not(tmp_path: Path) -> None:
    def stated(base: str, name: str, text: str, **settings: Any) -> Any:
        (tmp_path / base).mkdir(exist_ok=True)
        for old in (tmp_path / base).iterdir():
            old.unlink()
        (tmp_path / base / name).write_text(json.dumps({"text": text, "body": text}))
        return found(tmp_path / base, **settings).inputs

    first = stated("one", "a.jsonl", "x")
    assert first == stated("two", "a.jsonl", "x")
    others = [stated("one", "a.jsonl", "y"), stated("one", "b.jsonl", "x")]
    others.append(stated("one", "a.jsonl", "x", against_text="body"))
    assert len({first, *others}) == 4
    assert find_other(AssembleConfig()).inputs == ()


def test_a_change_under_way_ends_the_stage_to_be_run_again(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n')
    config, corpus = AssembleConfig(against=(str(tmp_path),)), found(tmp_path)
    assert stated_other(config, corpus.inputs, "out") == corpus
    path.write_text('{"text": "three"}\n')
    with pytest.raises(RetryError, match="run the same command again"):
        documents(corpus)
    with pytest.raises(RetryError, match="run the same command again"):
        stated_other(config, corpus.inputs, "out")


@settings(deadline=None, max_examples=150)
@given(
    own=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), max_size=9),
    other=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), max_size=9),
    order=st.permutations(range(9)),
)
def test_fates_are_those_of_a_slow_reading_in_which_the_other_corpus_comes_first(
    own: list[tuple[int, int]], other: list[tuple[int, int]], order: list[int]
) -> None:
    """A document is (base, edits): texts of one base resemble each other the more, the fewer edits lie between."""

    def written(base: int, edits: int) -> str:
        words = prose(base, 130)
        return " ".join(f"x{base}{k}" if k in range(10, 10 + 25 * edits, 25) else word for k, word in enumerate(words))

    passages = [written(*one) for one in (*own, *other)]
    mine = np.array([doc_key(f"pmid:{order[k] + 1}") for k in range(len(own))], np.uint64)
    keys = np.concatenate([mine, other_keys(3, np.arange(len(other)))])
    candidates = candidate_edges(np.zeros(len(keys), np.uint64), keys)
    written_texts = pa.array(passages, pa.large_string())
    edges = verified_edges(candidates, keys, shingle(normalize(written_texts)), texts=written_texts, threshold=0.8)
    assert not are_other(np.column_stack([edges.a, edges.b])).all(axis=1).any()
    ranks = np.zeros((len(mine), other_ranks(NO_KEYS).shape[1]), np.int64)
    ranks[:, -1] = mine
    outcome = resolve(
        edges,
        doc_keys=keys,
        ranks=np.concatenate([ranks, other_ranks(keys[len(own) :])]),
        citations=NO_KEYS,
        full_texts=NO_KEYS,
    )
    stands: dict[int, int] = {}
    alive = list(range(len(own), len(keys)))
    for d in sorted(range(len(own)), key=lambda d: int(keys[d])):
        alike = [one for one in alive if jaccard(passages[one], passages[d]) >= 0.8]
        alike += [stands[one] for one in stands if passages[one] == passages[d]]
        if alike:
            stands[d] = min(alike, key=lambda one: (one < len(own), int(keys[one])))
        else:
            alive.append(d)
    assert {int(keys[d]): int(keys[one]) for d, one in stands.items()} == dict(
        zip(outcome.dropped.tolist(), outcome.survivor.tolist(), strict=True)
    )
    reasons = [DUPLICATE_REASONS[code] == DropReason.IN_OTHER_CORPUS for code in outcome.reason.tolist()]
    assert reasons == are_other(outcome.survivor).tolist()
