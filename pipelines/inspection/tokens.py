"""Description of a token shard and of a tokenizer as text, for `inspect`."""

import numpy as np

from corpus import storage
from tokenizer.encode import Encoder, open_encoder
from tokenizer.megatron import read_index
from tokenizer.report import split_words

DOCUMENTS_SHOWN = 3
IDS_SHOWN = 16


def describe_index(path: str) -> str:
    """Return the numbers of the token shard of a `.idx` file and the beginnings of its first documents."""
    index = read_index(path)
    lengths = index.lengths
    lines = [f"{path}: {len(lengths):,} documents, {index.num_tokens:,} tokens (each document's end included)"]
    if len(lengths):
        quantiles = np.quantile(lengths, [0.5, 0.9, 1.0])
        lines.append("tokens a document: median {:,.0f}, 90 % up to {:,.0f}, longest {:,.0f}".format(*quantiles))
    with storage.open_read(path.removesuffix(".idx") + ".bin") as source:
        for number, length in enumerate(lengths[:DOCUMENTS_SHOWN].tolist()):
            size = index.id_type.itemsize
            source.seek(size * int(index.starts[number]))
            ids = np.frombuffer(source.read(size * min(length, IDS_SHOWN)), index.id_type)
            more = " …" if length > IDS_SHOWN else ""
            lines.append(f"document {number}: {length:,} tokens: {' '.join(map(str, ids))}{more}")
    return "\n".join(lines)


def describe_tokenizer(path: str) -> str:
    """Return the size of a tokenizer's vocabulary and how it splits the paper's ten words."""
    encoder = open_encoder(path)
    end = "the last of them <|endoftext|>"
    if not isinstance(encoder, Encoder):
        end = f"documents end with {encoder.eot:,}, {encoder.decode([encoder.eot])}"
    lines = [f"{path}: byte-level BPE, {encoder.vocab_size:,} entries, {end}"]
    lines += [
        f"  {split.word:<22} {'·'.join(split.alone):<34} after a space {'·'.join(split.after_space)}"
        for split in split_words(encoder)
    ]
    return "\n".join(lines)
