"""Near-duplicate detection as pure functions on arrays: shingles, MinHash signatures, candidates, verified edges."""

from corpus.dedup.candidates import bucket_rows, candidate_edges
from corpus.dedup.minhash import Signed, band_hashes, bands_for, sign
from corpus.dedup.shingles import Shingles, normalize, shingle
from corpus.dedup.verify import Edges, verified_edges

__all__ = [
    "Edges",
    "Shingles",
    "Signed",
    "band_hashes",
    "bands_for",
    "bucket_rows",
    "candidate_edges",
    "normalize",
    "shingle",
    "sign",
    "verified_edges",
]
