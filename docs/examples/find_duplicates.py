"""Near-duplicates among the citations of PubMed files: MinHash proposes, exact similarity decides."""

import sys

import numpy as np
import pyarrow as pa

from corpus import dedup
from corpus.ncbi.pubmed import read_pubmed
from corpus.records import Record
from corpus.text import render

THRESHOLD = 0.8  # Jaccard similarity of word 5-shingles


def main(paths: list[str]) -> None:
    """Print each pair with its similarity, the most similar first."""
    records = [item for path in paths for item in read_pubmed(path) if isinstance(item, Record) and item.abstracts]
    texts = pa.array([render(record) for record in records], pa.large_string())
    keys, normal = np.arange(len(records), dtype=np.uint64), dedup.normalize(texts)
    signed = dedup.sign(normal)
    bands = dedup.band_hashes(signed.signatures, *dedup.bands_for(THRESHOLD))
    candidates = dedup.candidate_edges(*dedup.bucket_rows(keys, signed, bands))
    edges = dedup.verified_edges(candidates, keys, dedup.shingle(normal), texts=texts, threshold=THRESHOLD)
    for number in np.argsort(-edges.score, kind="stable"):
        one, other = records[int(edges.a[number])], records[int(edges.b[number])]
        print(f"{edges.score[number]:.3f}  {one.doc_id}  {other.doc_id}")
    print(f"{len(edges)} pairs among {len(records)} citations, {edges.num_twins} twins kept apart", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
