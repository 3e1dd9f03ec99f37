"""text-dedup and datatrove on the same documents: `PYTHON tests/benchmarks/peers_dedup.py NAME < texts > clusters`.

It runs in an environment of its own (their pins conflict with ours) and imports nothing of this repository. JSON
strings come in, one a line; a cluster number a line goes out. The signatures are the packages' own functions with their
defaults (5-word shingles, threshold 0.8); buckets are joined as in their own programs: whoever shares one is a cluster.
"""

import json
import sys
import time
from collections.abc import Iterable


def clusters(signatures: Iterable[list[bytes]]) -> list[int]:
    """Return the cluster of each document: documents with an equal bucket of one band belong together."""
    parents: list[int] = []
    owners: dict[tuple[int, bytes], int] = {}

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for number, bands in enumerate(signatures):
        parents.append(number)
        for band, content in enumerate(bands):
            other = root(owners.setdefault((band, content), number))
            mine = root(number)
            parents[max(mine, other)] = min(mine, other)
    return [root(number) for number in range(len(parents))]


def text_dedup(texts: list[str]) -> Iterable[list[bytes]]:
    """Yield the bands of text-dedup 0.4: `embed_func` and the program's defaults (256 permutations)."""
    import numpy as np
    from text_dedup.minhash import RNG, SIGNATURE_COLUMN, embed_func, optimal_param
    from text_dedup.utils import sha1_hash

    num_perm, prime = 256, np.uint64((1 << 61) - 1)
    bands, rows = optimal_param(0.8, num_perm, false_positive_weight=0.5, false_negative_weight=0.5)
    print(f"text-dedup: {bands} bands of {rows}", file=sys.stderr)
    permutations = (
        RNG.randint(1, prime, size=(num_perm,), dtype=np.uint64),
        RNG.randint(0, prime, size=(num_perm,), dtype=np.uint64),
    )
    for number, text in enumerate(texts):
        found = embed_func(
            text,
            number,
            num_perm=num_perm,
            ngram_size=5,
            min_length=5,
            hashranges=[(k * rows, (k + 1) * rows) for k in range(bands)],
            permutations=permutations,
            hash_func=lambda data: sha1_hash(data, d=32),
            dtype=np.uint64,
            max_hash=np.uint32((1 << 32) - 1),
            modulo_prime=prime,
        )
        yield found[SIGNATURE_COLUMN]


def datatrove(texts: list[str]) -> Iterable[list[bytes]]:
    """Yield the buckets of datatrove 0.10: `MinhashDedupSignature` with its defaults (14 of 8, digits made 0)."""
    from tempfile import mkdtemp

    import numpy as np
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature

    stage = MinhashDedupSignature(output_folder=mkdtemp(), config=MinhashConfig())
    for text in texts:
        shingles = stage.get_shingles(text)
        yield [np.array(band).tobytes() for band in stage.get_signature(shingles)] if shingles.size else []


def main() -> None:
    """Read the texts, print the clusters."""
    method = {"text-dedup": text_dedup, "datatrove": datatrove}[sys.argv[1]]
    texts = [json.loads(line) for line in sys.stdin]
    start = time.process_time()
    for number in clusters(method(texts)):
        print(number)
    print(f"{sys.argv[1]}: {time.process_time() - start:.1f} CPU seconds", file=sys.stderr)


if __name__ == "__main__":
    main()
