"""Token shards: DeepSpeed's own reader reads them, Megatron's layout byte by byte, and damage is noticed."""

import io
import struct
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorruptError
from tokenizer.megatron import INT16, MAGIC, UINT16, read_index, write_shard

EOT = 28895
DOCUMENTS = st.lists(st.lists(st.integers(0, EOT - 1), max_size=20), max_size=12)


def batches(documents: list[list[int]], batch: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    groups = [documents[start : start + batch] for start in range(0, len(documents), batch)]
    return [
        (np.array([number for each in group for number in each], np.uint16), np.array([len(each) for each in group]))
        for group in groups
    ]


def read_megatron(stem: Path) -> list[list[int]]:
    """Read a shard as Megatron-LM's indexed_dataset.py documents it, with struct alone."""
    index, ids = stem.with_suffix(".idx").read_bytes(), stem.with_suffix(".bin").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code = struct.unpack_from("<QB", index, 9)
    count, num_documents = struct.unpack_from("<QQ", index, 9 + 9)
    assert version == 1
    assert num_documents == count + 1
    item = {3: "h", 8: "H"}[code]
    place = 9 + 8 + 1 + 8 + 8
    sizes = struct.unpack_from(f"<{count}i", index, place)
    pointers = struct.unpack_from(f"<{count}q", index, place + 4 * count)
    documents = struct.unpack_from(f"<{count + 1}q", index, place + 12 * count)
    assert documents == tuple(range(count + 1))
    assert len(index) == place + 12 * count + 8 * (count + 1)
    return [list(struct.unpack_from(f"<{size}{item}", ids, start)) for size, start in zip(sizes, pointers, strict=True)]


@settings(max_examples=60, deadline=None)
@given(documents=DOCUMENTS)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]]) -> None:
    stem = tmp_path_factory.mktemp("bins") / "train-00000"
    written = write_shard(str(stem), batches(documents), eot=EOT)
    expected = [[*each, EOT] for each in documents]
    assert written == (sum(map(len, expected)), len(documents))
    assert read_megatron(stem) == expected
    index = read_index(f"{stem}.idx")
    assert index.lengths.tolist() == [len(each) for each in expected]
    assert index.starts.tolist() == [sum(map(len, expected[:place])) for place in range(len(expected))]
    assert index.num_tokens == written[0]
    assert sorted(path.name for path in stem.parent.iterdir()) == ["train-00000.bin", "train-00000.idx"]


def test_deepspeeds_reader_reads_a_shard(tmp_path: Path) -> None:
    from deepspeed.runtime.data_pipeline.data_sampling.indexed_dataset import MMapIndexedDataset

    rng = np.random.default_rng(0)
    documents = [rng.integers(0, EOT, rng.integers(0, 3000)).tolist() for _ in range(50)]
    stem = tmp_path / "train-00000"
    write_shard(str(stem), batches(documents), eot=EOT)
    with redirect_stdout(io.StringIO()):
        dataset = MMapIndexedDataset(str(stem))
    assert len(dataset) == 50
    assert dataset.sizes.tolist() == [len(each) + 1 for each in documents]
    assert dataset.doc_idx.tolist() == list(range(51))
    for place, each in enumerate(documents):
        assert dataset[place].tolist() == [*each, EOT]
    assert dataset.get(3, offset=1, length=5).tolist() == documents[3][1:6]


@pytest.mark.parametrize(("eot", "code"), [(32_767, INT16), (32_768, UINT16), (65_535, UINT16)])
def test_the_dtype_code_follows_the_vocabulary(tmp_path: Path, eot: int, code: int) -> None:
    stem = tmp_path / "train-00000"
    write_shard(str(stem), batches([[1, eot - 1]]), eot=eot)
    assert read_index(f"{stem}.idx").dtype_code == code
    assert read_megatron(stem) == [[1, eot - 1, eot]]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def failing():  # type: ignore[no-untyped-def]
        yield from batches([[1, 2]])
        raise CorruptError("the shard is damaged")

    with pytest.raises(CorruptError):
        write_shard(str(tmp_path / "train-00000"), failing(), eot=EOT)
    assert list(tmp_path.iterdir()) == []


def write_example(folder: Path) -> Path:
    write_shard(str(folder / "train-00000"), batches([[1, 2, 3], [], [4] * 10, [5]]), eot=EOT)
    return folder / "train-00000.idx"


def test_every_flipped_byte_of_an_index_is_noticed(tmp_path: Path) -> None:
    path = write_example(tmp_path)
    raw = path.read_bytes()
    for place in range(len(raw)):
        flipped = bytearray(raw)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(CorruptError):
            read_index(str(path))


def test_every_truncation_of_an_index_is_noticed(tmp_path: Path) -> None:
    path = write_example(tmp_path)
    raw = path.read_bytes()
    for size in range(len(raw)):
        path.write_bytes(raw[:size])
        with pytest.raises(CorruptError):
            read_index(str(path))
    path.write_bytes(raw + b"\0")
    with pytest.raises(CorruptError, match="expected for 4 documents"):
        read_index(str(path))


def test_a_bin_of_another_size_is_noticed(tmp_path: Path) -> None:
    path = write_example(tmp_path)
    ids = path.with_suffix(".bin")
    raw = ids.read_bytes()
    for content in (raw[:-1], raw[:-2], raw + b"\0\0", b""):
        ids.write_bytes(content)
        with pytest.raises(CorruptError, match=f"{len(content)} bytes, the index says {len(raw)}"):
            read_index(str(path))
    ids.unlink()
    with pytest.raises(CorruptError, match="missing"):
        read_index(str(path))


def test_another_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.idx"
    path.write_bytes(b"TNTIDX\0\0" + bytes(100))
    with pytest.raises(CorruptError, match=r"not b'MMIDIDX"):
        read_index(str(path))
    path.write_bytes(MAGIC + struct.pack("<QBQQ", 1, 6, 0, 1) + bytes(8))
    with pytest.raises(CorruptError, match="dtype code 6"):
        read_index(str(path))
