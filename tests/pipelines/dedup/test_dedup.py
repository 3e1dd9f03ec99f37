"""`dedup`: files come out as they came, every line is accounted for, tags say what would go, errors what to do."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.errors import DataError, OtherResultError, UsageError
from corpus.foreign.config import TAGS, DedupConfig
from corpus.stage.manifest import Manifest, read_manifest
from corpus.storage import parquet
from pipelines.cli.app import main
from pipelines.dedup.pipeline import dedup
from pipelines.inspection.stages import inspect_path
from pipelines.inspection.verification import verify_directory
from tests.pipelines.dedup.test_truth import decisions, hashes
from tests.support.engines import prism_server
from tests.support.foreign_corpus import FORMS, read_lines, write_corpus_files, write_rows
from tests.support.small_corpus import sentences

pytestmark = pytest.mark.slow
FREE = DedupConfig(twins="merge", max_reject_rate=1.0)


def prose(number: int) -> str:
    """Return a text of some hundred words, another one for each number."""
    return " ".join(sentences(1000 + number, 8))


def run(base: Path, config: DedupConfig = FREE, output: str = "out", **more: Any) -> Manifest:
    manifest = dedup(config, given=[str(base / "in")], output=str(base / output), **more)
    assert manifest is not None
    return manifest


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `in`, documents in all forms of which every fourth is another's copy, `out` and `tagged`."""
    base = tmp_path_factory.mktemp("forms")
    texts = [prose(number) for number in range(90)]
    texts += [f"{texts[number]} and one more sentence" for number in range(0, 30)]
    write_corpus_files(base / "in", texts)
    run(base)
    run(base, FREE.model_copy(update={"duplicates": "tag"}), "tagged")
    return base


def test_files_come_out_in_their_form_with_the_bytes_of_their_lines(forms: Path) -> None:
    kept = {(row["file"], row["line"]) for row in decisions(forms / "out") if row["kept"]}
    assert 0 < len(kept) < 120
    for form in FORMS:
        before, after = forms / "in" / form, forms / "out" / "data" / form
        if form.endswith(".parquet"):
            old, new = pq.ParquetFile(before), pq.ParquetFile(after)
            assert new.schema_arrow.equals(old.schema_arrow, check_metadata=True)
            rows = [row for number, row in enumerate(old.read().to_pylist(), 1) if (form, number) in kept]
            assert new.read().to_pylist() == rows
            assert new.metadata.row_group(0).column(0).compression == "SNAPPY"
        else:
            lines = [line for number, line in enumerate(read_lines(before), 1) if (form, number) in kept]
            assert read_lines(after) == lines
    assert {path.name for path in (forms / "out").iterdir() if path.is_dir()} == {"data", "decisions"}


