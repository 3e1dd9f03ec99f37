"""A component of equal texts of any size: one text of them is moved, held and shingled, and one document stays."""

import gzip
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.assemble.config import AssembleConfig
from corpus.dedup.shingles import Shingles
from corpus.dedup.verify import verified_edges
from corpus.extract.config import ExtractConfig
from pipelines.assemble import search
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from tests.corpus.dedup.test_verify import all_edges, prose, shingles_of
from tests.pipelines.assemble.test_orders import VOCABULARY, citation

COPIES = 1500  # in each of two files


@settings(deadline=None, max_examples=40)
@given(of=st.lists(st.integers(0, 7), min_size=1, max_size=90), seed=st.integers(0, 99))
def test_a_text_of_many_documents_is_needed_once(of: list[int], seed: int) -> None:
    base = prose(seed, 60)
    pool = [" ".join([*base[:k], *base[k + 1 :]]) for k in (5, 25, 45, 59)] + [" ".join(prose(k, 60)) for k in range(4)]
    keys = np.random.default_rng(seed).permutation(len(of)).astype(np.uint64)
    edges, texts = all_edges(len(of)), [pool[k] for k in of]
    each = verified_edges(edges, keys, shingles_of(texts), texts=pa.array(texts), threshold=0.8)
    once = verified_edges(
        edges, keys, shingles_of(pool), texts=pa.array(pool), text_of=np.array(of, np.int64), threshold=0.8
    )
    for column in ("a", "b", "score", "exact"):
        assert np.array_equal(getattr(each, column), getattr(once, column))


@pytest.mark.slow
def test_equal_texts_are_verified_by_one_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    text = " ".join(rng.choices(VOCABULARY, k=150))
    near = " ".join([*text.split()[:149], "another"])
    for number in range(2):
        records = [citation(number * COPIES + k + 1, 1, text if k else near, rng) for k in range(COPIES)]
        raw = f'<?xml version="1.0"?><PubmedArticleSet>{"".join(records)}</PubmedArticleSet>'
        (tmp_path / f"pubmed26n000{number}.xml.gz").write_bytes(gzip.compress(raw.encode(), mtime=0))
    extract(ExtractConfig(pubmed=(str(tmp_path),)), output=str(tmp_path / "records"))
    shingled: list[int] = []
    shingle = search.shingle

    def counted(texts: Any) -> Shingles:
        shingled.append(len(texts))
        return shingle(texts)

    monkeypatch.setattr(search, "shingle", counted)
    manifest = assemble(AssembleConfig(), records=str(tmp_path / "records"), output=str(tmp_path / "corpus"))
    assert manifest is not None
    assert shingled == [2]
    assert manifest.books.kept == 1
    assert manifest.books.dropped == {"exact_duplicate": 2 * COPIES - 3, "near_duplicate": 2}
