"""Byte-level BPE: learn it from a corpus, encode with it, pack token shards, read them as rows. No Beam, no torch."""