def test_an_engine_of_beam_gives_the_same_bytes(forms: Path) -> None:
    with prism_server() as (jobs, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=LOOPBACK"]
        run(forms, output="prism", beam_args=flags)
    assert hashes(forms / "prism") == hashes(forms / "out")


def test_a_file_of_which_all_is_kept_is_copied_byte_by_byte(forms: Path) -> None:
    same = [form for form in FORMS if all(row["kept"] for row in decisions(forms / "out") if row["file"] == form)]
    assert same
    for form in same:
        assert (forms / "in" / form).read_bytes() == (forms / "out" / "data" / form).read_bytes()


def test_tags_say_what_would_go_and_leave_the_rest_of_a_line_as_it_is(forms: Path) -> None:
    dropped, tagged = decisions(forms / "out"), decisions(forms / "tagged")
    assert [row | {"kept": True} for row in dropped] == tagged
    for form in FORMS:
        rows = [row for row in tagged if row["file"] == form]
        path = forms / "tagged" / "data" / form
        if form.endswith(".parquet"):
            found = pq.read_table(path).to_pylist()
            assert pq.read_table(path).drop_columns(list(TAGS)).equals(pq.read_table(forms / "in" / form))
        else:
            found = [json.loads(line) for line in read_lines(path)]
            for line, before in zip(read_lines(path), read_lines(forms / "in" / form), strict=True):
                assert line.startswith(before.rstrip()[:-1])
        for row, tags in zip(rows, found, strict=True):
            said = [row["reason"], row["cluster"], row["cluster_size"], row["cluster_rank"], row["score"]]
            assert [tags[name] for name in TAGS] == said
            assert (tags["cluster_score"] is None) == (tags["duplicate"] == "")
    books = read_manifest(str(forms / "tagged"), "dedup").books
    assert (books.read, books.kept) == (120, 120)


def test_a_tag_that_has_no_room_is_refused_and_the_advice_helps(tmp_path: Path) -> None:
    for name in ("x.jsonl", "x.parquet"):
        base = tmp_path / name
        write_rows(base / "in" / name, [{"text": "a b c", "cluster": "mine"}])
        tag = FREE.model_copy(update={"duplicates": "tag"})
        with pytest.raises(UsageError, match=r"has a .* cluster already; give the tags other names by --tag-prefix"):
            run(base, tag)
        run(base, tag.model_copy(update={"tag_prefix": "dedup_"}))
        found = base / "out" / "data" / name
        row = pq.read_table(found).to_pylist()[0] if name.endswith("parquet") else json.loads(found.read_text())
        assert (row["cluster"], row["dedup_cluster"]) == ("mine", f"{name}:1")


ORDERS = [
    (("first",), "a"),
    (("longest",), "b"),
    (("newest:date",), "c"),
    (("priority:rank",), "b"),
    (("priority:source=web,book",), "c"),
    (("priority:source=book", "newest:date"), "b"),
]


@pytest.mark.parametrize(("keep", "stays"), ORDERS, ids=["+".join(keep) for keep, _ in ORDERS])
@pytest.mark.parametrize("name", ["x.jsonl", "x.parquet"])
def test_survivors_follow_the_order_asked_for(keep: tuple[str, ...], stays: str, name: str, tmp_path: Path) -> None:
    text = prose(1)
    rows = [
        {"id": "a", "text": text, "date": "2001", "rank": 5, "source": "book"},
        {"id": "b", "text": f"{text} more words", "date": "2002-03", "rank": 1, "source": "book"},
        {"id": "c", "text": text, "date": "2002-03-04", "rank": None, "source": "web"},
    ]
    write_rows(tmp_path / "in" / name, rows)
    run(tmp_path, FREE.model_copy(update={"keep": keep}))
    found = decisions(tmp_path / "out")
    assert [row["doc_id"] for row in found if row["kept"]] == [stays]
    assert next(row["cluster_rank"] for row in found if row["doc_id"] == stays) == 0


def test_twins_and_notices_stay_apart_unless_they_are_to_merge(tmp_path: Path) -> None:
    text = prose(3)
    rows = [
        {"id": gene, "text": f"{text} Mutations of {gene} were found in this family."} for gene in ("BRCA1", "BRCA2")
    ]
    notices = [{"id": f"n{k}", "text": f"Retraction: {prose(4)} number {k}"} for k in "ab"]
    write_rows(tmp_path / "in" / "x.jsonl", [*rows, *notices])
    apart = run(tmp_path, DedupConfig(), "apart")
    assert (apart.books.kept, apart.summary["twins_kept_apart"]) == (4, 1)
    merged = run(tmp_path, DedupConfig(twins="merge"), "merged")
    assert [row["doc_id"] for row in decisions(tmp_path / "merged") if row["kept"]] == ["BRCA1", "na"]
    assert merged.summary["twins_kept_apart"] == 0


def test_numbers_beside_dates_are_refused_by_name(tmp_path: Path) -> None:
    write_rows(tmp_path / "in" / "x.jsonl", [{"text": "a", "when": 2001}, {"text": "b", "when": "2001"}])
    with pytest.raises(DataError, match="--keep newest:when: when holds numbers in some documents and dates in others"):
        run(tmp_path, FREE.model_copy(update={"keep": ("newest:when",)}))
    for rule, key in (("newest:wen", "wen"), ("priority:wen", "wen"), ("priority:when=book,web", "when")):
        with pytest.raises(DataError, match=f"--keep {rule}: no document has a value at {key} that it could go by"):
            run(tmp_path, FREE.model_copy(update={"keep": (rule,)}))
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_another_corpus_comes_first_and_is_only_read(tmp_path: Path) -> None:
    texts = [prose(number) for number in range(6)]
    write_rows(tmp_path / "in" / "x.jsonl", [{"id": f"n{k}", "text": text} for k, text in enumerate(texts)])
    write_rows(
        tmp_path / "old" / "y.jsonl", [{"id": "o", "text": f"{texts[2]} and more"}, {"id": "p", "text": texts[4]}]
    )
    before = (tmp_path / "old" / "y.jsonl").read_bytes()
    manifest = run(tmp_path, FREE.model_copy(update={"against": (str(tmp_path / "old"),)}))
    found = {row["doc_id"]: (row["reason"], row["survivor"]) for row in decisions(tmp_path / "out") if not row["kept"]}
    assert found == {"n2": ("in_other_corpus", "against:o"), "n4": ("in_other_corpus", "against:p")}
    assert manifest.books.dropped == {"in_other_corpus": 2}
    assert (tmp_path / "old" / "y.jsonl").read_bytes() == before
    again = FREE.model_copy(update={"against": (str(tmp_path / "out"),)})
    write_rows(tmp_path / "in2" / "x.jsonl", [{"id": "z", "text": texts[0]}])
    result = dedup(again, given=[str(tmp_path / "in2")], output=str(tmp_path / "out2"))
    assert result is not None
    assert result.books.dropped == {"in_other_corpus": 1}, "a result of dedup is another corpus too"


def test_a_repeated_id_is_a_dead_letter_and_never_a_survivor(tmp_path: Path) -> None:
    text = prose(2)
    write_rows(tmp_path / "in" / "a.jsonl", [{"id": 7, "text": "the first of this id"}])
    write_rows(tmp_path / "in" / "b.jsonl", [{"id": "7", "text": text}, {"id": "8", "text": text}, {"text": text}])
    manifest = run(tmp_path)
    assert manifest.books.dropped == {"duplicate_id": 1, "exact_duplicate": 1}
    (path,) = manifest.paths(str(tmp_path / "out"), "rejects")
    (letter,) = parquet.read_table(path).to_pylist()
    line = read_lines(tmp_path / "in" / "b.jsonl")[0].rstrip()
    assert (letter["file"], letter["line"], letter["doc_id"], letter["raw"]) == ("b.jsonl", 1, "7", line)
    assert letter["sha256"] == hashlib.sha256(line).hexdigest()
    assert [row["doc_id"] for row in decisions(tmp_path / "out") if row["kept"]] == ["7", "8"]
    assert "duplicate_id" in inspect_path(path)


def test_too_many_dead_letters_stop_before_anything_is_committed_and_the_advice_helps(tmp_path: Path) -> None:
    rows = [{"id": "same", "body": prose(number)} for number in range(5)]
    write_rows(tmp_path / "in" / "x.jsonl", rows)
    with pytest.raises(DataError, match=r"5 of 5 lines are no document \(no_text 5\).*has no text, but id, body"):
        run(tmp_path, DedupConfig())
    with pytest.raises(DataError, match=r'\(duplicate_id 4\).*--id-key "" lets all documents go by file and line'):
        run(tmp_path, DedupConfig(text_key="body"))
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert run(tmp_path, DedupConfig(text_key="body", id_key="")).books.kept == 5


words = st.lists(st.sampled_from([f"w{k}" for k in range(12)]), max_size=30).map(" ".join)
rows_of_any_kind = st.lists(
    st.fixed_dictionaries({"text": words}, optional={"id": st.integers(0, 6), "more": st.text(max_size=3)})
    | st.sampled_from([b'{"text": 3}', b"{", b"", b"   ", b'{"text": "\xff"}']),
    max_size=25,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=rows_of_any_kind, second=rows_of_any_kind, tag=st.booleans())
def test_every_line_is_kept_dropped_for_a_reason_or_a_dead_letter(
    first: list[Any], second: list[Any], tag: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("any")
    (base / "in").mkdir()
    for name, rows in (("a.jsonl", first), ("b.jsonl.gz", second)):
        raw = b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
        (base / "in" / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    manifest = run(base, FREE.model_copy(update={"duplicates": "tag"}) if tag else FREE)
    found = decisions(base / "out")
    letters = [
        row for path in manifest.paths(str(base / "out"), "rejects") for row in parquet.read_table(path).to_pylist()
    ]
    for name in ("a.jsonl", "b.jsonl.gz"):
        before, after = read_lines(base / "in" / name), read_lines(base / "out" / "data" / name)
        own = {row["line"]: row for row in found if row["file"] == name}
        bad = {row["line"] for row in letters if row["file"] == name}
        blank = {number for number, line in enumerate(before, 1) if not line.strip()}
        assert not bad & own.keys()
        assert bad | own.keys() | blank == set(range(1, len(before) + 1))
        wanted = [line for n, line in enumerate(before, 1) if n in blank or (n in own and own[n]["kept"])]
        if not tag:
            assert after == wanted
            assert all(row["kept"] == (row["reason"] == "") for row in own.values())
        assert len(after) == len(wanted)
    assert manifest.books.read == len(found) + len(letters)
    assert manifest.books.kept == sum(row["kept"] for row in found)
    assert sum(manifest.books.dropped.values()) == len(letters) + sum(not row["kept"] for row in found)
    assert verify_directory(str(base / "out")).num_wrong == 0


def test_the_command_line_runs_again_looks_ahead_and_brings_up_to_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [prose(number) for number in range(20)]
    write_rows(tmp_path / "in" / "a.jsonl", [{"id": k, "text": text} for k, text in enumerate(texts)])
    command = ["dedup", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    assert main([*command, "--dry-run"]) == 0
    assert "1 of 1 files to do" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert main(command) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("dedup: 20 read = 20 kept + 0 dropped; 2 files of ")
    assert "expected recall at 0.8" in shown.out
    assert main(command) == 0
    assert "up to date" in capsys.readouterr().err
    write_rows(tmp_path / "in" / "b.jsonl", [{"id": "x", "text": texts[3]}])
    with pytest.raises(OtherResultError, match="--update"):
        run(tmp_path, DedupConfig())
    assert main([*command, "--update"]) == 0
    assert "21 read = 20 kept + 1 dropped (exact_duplicate 1)" in capsys.readouterr().out
    write_rows(tmp_path / "in" / "c.jsonl", [{"id": "y", "text": texts[4]}])
    assert main([*command, "--update"]) == 0
    fresh = dedup(DedupConfig(), given=[str(tmp_path / "in")], output=str(tmp_path / "fresh"))
    assert fresh is not None
    after = {name: digest for name, digest in hashes(tmp_path / "out").items() if not name.startswith("_")}
    assert after == hashes(tmp_path / "fresh")
    assert verify_directory(str(tmp_path / "out")).num_wrong == 0


def test_inspect_shows_a_pair_and_a_cluster(tmp_path: Path) -> None:
    text = prose(5)
    write_rows(tmp_path / "in" / "a.jsonl", [{"id": "one", "text": text}, {"id": "7", "text": "nothing like it"}])
    write_rows(tmp_path / "in" / "b.parquet", [{"id": "two", "text": f"{text} moreover"}])
    run(tmp_path)
    shown = inspect_path(str(tmp_path / "out"), "two")
    assert "cluster one: 2 documents" in shown
    assert "one (a.jsonl:1): kept" in shown
    assert "two (b.parquet:1): near_duplicate of one, Jaccard 0." in shown
    assert "{+moreover+}" in shown
    assert "text: nothing like it" in inspect_path(str(tmp_path / "out"), "7"), "no PMID"
    with pytest.raises(UsageError, match="an id is as its corpus states it, else FILE:LINE"):
        inspect_path(str(tmp_path / "out"), "nobody")
    (tmp_path / "in").rename(tmp_path / "moved")
    assert "show them with --records DIR" in inspect_path(str(tmp_path / "out"), "two")
    assert "{+moreover+}" in inspect_path(str(tmp_path / "out"), "two", str(tmp_path / "moved"))
    (tmp_path / "moved" / "b.parquet").write_bytes((tmp_path / "moved" / "b.parquet").read_bytes() + b"x")
    with pytest.raises(UsageError, match=r"give what `dedup` was given|not readable"):
        inspect_path(str(tmp_path / "out"), "two", str(tmp_path / "moved"))


def test_empty_files_are_files_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(b"")
    (tmp_path / "in" / "b.jsonl.zst").write_bytes(pa.Codec("zstd").compress(b"\n\n", asbytes=True))
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "in" / "c.parquet")
    assert run(tmp_path).books.read == 0
    for name in ("a.jsonl", "b.jsonl.zst", "c.parquet"):
        assert (tmp_path / "out" / "data" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()
    tagged = run(tmp_path, FREE.model_copy(update={"duplicates": "tag"}), "tagged")
    assert tagged.books.kept == 0
    assert pq.read_schema(tmp_path / "tagged" / "data" / "c.parquet").names == ["text", *TAGS]
