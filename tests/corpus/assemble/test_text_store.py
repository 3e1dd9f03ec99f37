"""Texts apart from their documents: written in the order of shards, read back by place, whatever is asked for."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.assemble import text_store
from corpus.assemble.text_store import gather_texts, read_texts, write_texts
from corpus.errors import CorruptError

PARTS = st.lists(st.lists(st.text(max_size=40), max_size=9), min_size=1, max_size=4)


def lengths_of(texts: list[str]) -> np.ndarray:
    return np.array([len(text.encode()) for text in texts], np.int64)


@settings(deadline=None, max_examples=200)
@given(PARTS, st.randoms(use_true_random=False), st.sampled_from([0, 3, 1 << 16]), st.sampled_from([1, 30, 1 << 24]))
def test_any_texts_of_several_files_come_back(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[str]], random: object, gap: int, piece: int
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    patch = pytest.MonkeyPatch()
    patch.setattr(text_store, "GAP_BYTES", gap)
    patch.setattr(text_store, "PIECE_BYTES", piece)
    patch.setattr(text_store, "CHUNK_BYTES", 64)
    paths, rows = [], []
    for number, texts in enumerate(parts):
        paths.append(str(folder / f"{number}.txt"))
        chunks = [pa.array(texts[:3], pa.string()), pa.array(["not its own", *texts[3:]], pa.string())[1:]]
        order = np.array([random.getrandbits(64) for _ in texts], np.uint64)  # type: ignore[attr-defined]
        starts = write_texts(paths[-1], pa.chunked_array(chunks), order)
        rows += zip([number] * len(texts), starts.tolist(), lengths_of(texts).tolist(), texts, strict=True)
        by_order = [texts[k] for k in np.argsort(order)]
        assert Path(paths[-1]).read_bytes().decode() == "".join(by_order)
    wanted = random.sample(rows, random.randint(0, len(rows)))  # type: ignore[attr-defined]
    part, starts, lengths = (np.array([row[k] for row in wanted], np.int64) for k in range(3))
    assert gather_texts(paths, part, starts, lengths).to_pylist() == [row[3] for row in wanted]
    patch.undo()


def test_a_file_that_ends_early_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    texts = ["one", "two", "three"]
    starts = write_texts(str(path), pa.chunked_array([texts]), np.arange(3, dtype=np.uint64))
    path.write_bytes(path.read_bytes()[:-1])
    assert read_texts(str(path), starts[:2], lengths_of(texts[:2])).to_pylist() == ["one", "two"]
    with pytest.raises(CorruptError, match=r"a\.txt: ends at 10"):
        read_texts(str(path), starts, lengths_of(texts))
