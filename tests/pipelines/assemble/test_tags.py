"""`assemble --duplicates tag`: nothing is left out for being a duplicate, and columns say what would be."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from corpus.assemble.config import AssembleConfig
from corpus.assemble.tags import TAGS
from corpus.reasons import DUPLICATE_REASONS
from corpus.stage.manifest import SPLITS, Manifest, read_manifest
from corpus.storage import parquet
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.beam.flags import WORKERS
from pipelines.inspection.verification import verify_directory
from tests.pipelines.assemble.test_determinism import extract, extract_config, hashes

pytestmark = pytest.mark.slow
TAG = AssembleConfig(duplicates="tag", validation=0.1, test=0.1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `records` and the corpora `drop` and `tag` of them."""
    folder = tmp_path_factory.mktemp("tags")
    sample = write_sample(str(folder / "raw"), seed=3, scale=0.1)
    extract(extract_config(sample), output=str(folder / "records"))
    for name in ("drop", "tag"):
        config = TAG.model_copy(update={"duplicates": name})
        assemble(config, records=str(folder / "records"), output=str(folder / name))
    return folder


def rows(corpus: Path) -> dict[str, dict[str, Any]]:
    manifest = read_manifest(str(corpus), "assemble")
    paths = [(split, path) for split in SPLITS for path in manifest.paths(str(corpus), split)]
    return {row["doc_id"]: row | {"split": s} for s, path in paths for row in parquet.read_table(path).to_pylist()}


def decisions(corpus: Path) -> dict[str, dict[str, Any]]:
    paths = read_manifest(str(corpus), "assemble").paths(str(corpus), "decisions")
    tables = [parquet.read_table(path) for path in paths]
    whole = pa.concat_tables(tables).to_pylist()
    return {row["doc_id"]: row for row in whole if row["kept"] or row["reason"] in DUPLICATE_REASONS}


def test_what_has_no_tag_is_the_corpus_without_duplicates(base: Path) -> None:
    dropped, tagged = rows(base / "drop"), rows(base / "tag")
    plain = {doc_id: row for doc_id, row in tagged.items() if not row["duplicate"]}
    assert len(tagged) > len(plain)
    assert {doc_id: {k: v for k, v in row.items() if k not in TAGS} for doc_id, row in plain.items()} == dropped
    names = {str(reason) for reason in DUPLICATE_REASONS}
    assert {row["duplicate"] for row in tagged.values()} <= {"", *names}
    assert {"near_duplicate", "full_text_kept"} <= {row["duplicate"] for row in tagged.values()}


def test_tags_and_books_are_those_of_the_decisions(base: Path) -> None:
    tagged, without, said = rows(base / "tag"), decisions(base / "drop"), decisions(base / "tag")
    for doc_id, row in tagged.items():
        other = without[doc_id]
        assert row["duplicate"] == other["reason"]
        joined = row["duplicate"] == "full_text_kept"  # in no cluster where it is left out
        assert row["cluster"] == (tagged[other["survivor"]] if joined else other)["cluster"]
        assert row["cluster_score"] == (other["score"] if other["reason"] else None)
        assert (said[doc_id]["kept"], said[doc_id]["reason"], said[doc_id]["split"]) == (True, "", row["split"])
        assert (said[doc_id]["survivor"], said[doc_id]["score"]) == (other["survivor"], other["score"])
    before, after = (read_manifest(str(base / name), "assemble").books for name in ("drop", "tag"))
    gone = sum(before.dropped.get(reason, 0) for reason in DUPLICATE_REASONS)
    assert (after.read, after.kept) == (before.read, before.kept + gone)
    assert not set(after.dropped) & {str(reason) for reason in DUPLICATE_REASONS}
    assert verify_directory(str(base / "tag")).num_wrong == 0


def test_a_cluster_is_in_one_split_and_its_places_are_those_of_its_members(base: Path) -> None:
    clusters: dict[str, list[dict[str, Any]]] = {}
    for row in rows(base / "tag").values():
        clusters.setdefault(row["cluster"], []).append(row)
    assert max(map(len, clusters.values())) > 1
    for members in clusters.values():
        assert {row["cluster_size"] for row in members} == {len(members)}
        assert sorted(row["cluster_rank"] for row in members) == list(range(len(members)))
        assert len({row["split"] for row in members}) == 1
        best = min(members, key=lambda row: row["cluster_rank"])
        assert best["duplicate"] == "", "the best by the policy would stay"


def test_the_bytes_are_the_same_for_two_workers_and_the_default_leaves_no_trace(base: Path) -> None:
    again = assemble(TAG, records=str(base / "records"), output=str(base / "two"), beam_args=[f"{WORKERS}=2"])
    assert isinstance(again, Manifest)
    assert hashes(base / "two") == hashes(base / "tag")
    assert "duplicates" not in AssembleConfig().identity()
    assert TAG.identity()["duplicates"] == "tag"
    assert not set(TAGS) & set(rows(base / "drop").popitem()[1])
