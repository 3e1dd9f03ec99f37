"""`passages`: sentences and paragraphs that stand in many documents, as one pipeline of two passes.

    part ─hashes→ hashes of many documents ─┐
    part ──────────────────────tallies of those→ merged ─→ list, page, manifest

The first pass sends ten bytes for a passage through the shuffle, the second one the texts of frequent passages alone.
What one process holds is a batch of documents, a partition of either shuffle (`PARTITION_BYTES`), the frequent hashes,
and twice the list. The arithmetic is in `corpus.passages`.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import apache_beam as beam

from corpus.passages.config import REVISION, PassagesConfig
from corpus.passages.inputs import PassageInputs, find_passage_inputs
from corpus.stage.forecast import Forecast, finished_forecast, forecast_by_rate, look_ahead, scaled
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Manifest
from corpus.stage.reading import held_for_reading
from corpus.stage.workspace import Workspace, keep_no_part, plan_stage
from pipelines.beam.exchange import BlockExchange
from pipelines.beam.flags import is_dry_run
from pipelines.beam.metering import metered_step
from pipelines.beam.spill import spill_folder
from pipelines.beam.stage import run_stage
from pipelines.passages import steps
from pipelines.passages.steps import PassagesPlan

STAGE: Final = "passages"
BYTE_RATE: Final = 1.5e6  # of Parquet that one CPU second takes, both passes; for a forecast and for the workers
PARTITION_BYTES: Final = 64 << 20  # of input Parquet for each partition: some 3 M hashes of ten bytes


def passages(
    config: PassagesConfig, *, given: Sequence[str], output: str, beam_args: Sequence[str] = (), update: bool = False
) -> Manifest | None:
    """Write the passages of many documents of the results given below `output`.

    With `update`, the list of other inputs there is replaced.

    Returns the committed manifest, or None after a dry run, which builds and validates the graph only.
    Raises UsageError for what holds neither records nor a corpus.
    """
    with ExitStack() as held:
        for base in given:
            held.enter_context(held_for_reading(base))
        inputs = find_passage_inputs(given)
        held.enter_context(running_stage(output)).bytes_read = inputs.bytes
        update = update and not is_dry_run(beam_args)
        workspace, finished = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config=config.identity(),
            inputs=inputs.stated,
            sources=inputs.manifests,
            update=keep_no_part if update else None,
            dry=is_dry_run(beam_args),
        )
        plan = plan_passages(config, inputs, workspace)
        spill = held.enter_context(spill_folder(workspace, beam_args))
        return run_stage(
            lambda pipeline: build(pipeline, plan, spill),
            workspace=workspace,
            finished=finished,
            num_tasks=2 * len(inputs.sources),
            workers=min(config.workers, len(inputs.sources)),
            seconds=inputs.bytes / BYTE_RATE,
            beam_args=beam_args,
        )


def plan_passages(config: PassagesConfig, inputs: PassageInputs, workspace: Workspace) -> PassagesPlan:
    """Return what every step knows."""
    partitions = 1 + inputs.bytes // PARTITION_BYTES
    return PassagesPlan(workspace=workspace, config=config, sources=inputs.sources, num_partitions=partitions)


def forecast_passages(config: PassagesConfig, *, given: Sequence[str], output: str, update: bool = False) -> Forecast:
    """Return what `passages` would do; writes nothing, and raises as it does."""
    inputs: PassageInputs = find_passage_inputs(given)
    ahead = look_ahead(
        output, stage=STAGE, revision=REVISION, config=config.identity(), inputs=inputs.stated, update=update
    )
    if ahead.state == "done":
        return finished_forecast(ahead, reused=2 * len(inputs.sources))
    return forecast_by_rate(
        ahead,
        to_do=2 * len(inputs.sources),
        bytes_in=inputs.bytes,
        rate=BYTE_RATE,
        bytes_out=scaled(ahead.manifest, 1, 1000 * config.most),
        disk_bytes=inputs.bytes,
    )


def build(pipeline: beam.Pipeline, plan: PassagesPlan, spill: str | None) -> None:
    """Wire the pipeline from parts to one commit."""
    parts = pipeline | "Parts" >> beam.Create(list(range(len(plan.sources)))) | "Spread" >> beam.Reshuffle()
    hashed = parts | "HashPart" >> beam.ParDo(metered_step(steps.HashPart(plan))).with_outputs("receipts", main="rows")
    frequent = beam.pvalue.AsIter(
        hashed.rows
        | "ByHash" >> BlockExchange(spill=spill)
        | "FindFrequent" >> beam.ParDo(metered_step(steps.FindFrequent(plan)))
    )
    tallied = parts | "TallyPart" >> beam.ParDo(metered_step(steps.TallyPart(plan)), frequent).with_outputs(
        "receipts", main="blocks"
    )
    merged = (
        tallied.blocks
        | "ByPassage" >> BlockExchange(spill=spill)
        | "MergeTallies" >> beam.ParDo(metered_step(steps.MergeTallies(plan))).with_output_types(tuple[int, bytes])
    )
    nothing = pipeline | "NoPassages" >> beam.Create([(0, b"")])
    receipts = (hashed.receipts, tallied.receipts) | "AllReceipts" >> beam.Flatten()
    (
        (merged, nothing)
        | "Together" >> BlockExchange(spill=spill)
        | "Commit" >> beam.ParDo(metered_step(steps.CommitPassages(plan)), beam.pvalue.AsIter(receipts))
    )
