"""Text to MinHash signature, ours and datasketch's, in one process: `python -m tests.benchmarks.dedup [--data DIR]`.

Titles with abstracts of the real PubMed files go in; documents per CPU second of one thread, best of some rounds, come
out. datasketch gets what its documentation shows: lower-cased words, five of them joined, `MinHash.bulk` with its
default hash. All documents go through ours in blocks as in the pipeline; datasketch gets an even sample of them.
"""

import argparse
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
from datasketch import MinHash

from corpus.dedup.minhash import band_hashes, bands_for, sign, signatures
from corpus.dedup.shingles import normalize, shingle
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Record

NUM_PERM = 128
ROUNDS = 5
BLOCK = 4096
SAMPLE = 1500


def abstracts(data: Path) -> Iterator[str]:
    """Yield title and abstract of every citation with an abstract in the PubMed files below `data`."""
    for path in sorted((data / "pubmed").rglob("*.xml.gz")):
        for record in read_pubmed(str(path)):
            if isinstance(record, Record):
                parts = [part.text for part in record.abstracts if part.type == "main"]
                if parts:
                    yield "\n".join([record.title, *parts])


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the least CPU seconds of this process that one call takes."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def joined_words(texts: list[str]) -> list[set[bytes]]:
    """Return the shingle sets in the way of datasketch's documentation."""
    sets = []
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        sets.append({" ".join(words[k : k + 5]).encode() for k in range(len(words) - 4)})
    return sets


def measure(texts: list[str]) -> None:
    """Print documents per CPU second of each step, and the ratio of the whole."""
    blocks = [pa.array(texts[k : k + BLOCK], pa.large_string()) for k in range(0, len(texts), BLOCK)]
    size = sum(len(text.encode()) for text in texts)
    start = time.perf_counter()
    sign(normalize(blocks[0][:1]), num_perm=NUM_PERM)
    print(f"first call (compiling, or loading numba's cache): {time.perf_counter() - start:.2f} s")
    print(f"{len(texts):,} titles with abstracts, {size / len(texts):.0f} bytes each; documents per CPU second:")
    normal = [normalize(block) for block in blocks]
    sets = [shingle(block) for block in normal]
    signed = [signatures(block, num_perm=NUM_PERM) for block in sets]
    shape = bands_for(0.8, NUM_PERM)
    steps: dict[str, Callable[[], object]] = {
        "ours, normalise": lambda: [normalize(block) for block in blocks],
        "ours, shingle": lambda: [shingle(block) for block in normal],
        "ours, signature": lambda: [signatures(block, num_perm=NUM_PERM) for block in sets],
        "ours, bands": lambda: [band_hashes(block, *shape) for block in signed],
        "ours, text to signature": lambda: [sign(normalize(block), num_perm=NUM_PERM) for block in blocks],
    }
    for name, work in steps.items():
        seconds = cpu_seconds(work)
        print(f"  {name:32}{len(texts) / seconds:12,.0f}{size / seconds / 1e6:9.0f} MB/s")
    sample = texts[:: max(1, len(texts) // SAMPLE)]
    prepared = joined_words(sample)
    bulk = cpu_seconds(lambda: MinHash.bulk(prepared, num_perm=NUM_PERM))
    whole = cpu_seconds(lambda: MinHash.bulk(joined_words(sample), num_perm=NUM_PERM))
    print(f"  {'datasketch, bulk alone':32}{len(sample) / bulk:12,.0f}")
    print(f"  {'datasketch, text to signature':32}{len(sample) / whole:12,.0f}")
    print(f"text to signature: {whole / len(sample) * len(texts) / seconds:.1f} times datasketch")


def main() -> None:
    """Read the command line and measure."""
    default = os.environ.get("CORPUSCLE_DATA") or Path(__file__).parents[3] / "shared" / "data"
    parser = argparse.ArgumentParser(
        description="MinHash signatures, ours and datasketch's, in documents per CPU second"
    )
    parser.add_argument("--data", type=Path, default=Path(default), help="folder with pubmed/ (default: %(default)s)")
    texts = list(abstracts(parser.parse_args().data))
    if not texts:
        parser.error("no PubMed files with abstracts there; give the folder that holds pubmed/ with --data")
    measure(texts)


if __name__ == "__main__":
    main()
