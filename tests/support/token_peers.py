"""Other trainers' readers of token shards, in a process of its own: python -m tests.support.token_peers READER DIR...

READER is megatron or datatrove. A line of JSON for each directory of `corpuscle pack`: of each training shard its
documents as Megatron's dataset gives them, or the windows that datatrove's gives, which nanotron's Nanoset is built on.
"""

import json
import sys
from pathlib import Path

WINDOW = 16  # tokens that datatrove gives at once
Ids = list[list[int]]


def main(reader: str, folders: list[str]) -> None:
    """Read each directory."""
    read = {"megatron": by_megatron, "datatrove": by_datatrove}[reader]
    for folder in folders:
        print(json.dumps([read(bin_file) for bin_file in sorted(Path(folder).glob("train-*.bin"))]), flush=True)


def by_megatron(bin_file: Path) -> Ids:
    """Return the documents of a shard."""
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    dataset = IndexedDataset(str(bin_file.with_suffix("")))
    # The boundaries of documents are theirs; here each sequence is one document.
    assert dataset.document_indices.tolist() == list(range(len(dataset) + 1))
    return [dataset[place].tolist() for place in range(len(dataset))]


def by_datatrove(bin_file: Path) -> Ids:
    """Return the windows of a shard; tokens behind the last full one are not read."""
    from datatrove.utils.dataset import DatatroveFileDataset

    size = json.loads((bin_file.parent / "manifest.json").read_text())["summary"]["vocab_size"]
    dataset = DatatroveFileDataset(str(bin_file), seq_len=WINDOW - 1, token_size=2 if size <= 1 << 16 else 4)
    return [dataset[place]["input_ids"].tolist() for place in range(len(dataset))]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
