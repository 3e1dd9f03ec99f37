"""`assemble --against`: what it drops is what one joint build drops in which the other corpus comes first."""

import gzip
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from corpus.arrays.columns import doc_keys
from corpus.assemble.config import AssembleConfig
from corpus.assemble.documents import work_path
from corpus.assemble.full_text_join import join_full_texts, ranks_of, spared_only_where_held
from corpus.assemble.same_papers import edges_by_id, pairs_by_id
from corpus.assemble.text_store import read_texts
from corpus.dedup.resolve import Outcome, resolve
from corpus.dedup.shingles import normalize, shingle
from corpus.dedup.verify import Edges, verified_edges
from corpus.extract.config import ExtractConfig
from corpus.reasons import DUPLICATE_REASONS, DropReason
from corpus.records import doc_id, pubmed_key
from corpus.stage.manifest import SPLITS, read_manifest
from corpus.storage import parquet
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.cli.app import main
from pipelines.extract import extract
from tests.corpus.dedup.test_verify import all_edges
from tests.support.engines import prism_server

pytestmark = pytest.mark.slow
AMONG = 8_000_000_000  # PMIDs of nobody, as which the joint build has the other corpus


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("against")
    sample = write_sample(str(folder / "raw"), seed=5, scale=0.1)
    config = ExtractConfig(pubmed=tuple(sample.pubmed), pmc=(sample.pmc_tree, sample.pmc_tar))
    extract(config, output=str(folder / "records"))
    return str(folder / "records")


@pytest.fixture(scope="module")
def plain(records: str) -> Path:
    """Return a corpus of these records, with its documents, dropped ones too."""
    output = Path(records).with_name("plain")
    assemble(AssembleConfig(keep_documents=True), records=records, output=str(output))
    return output


@pytest.fixture(scope="module")
def parts(plain: Path) -> list[tuple[str, str]]:
    stems = sorted(path.stem for path in (plain / work_path("documents", "x")).parent.iterdir())
    return [(f"{plain}/{work_path('documents', stem)}", f"{plain}/{work_path('texts', stem)}") for stem in stems]


def texts_of(parts: list[tuple[str, str]]) -> tuple[np.ndarray, list[str]]:
    keys, texts = [], []
    for documents, stored in parts:
        table = parquet.read_table(documents, ["doc_key", "text_start", "length"])
        keys.append(doc_keys(table))
        texts += read_texts(stored, *(table.column(k).to_numpy() for k in ("text_start", "length"))).to_pylist()
    return np.concatenate(keys), texts


def edited(text: str, *places: float) -> str:
    """Return a text with a word in front of those at some shares of it."""
    words = text.split(" ")
    for share in sorted(places, reverse=True):
        words.insert(int(share * len(words)), "indeed")
    return " ".join(words)


