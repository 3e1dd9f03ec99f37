"""Workflow `rehearse`: made-up records of PubMed's and PMC's statistics through `assemble`, and what it cost.

The records are made when a step reads them and never stored (`corpus.synthetic.rehearsal`); their making is counted
apart. All steps run in this one process, so that the seconds of each are known. Shards are written, hashed and
removed.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from corpus import storage
from corpus.assemble.config import REVISION, AssembleConfig
from corpus.assemble.decide import unread_columns
from corpus.assemble.documents import file_ranks
from corpus.assemble.inputs import StoredParts
from corpus.errors import UsageError
from corpus.extract.config import ExtractConfig
from corpus.stage.claim import LOCK, MARK, Forms, check_claim, remove_claimed
from corpus.stage.cpu_meter import Meter, metering
from corpus.stage.lock import held, running_stage
from corpus.stage.manifest import SPLITS, Input, read_manifest
from corpus.stage.workspace import WORK, open_workspace, plan_stage
from corpus.storage import parquet
from corpus.synthetic.rehearsal.parts import RehearsedParts
from corpus.synthetic.rehearsal.statistics import FULL_ARTICLES, FULL_CITATIONS, FULL_UPDATES
from pipelines.assemble.pipeline import build, num_shards
from pipelines.assemble.search import num_partitions
from pipelines.assemble.steps import Plan
from pipelines.beam.graph import graph_bytes
from pipelines.beam.stage import run_tasks
from pipelines.workflow.rehearsal_report import Rehearsal

REPORT = "rehearsal.json"
_OURS: Forms = {REPORT: (b'"documents"', b'"seconds"'), f"rehearsal/{LOCK}": (MARK,)}
TEXT_PER_CITATION, TEXT_PER_ARTICLE = 1_100, 32_000  # bytes, to count the tasks; the share without abstract is in it
SAMPLE_SECONDS = 0.1
CITATIONS_A_PART = 30_000  # a file of PubMed's baseline
GRAPH_PARTS = (100, 1_000)  # of two graphs that are built, for the line through their sizes


def rehearse(documents: int, *, output: str, articles: int | None = None, seed: int = 0) -> Rehearsal:
    """Assemble so many made-up documents, of which `articles` (by default one in 200) are full texts.

    Leaves `rehearsal.json` in `output` and nothing else. Raises UsageError for numbers that cannot be.
    """
    articles = documents // 200 if articles is None else articles
    if documents < 1000 or not 0 <= articles < documents:
        raise UsageError(
            f"rehearse: {documents:,} documents, {articles:,} of them articles; give at least 1,000 documents, and "
            "fewer articles than documents"
        )
    if storage.is_remote(output):
        raise UsageError(f"rehearse: {output} is remote; give a local directory with room for the spill files")
    parts = RehearsedParts(seed=seed, num_citations=documents - articles, num_articles=articles)
    folder = storage.join(output, "rehearsal")
    check_claim(output, also=_OURS)
    with held(folder):  # refuses one that is at work, or of other files
        remove_claimed(folder)  # of a rehearsal that was stopped
    try:
        with running_stage(folder):
            reading = _reading(parts, folder)
            wall = time.monotonic()
            with metering() as meter, _watched_memory(meter) as memory:
                counts = _assemble(parts, folder)
            rehearsal = _report(parts, folder, reading, meter, memory, counts, wall=time.monotonic() - wall)
    finally:
        remove_claimed(folder)
    with storage.write_atomic(storage.join(output, REPORT)) as sink:
        sink.write(json.dumps(rehearsal.facts(), indent=1).encode() + b"\n")
    return rehearsal


def _assemble(parts: RehearsedParts, folder: str) -> dict[str, int]:
    """Run the pipeline of `assemble` on made-up parts, by the very steps that run on stored ones; return its counters.

    The intermediate files stay: their size is part of the report.
    """
    config = AssembleConfig()
    inputs = [Input(name="rehearsal", fingerprint=digest) for digest in parts.digests[:1]]
    workspace, _ = plan_stage(folder, stage="assemble", revision=REVISION, config=config.identity(), inputs=inputs)
    text_bytes = parts.num_citations * TEXT_PER_CITATION + parts.num_articles * TEXT_PER_ARTICLE
    plan = Plan(
        workspace=workspace,
        config=config,
        records=parts,
        ranks=tuple(file_ranks(parts.names)),
        num_partitions=num_partitions(parts.num_records),
        keep_shards=False,
    )
    spill = workspace.path(f"{WORK}/spill")
    return run_tasks(
        lambda pipeline: build(pipeline, plan, spill),
        workspace=workspace,
        num_tasks=2 * len(parts.names) + num_shards(text_bytes, config) + 1,
        workers=1,
        seconds=0.0,
        beam_args=(),
    )


def _graph_bytes(num_parts: int) -> tuple[int, int]:
    """Return the bytes of the job graph with so many records parts in a bucket, and with all of PubMed's and PMC's."""
    citations = FULL_CITATIONS * (1 + FULL_UPDATES) / CITATIONS_A_PART
    few, many = (_graph_of(number) for number in GRAPH_PARTS)
    each = (many - few) / (GRAPH_PARTS[1] - GRAPH_PARTS[0])
    all_parts = citations + FULL_ARTICLES / ExtractConfig().articles_per_part
    return tuple(round(few + each * (number - GRAPH_PARTS[0])) for number in (num_parts, all_parts))  # type: ignore[return-value]


def _graph_of(num_parts: int) -> int:
    names = [f"s3://bucket/corpus/records/articles-{number:05d}.parquet" for number in range(num_parts)]
    digests = tuple(hashlib.sha256(name.encode()).hexdigest() for name in names)
    config = AssembleConfig()
    inputs = [Input(name="extract", fingerprint=digests[0])]
    workspace = open_workspace(
        "s3://bucket/corpus", stage="assemble", revision=REVISION, config=config.identity(), inputs=inputs
    )
    plan = Plan(
        workspace=workspace,
        config=config,
        records=StoredParts(paths=tuple(names), digests=digests),
        ranks=tuple(range(num_parts)),
        num_partitions=1,
    )
    return graph_bytes(lambda pipeline: build(pipeline, plan, None))


def _reading(parts: RehearsedParts, folder: str) -> dict[str, float]:
    """Return the CPU seconds that reading one stored record of each source takes, measured on one part of each."""
    seconds = {}
    for source, number in (("citations", 0), ("articles", len(parts.names) - 1)):
        path = storage.join(folder, f"{source}.parquet")
        batches = [batch for _, batch in zip(range(8), parts.batches(number), strict=False)]
        with parquet.open_writer(path, batches[0].schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        stored = StoredParts(paths=(path,), digests=("",))
        start = time.process_time()
        rows = sum(batch.num_rows for batch in stored.batches(0, without=unread_columns(AssembleConfig())))
        seconds[source] = (time.process_time() - start) / rows
        os.unlink(path)
    return seconds


@dataclass(kw_only=True)
class MemoryPeak:
    """Largest resident memory of this process seen so far, and during each step, in bytes."""

    peak: int = 0
    by_step: dict[str, int] = field(default_factory=dict)

    def add(self, step: str, used: int) -> None:
        """Take in one sample."""
        self.peak = max(self.peak, used)
        self.by_step[step] = max(self.by_step.get(step, 0), used)


@contextmanager
def _watched_memory(meter: Meter) -> Iterator[MemoryPeak]:
    """Yield the memory of this process, sampled while the block runs; the embedded runner's one worker is in it."""
    memory, stop, process = MemoryPeak(), threading.Event(), psutil.Process()

    def watch() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            memory.add(meter.step, process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        stop.set()
        thread.join()


def _report(
    parts: RehearsedParts,
    folder: str,
    reading: dict[str, float],
    meter: Meter,
    memory: MemoryPeak,
    counts: dict[str, int],
    *,
    wall: float,
) -> Rehearsal:
    manifest = read_manifest(folder, "assemble")
    work = sum(storage.size(storage.join(folder, name)) for name in storage.walk_files(folder))
    return Rehearsal(
        documents=parts.num_citations + parts.num_articles,
        articles=parts.num_articles,
        records=parts.num_records,
        kept=manifest.books.kept,
        dropped=dict(manifest.books.dropped),
        seconds=dict(sorted(meter.seconds.items(), key=lambda item: -item[1])),
        counts=counts,
        reading=reading,
        peak_bytes=memory.peak,
        peak_by_step=memory.by_step,
        disk_bytes=work,
        wall=wall,
        citation_records=parts.num_citations + parts.num_updates,
        graph_bytes=_graph_bytes(len(parts.names)),
        shards=len([part for part in manifest.parts if part.role in SPLITS]),
    )
