"""Byte-level BPE: learn it from a corpus, encode with it, pack token shards, read them as rows. No Beam, no torch."""

from tokenizer.encode import Encoder
from tokenizer.token_rows import TokenRows

__all__ = ["Encoder", "TokenRows"]