@pytest.fixture(scope="module")
def other(parts: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return another corpus: copies, near copies of kept and dropped documents, twice in a row, and strangers."""
    _, texts = texts_of(parts)
    chosen = [text for text in texts if len(text.split()) > 60]
    rows = [{"id": f"copy-{k}", "text": text} for k, text in enumerate(chosen[::7])]
    rows += [{"id": f"near-{k}", "text": edited(text, 0.3)} for k, text in enumerate(chosen[3::7])]
    rows += [{"id": f"again-{k}", "text": edited(text, 0.3, 0.6)} for k, text in enumerate(chosen[3::14])]
    rows += [{"id": f"far-{k}", "text": " ".join(text.split()[::-1])} for k, text in enumerate(chosen[5::7])]
    return [*rows, {"id": "empty", "text": ""}, {"id": "none", "text": None}]


@pytest.fixture(scope="module")
def jointly(parts: list[tuple[str, str]], other: list[dict[str, Any]]) -> dict[str, tuple[str, str, float | None]]:
    ordered = [*other[::2], *other[1::2]]  # as files and rows come
    return expected(joint(parts, ordered), ordered)


def joint(parts: list[tuple[str, str]], other: list[dict[str, Any]]) -> Outcome:
    """Return the fates in one build of both, of every pair of texts; the other corpus comes first and stays whole."""
    keys, texts = texts_of(parts)
    strangers = pubmed_key(np.arange(AMONG, AMONG + len(other), dtype=np.uint64))
    ours, paths = len(keys), [path for path, _ in parts]
    everything = np.concatenate([keys, strangers])
    written = pa.array([*texts, *(row["text"] or "" for row in other)], pa.large_string())
    pairs = all_edges(len(everything)).astype(np.int64)
    pairs = pairs[pairs.min(axis=1) < ours]
    found = verified_edges(everything[pairs], everything, shingle(normalize(written)), texts=written, threshold=0.8)
    sides = np.isin(np.column_stack([found.a, found.b]), strangers).all(axis=1)
    found = Edges(**{name: getattr(found, name)[~sides] for name in ("a", "b", "score", "exact")})
    join = spared_only_where_held(join_full_texts(paths), parts)
    same = pairs_by_id(paths)
    found = found.with_more(edges_by_id(same, parts, ranks_of(np.unique(same), paths, join)))
    ranks = ranks_of(np.sort(keys), paths, join)
    equals: dict[int, int] = {}  # a text of the other corpus that is a full text, word for word, is that full text
    for one, two, exact in zip(found.a.tolist(), found.b.tolist(), found.exact.tolist(), strict=True):
        ends = [end for end in (one, two) if end in set(strangers.tolist())]
        if exact and ends:
            mine = one + two - ends[0]
            equals[mine] = min(ends[0], equals.get(mine, ends[0]))
    first = np.column_stack([np.full(len(other), -1), np.zeros((len(other), ranks.shape[1] - 2), int), strangers])
    return resolve(
        found,
        doc_keys=np.concatenate([np.sort(keys), strangers]),
        ranks=np.concatenate([ranks, first.astype(np.int64)]),
        citations=join.citations,
        full_texts=np.array([equals.get(key, key) for key in join.full_texts.tolist()], np.uint64),
        beside=np.column_stack([join.beside, join.beside_full_texts]),
    )


def expected(outcome: Outcome, other: list[dict[str, Any]]) -> dict[str, tuple[str, str, float | None]]:
    """Return document id → (reason, survivor, score) as decisions say it."""

    def name(key: int) -> str:
        found = doc_id(key)
        number = int(found.removeprefix("pmid:")) - AMONG if found.startswith("pmid:") else -1
        return f"against:{other[number]['id']}" if number >= 0 else found

    rows = {}
    for key, survivor, score, code in zip(
        outcome.dropped.tolist(), outcome.survivor.tolist(), outcome.score.tolist(), outcome.reason, strict=True
    ):
        stays = name(survivor)
        reason = "in_other_corpus" if stays.startswith("against:") else str(DUPLICATE_REASONS[code])
        rows[doc_id(key)] = (reason, stays, None if np.isnan(score) else score)
    return rows


def duplicates(corpus: Path) -> dict[str, tuple[str, str, float | None]]:
    manifest = read_manifest(str(corpus), "assemble")
    rows = [row for path in manifest.paths(str(corpus), "decisions") for row in parquet.read_table(path).to_pylist()]
    wanted = {str(reason) for reason in DUPLICATE_REASONS}
    assert manifest.books.read == manifest.books.kept + sum(manifest.books.dropped.values())
    return {row["doc_id"]: (row["reason"], row["survivor"], row["score"]) for row in rows if row["reason"] in wanted}


def write(base: Path, form: str, rows: list[dict[str, Any]]) -> Path:
    """Write documents below a directory, in two files, beside what is no corpus."""
    base.mkdir(parents=True)
    (base / "README.md").write_text("# Another corpus\n")
    for number, some in enumerate((rows[::2], rows[1::2])):
        path = base / f"sub/part-{number}{form}"
        path.parent.mkdir(exist_ok=True)
        if form == ".parquet":
            parquet.write_table(str(path), pa.Table.from_pylist(some))
            continue
        lines = "".join(json.dumps(row) + "\n\n" for row in some).encode()
        path.write_bytes({"": bytes, ".gz": gzip.compress, ".zst": zstd}[path.suffix if "." in form[1:] else ""](lines))
    return base


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


@pytest.mark.parametrize("form", [".parquet", ".jsonl", ".jsonl.gz", ".ndjson.zst"])
def test_what_is_dropped_is_what_a_joint_build_drops(
    form: str, records: str, jointly: dict[str, Any], other: list[dict[str, Any]], tmp_path: Path
) -> None:
    base = write(tmp_path / "other", form, other)
    before = {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}
    given = ["assemble", "--records", records, "-o", f"{tmp_path}/corpus", "--against", str(base)]
    assert main(given) == 0
    assert {path: path.read_bytes() for path in base.rglob("*") if path.is_file()} == before
    found = duplicates(tmp_path / "corpus")
    assert found == jointly
    by_other = [survivor for reason, survivor, _ in found.values() if reason == DropReason.IN_OTHER_CORPUS]
    stands = {survivor.partition("-")[0] for survivor in by_other}
    assert {"against:copy", "against:near"} <= stands <= {"against:copy", "against:near", "against:again"}
    assert read_manifest(f"{tmp_path}/corpus").books.dropped["in_other_corpus"] == len(by_other) > 50


@pytest.mark.parametrize("engine", ["embedded", "Prism"])
def test_against_its_own_corpus_nothing_is_left(engine: str, records: str, plain: Path, tmp_path: Path) -> None:
    config, corpus = AssembleConfig(against=(str(plain),)), tmp_path / "corpus"
    with prism_server() if engine == "Prism" else nullcontext((0, None)) as (jobs, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=LOOPBACK"]
        assemble(config, records=records, output=str(corpus), beam_args=flags if engine == "Prism" else ())
    shards = ", ".join(f"'{plain}/{split}/*.parquet'" for split in SPLITS if (plain / split).exists())
    kept = [name for (name,) in duckdb.sql(f"SELECT doc_id FROM read_parquet([{shards}])").fetchall()]
    found = duplicates(corpus)
    assert len(kept) > 100
    assert {reason for reason, _, _ in found.values()} == {"in_other_corpus"}
    by_itself = [name for name in kept if found[name] == ("in_other_corpus", f"against:{name}", 1.0)]
    assert len(by_itself) > 0.9 * len(kept)  # all but those of which the corpus holds the same words twice
    assert found.keys() == {*kept, *duplicates(plain)}  # citations of the articles that it holds too


def test_what_resembles_nothing_there_changes_no_file(records: str, plain: Path, tmp_path: Path) -> None:
    base = write(tmp_path / "other", ".jsonl", [{"text": "nothing of this stands in any paper of the sample at all"}])
    manifest = assemble(AssembleConfig(against=(str(base),)), records=records, output=str(tmp_path / "corpus"))
    old = read_manifest(str(plain), "assemble")
    assert manifest is not None
    assert manifest.parts == old.parts
    assert manifest.fingerprint != old.fingerprint


def test_an_update_follows_the_other_corpus(records: str, other: list[dict[str, Any]], tmp_path: Path) -> None:
    base = write(tmp_path / "other", ".jsonl", other[::2])
    given = ["assemble", "--records", records, "--against", str(base), "-o"]
    updated, fresh = tmp_path / "updated", tmp_path / "fresh"
    assert main([*given, str(updated), "--keep-documents"]) == 0
    (base / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other[1::2]))
    assert main([*given, str(updated)]) == 2
    assert main([*given, str(updated), "--update"]) == 0
    assert main([*given, str(fresh)]) == 0
    assert (updated / "manifest.json").read_bytes() == (fresh / "manifest.json").read_bytes()
    base.rename(tmp_path / "elsewhere")
    assert main([*given[:-2], str(tmp_path / "elsewhere"), "-o", str(fresh)]) == 0  # up to date
    assert (updated / "manifest.json").read_bytes() == (fresh / "manifest.json").read_bytes()
