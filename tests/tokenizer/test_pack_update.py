"""`pack --update`: the bytes of a fresh pack, and no text encoded that the result before holds."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorruptError, UsageError
from corpus.stage.manifest import SPLITS, Manifest
from corpus.stage.workspace import RECEIPTS
from corpus.storage.files import walk_files
from tests.support.small_corpus import sentences, write_corpus
from tokenizer import pack as module
from tokenizer.config import PackConfig, TokenizerConfig
from tokenizer.learn import learn
from tokenizer.megatron import read_index
from tokenizer.pack import finish_pack, pack_shard, plan_pack
from tokenizer.packed_documents import packed_documents, read_documents

CONFIG = PackConfig(seq_length=16, check_sample=3)
TEXTS = [text for text in sentences(8, 90) if len(text) > 1]
Documents = dict[int, tuple[str, str]]  # pmid → (split, text)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """Return two tokenizers that encode otherwise."""
    folder = tmp_path_factory.mktemp("tokenizers")
    write_corpus(folder / "corpus", [("train", [("pubmed", text) for text in TEXTS])])
    for size in (300, 420):
        learn(TokenizerConfig(vocab_size=size), corpus=str(folder / "corpus"), output=str(folder / str(size)))
    return str(folder / "300"), str(folder / "420")


def order_of(pmid: int) -> int:
    return (pmid * 7919) % 1009


def corpus_of(base: Path, documents: Documents, *, num_shards: int) -> str:
    """Write documents as so many shards a split, in an order that does not depend on what else is there."""
    shards, pmids = [], []
    for split in SPLITS:
        own = sorted((pmid for pmid, (place, _) in documents.items() if place == split), key=order_of)
        for number in range(num_shards):
            chosen = own[number * len(own) // num_shards : (number + 1) * len(own) // num_shards]
            shards.append((split, [("pmc" if pmid % 3 == 0 else "pubmed", documents[pmid][1]) for pmid in chosen]))
            pmids.append(chosen)
    write_corpus(base, shards, pmids=pmids)
    return str(base)


def pack(corpus: str, tokenizer: str, output: Path, *, update: bool = False) -> tuple[Manifest, int]:
    """Pack a corpus; return the manifest and the number of documents that were copied."""
    workspace, finished, tasks = plan_pack(
        CONFIG, corpus=corpus, tokenizer=tokenizer, output=str(output), update=update
    )
    assert finished is None
    receipts = [
        pack_shard(
            task.corpus_shard,
            tokenizer=tokenizer,
            stem=task.stem,
            workspace=workspace,
            role=task.role,
            config=CONFIG,
            shards=task.shards,
        )
        for task in tasks
    ]
    manifest = finish_pack(workspace, receipts, CONFIG, tokenizer=tokenizer, tasks=tasks)
    workspace.clean()
    return manifest, sum(receipt.facts["copied"] for receipt in receipts)


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in walk_files(str(folder))}


OLD = {pmid: ("train" if pmid % 9 else "validation", TEXTS[pmid]) for pmid in range(1, 41)}
CHANGE = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(SPLITS), st.sampled_from(["", *TEXTS[40:60], *TEXTS[:5]])),
)


@settings(max_examples=25, deadline=None)
@given(
    changes=st.dictionaries(st.integers(1, 60), CHANGE, max_size=25),
    num_shards=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_an_update_equals_a_fresh_pack(
    tokenizers: Sequence[str],
    tmp_path_factory: pytest.TempPathFactory,
    changes: dict[int, tuple[str, str] | None],
    num_shards: tuple[int, int],
) -> None:
    base = tmp_path_factory.mktemp("update")
    new = {pmid: document for pmid, document in (OLD | changes).items() if document is not None}
    if new == OLD:
        new[61] = ("train", "one more")
    pack(corpus_of(base / "old", OLD, num_shards=num_shards[0]), tokenizers[0], base / "tokens")
    corpus = corpus_of(base / "new", new, num_shards=num_shards[1])
    updated, copied = pack(corpus, tokenizers[0], base / "tokens", update=True)
    fresh, of_nothing = pack(corpus, tokenizers[0], base / "fresh")
    assert updated == fresh
    assert content(base / "tokens") == content(base / "fresh")
    same = sum(new.get(pmid) == document and document[1] != "" for pmid, document in OLD.items())
    assert of_nothing == 0
    assert copied <= same
    if max(num_shards) <= 2:  # all shards are near each other
        assert copied == same


def test_documents_are_named_beside_their_tokens(tokenizers: Sequence[str], tmp_path: Path) -> None:
    documents = {5: ("train", TEXTS[5]), 6: ("train", ""), 7: ("train", TEXTS[7])}
    pack(corpus_of(tmp_path / "corpus", documents, num_shards=1), tokenizers[0], tmp_path / "tokens")
    rows = read_documents(str(tmp_path / "tokens/train-00000.docs"), 2)
    lengths = read_index(str(tmp_path / "tokens/train-00000.idx")).lengths
    order = sorted([5, 7], key=order_of)
    expected = packed_documents([f"pmid:{pmid}" for pmid in order], [TEXTS[pmid].encode() for pmid in order])
    assert rows.tolist() == expected.tolist()
    assert len(lengths) == 2
    with pytest.raises(CorruptError, match="48 bytes for 3 documents"):
        read_documents(str(tmp_path / "tokens/train-00000.docs"), 3)


@pytest.mark.parametrize("what", ["another tokenizer", "a damaged shard", "no documents", "an older revision"])
def test_what_cannot_be_copied_is_encoded(
    tokenizers: Sequence[str], tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "an older revision":
        monkeypatch.setattr(module, "REVISION", 2)
    pack(corpus_of(tmp_path / "old", OLD, num_shards=1), tokenizers[0], tmp_path / "tokens")
    monkeypatch.undo()
    if what == "a damaged shard":
        path = tmp_path / "tokens/train-00000.bin"
        raw = path.read_bytes()
        path.write_bytes(raw[:10] + bytes([raw[10] ^ 1]) + raw[11:])
    if what == "no documents":
        (tmp_path / "tokens/train-00000.docs").unlink()
    used = tokenizers[1] if what == "another tokenizer" else tokenizers[0]
    new = corpus_of(tmp_path / "new", OLD | {50: ("train", TEXTS[50])}, num_shards=1)
    with pytest.raises(UsageError, match="Add --update to bring it up to date"):
        pack(new, used, tmp_path / "tokens")
    updated, copied = pack(new, used, tmp_path / "tokens", update=True)
    held_out = sum(split == "validation" for split, _ in OLD.values())
    assert copied == (held_out if what in ("a damaged shard", "no documents") else 0)
    assert updated == pack(new, used, tmp_path / "fresh")[0]
    assert content(tmp_path / "tokens") == content(tmp_path / "fresh")


def test_tokens_that_are_not_those_of_the_text_stop_the_update(
    tokenizers: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(corpus_of(tmp_path / "old", OLD, num_shards=1), tokenizers[0], tmp_path / "tokens")
    new = corpus_of(tmp_path / "new", OLD | {50: ("train", TEXTS[50])}, num_shards=1)
    real = module.old_tokens
    monkeypatch.setattr(
        module, "old_tokens", lambda *given: [None if ids is None else ids[:-1] for ids in real(*given)]
    )
    before = content(tmp_path / "tokens")
    with pytest.raises(CorruptError, match="packed before for a text that starts with"):
        pack(new, tokenizers[0], tmp_path / "tokens", update=True)
    assert {name: raw for name, raw in content(tmp_path / "tokens").items() if name in before} == before


def test_a_kill_between_two_shards_is_made_good(tokenizers: Sequence[str], tmp_path: Path) -> None:
    pack(corpus_of(tmp_path / "old", OLD, num_shards=2), tokenizers[0], tmp_path / "tokens")
    new = corpus_of(tmp_path / "new", OLD | {50: ("train", TEXTS[50])}, num_shards=2)
    workspace, _, tasks = plan_pack(
        CONFIG, corpus=new, tokenizer=tokenizers[0], output=str(tmp_path / "tokens"), update=True
    )
    for task in tasks[:2]:
        pack_shard(
            task.corpus_shard,
            tokenizer=tokenizers[0],
            stem=task.stem,
            workspace=workspace,
            role=task.role,
            config=CONFIG,
            shards=2,
        )
    shutil.copytree(tmp_path / "tokens", tmp_path / "killed")
    assert (tmp_path / "killed" / RECEIPTS).exists()
    pack(new, tokenizers[0], tmp_path / "killed", update=True)
    pack(new, tokenizers[0], tmp_path / "fresh")
    assert content(tmp_path / "killed") == content(tmp_path / "fresh")
