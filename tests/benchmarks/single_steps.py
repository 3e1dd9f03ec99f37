"""The two steps of `assemble` that one worker does alone: `python -m tests.benchmarks.single_steps 1 2 4 --folder DIR`.

`PlanVerification` has all candidate pairs, `Resolve` all verified pairs and the ids of all documents. Numbers are
millions of documents, a sixth of them articles; their documents parts are made up (three quarters of citations have a
DOI, one in a thousand shares it; every article has its citation), and each step is run on them in a process of its own.
Prints CPU seconds, peak memory and bytes read, and the straight line through the sizes to 48 M documents.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from corpus.assemble.config import AssembleConfig
from corpus.assemble.decide import Document
from corpus.assemble.documents import work_path
from corpus.assemble.inputs import StoredParts
from corpus.dedup.verify import Edges
from corpus.records import pubmed_key
from corpus.stage.manifest import Input
from corpus.stage.workspace import open_workspace
from corpus.storage import parquet
from corpus.storage.schema import schema_of
from pipelines.assemble.blocks import verified_block
from pipelines.assemble.steps import Plan, PlanVerification, Resolve

FULL: Final = 48.0  # million documents
ARTICLES: Final = 1 / 6
CITATIONS_A_PART, ARTICLES_A_PART = 30_000, 500
TEXT: Final = 1000  # bytes of every text: all documents of a part share one
CANDIDATES, VERIFIED = 0.05, 0.02  # pairs for each document, several times those of a rehearsal
BLOCK_PAIRS: Final = 50_000
NO: Final = ("retracted", "manuscript", "pmc_id_anywhere", "notice")  # columns
STEPS: Final = ("PlanVerification", "Resolve")
_PMC_TAG: Final = np.uint64(2 << 60)


def plan_of(folder: Path, num_docs: int) -> Plan:
    """Return the plan of an `assemble` in a folder whose documents parts are made up."""
    articles = int(num_docs * ARTICLES)
    citations = num_docs - articles
    names = [f"pubmed26n{number:04d}" for number in range(-(-citations // CITATIONS_A_PART))]
    names += [f"articles-{number:05d}" for number in range(-(-articles // ARTICLES_A_PART))]
    parts = StoredParts(paths=tuple(f"{name}.parquet" for name in names), digests=("",) * len(names))
    config = AssembleConfig()
    inputs = [Input(name="made up", fingerprint="1")]
    workspace = open_workspace(str(folder), stage="assemble", revision=1, config=config.identity(), inputs=inputs)
    ranks = tuple(range(len(names)))
    return Plan(workspace=workspace, config=config, records=parts, ranks=ranks, num_partitions=1)


def write_parts(plan: Plan, num_docs: int) -> None:
    """Write all documents parts and their texts."""
    articles = int(num_docs * ARTICLES)
    for name in plan.records.names:
        is_article, number = name.startswith("articles"), int(name.rpartition("-" if "-" in name else "n")[2])
        size, total = (ARTICLES_A_PART, articles) if is_article else (CITATIONS_A_PART, num_docs - articles)
        rows = np.arange(number * size, min(total, (number + 1) * size))
        parquet.write_table(plan.workspace.path(work_path("documents", name)), part_table(rows, articles, is_article))
        texts = Path(plan.workspace.path(work_path("texts", name)))
        texts.parent.mkdir(parents=True, exist_ok=True)
        texts.write_bytes(b"gene expression " * (TEXT // 16 + 1))


def part_table(rows: np.ndarray, articles: int, is_article: bool) -> pa.Table:
    """Return documents: citation n is that of article n, if there is one; one in a thousand shares its DOI."""
    count, pmids = len(rows), rows + 1
    with_doi = (rows % 4 > 0) | (rows < articles)
    dois = pa.array([f"10.1000/made.up.{n - (n % 1000 == 999)}" for n in rows.tolist()])
    has_pmcid = np.full(count, True) if is_article else rows < articles
    key = _PMC_TAG | ((rows.astype(np.uint64) + np.uint64(10**7)) << np.uint64(24)) | np.uint64(1 << 12)
    keys = key if is_article else pubmed_key(pmids.astype(np.uint64))
    columns = {
        "doc_id": pa.array([f"pmc:PMC{n + 10**7}.1" if is_article else f"pmid:{n + 1}" for n in rows.tolist()]),
        "source": pa.array(["pmc" if is_article else "pubmed"] * count),
        "kind": pa.array(["article" if is_article else "citation"] * count),
        "license": pa.array(["CC BY" if is_article else ""] * count),
        "year": pa.array(np.full(count, 2020)),
        "journal": pa.array(["J Made Up"] * count),
        "pmid": pa.array(pmids),
        "pmcid": pa.array(rows + 10**7, mask=~has_pmcid),
        "doi": pa.array(dois.to_numpy(zero_copy_only=False), mask=~with_doi),
        "doc_key": pa.array(keys.view(np.int64)),
        "row": pa.array(np.arange(count)),
        "version": pa.array(np.ones(count, np.int64)),
        "id_conflict": pa.array([""] * count),
        "full_text": pa.array(np.full(count, is_article)),
        "abstract_length": pa.array(np.full(count, TEXT)),
        "length": pa.array(np.full(count, TEXT)),
        **{
            name: pa.array(np.zeros(count, np.bool_))
            for name in ("retracted", "manuscript", "pmc_id_anywhere", "notice")
        },
    }
    names = [name for name in schema_of(Document).names if name != "text"]
    table = pa.table({name: columns[name] for name in names})
    return table.append_column("text_start", pa.array(np.zeros(count, np.int64)))


def pairs(num_docs: int, share: float) -> np.ndarray:
    """Return pairs of citations side by side, uint64[num_pairs, 2], ascending."""
    first = np.unique(np.random.default_rng(5).integers(1, int(num_docs * (1 - ARTICLES)), int(num_docs * share)))
    return np.column_stack([pubmed_key(first.astype(np.uint64)), pubmed_key(first.astype(np.uint64) + np.uint64(1))])


def blocks_for(step: str, num_docs: int) -> Iterator[bytes]:
    """Yield the blocks that a step is given."""
    edges = pairs(num_docs, CANDIDATES if step == "PlanVerification" else VERIFIED)
    for start in range(0, len(edges), BLOCK_PAIRS):
        some = edges[start : start + BLOCK_PAIRS]
        if step == "PlanVerification":
            yield some.tobytes()
            continue
        score = np.full(len(some), 0.9)
        yield verified_block(Edges(a=some[:, 0], b=some[:, 1], score=score, exact=np.zeros(len(some), np.bool_)))


def measure(step: str, folder: Path, num_docs: int) -> dict[str, float]:
    """Run one step on made-up parts in this process; return what it took."""
    plan = plan_of(folder, num_docs)
    blocks = list(blocks_for(step, num_docs))
    read = sum(map(len, blocks)) + sum(Path(path).stat().st_size for path in plan.document_paths())
    cpu, wall, sizes = time.process_time(), time.monotonic(), [0]
    for made in {"PlanVerification": PlanVerification, "Resolve": Resolve}[step](plan).process((0, blocks)):
        value = getattr(made, "value", made)
        sizes.append(len(value[1]) if isinstance(value, tuple) else 0)
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.monotonic() - wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "read_mb": read / 1e6,
        "made_mb": sum(sizes) / 1e6,
        "largest_mb": max(sizes) / 1e6,
    }


def main() -> None:
    """Measure both steps at each size, each in a fresh process, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("millions", type=float, nargs="+")
    parser.add_argument("--folder", type=Path, required=True, help="of made-up parts, 60 MB a million documents")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(measure(given.step, given.folder, int(given.millions[0] * 1e6))))
        return
    found: dict[str, list[dict[str, float]]] = {step: [] for step in STEPS}
    for millions in given.millions:
        folder = given.folder / "single-steps"
        write_parts(plan_of(folder, int(millions * 1e6)), int(millions * 1e6))
        for step in STEPS:
            words = [sys.executable, "-m", "tests.benchmarks.single_steps", str(millions), "--folder", str(folder)]
            done = subprocess.run([*words, "--step", step], check=True, capture_output=True, text=True)
            found[step].append(json.loads(done.stdout))
        shutil.rmtree(folder)
    print(
        "| step | million documents | CPU s | peak MB | read MB | made MB, largest element |\n|---|---|---|---|---|---|"
    )
    for step, rows in found.items():
        for millions, row in [*zip(given.millions, rows, strict=True), (FULL, projected(given.millions, rows))]:
            made = f"{row['made_mb']:.1f}, {row['largest_mb']:.2f}"
            figures = f"{row['cpu']:.1f} | {row['peak_mb']:,.0f} | {row['read_mb']:,.0f} | {made}"
            print(f"| {step} | {millions:g}{' (the line)' if millions == FULL else ''} | {figures} |")


def projected(sizes: list[float], rows: list[dict[str, float]]) -> dict[str, float]:
    """Return each figure at the full size, by the straight line through those measured."""
    if len(sizes) < 2:
        return rows[0]
    lines = {name: np.polyfit(sizes, [row[name] for row in rows], 1) for name in rows[0]}
    return {name: float(np.polyval(line, FULL)) for name, line in lines.items()}


if __name__ == "__main__":
    main()
