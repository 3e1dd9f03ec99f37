"""`dedup`: anyone's JSON lines and Parquet without their duplicates, as one pipeline of coarse elements.

    file ─hashes→ candidate pairs ─→ blocks ─texts→ verified pairs ─→ the fate of every document
                                                                        │
    manifest ←── files in the form they came, decisions, dead letters ←─┘

The arithmetic is in `corpus.foreign` and `corpus.dedup`, the search in `pipelines.assemble.search`.
"""

from collections.abc import Sequence
from typing import Any

import apache_beam as beam

from corpus.assemble.other_corpus import OtherCorpus, other_corpus_of
from corpus.foreign.config import REVISION, DedupConfig
from corpus.foreign.files import ForeignFile, find_foreign
from corpus.stage.forecast import Forecast, cpu_seconds, free_note, look_ahead, result_bytes, why
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest
from corpus.stage.workspace import Receipt, Workspace, keep_no_part, plan_stage
from pipelines.assemble.other_steps import FetchOtherTexts, SignOther
from pipelines.assemble.search import Verify, num_partitions
from pipelines.beam.exchange import BlockExchange
from pipelines.beam.flags import is_dry_run
from pipelines.beam.metering import metered_step
from pipelines.beam.spill import spill_folder
from pipelines.beam.stage import run_stage
from pipelines.dedup import steps
from pipelines.dedup.steps import DedupPlan

STAGE = "dedup"
DOCUMENT_SECONDS = 25e-6  # of CPU, about (`python -m tests.benchmarks.dedup_files`); for the workers and a forecast
BYTE_RATE = 20e6  # bytes of input that one CPU second takes, packed; for a forecast


def dedup(
    config: DedupConfig, *, given: Sequence[str], output: str, beam_args: Sequence[str] = (), update: bool = False
) -> Manifest | None:
    """Write the files given, without duplicates or with tags, below `output`.

    With `update`, a result of other files there is brought up to date: files that are the same, and as many before
    them, are not read for their hashes again, once an update has kept these.

    Returns the committed manifest, or None after a dry run, which builds and validates the graph only.

    Raises UsageError for what cannot be read, DataError for more dead letters than may be.
    """
    files = find_foreign(given, output=output)
    other = find_against(config, output)
    with running_stage(output) as work:
        work.bytes_read = sum(file.bytes for file in files)
        work.measured["given"] = list(given)  # so that `inspect` finds the texts of what was left out
        update = update and not is_dry_run(beam_args)
        workspace, finished = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config=config.identity(),
            inputs=stated_inputs(files, other),
            update=keep_no_part if update else None,
            dry=is_dry_run(beam_args),
        )
        plan = plan_dedup(config, files, other, workspace)
        with spill_folder(workspace, beam_args) as spill:
            return run_stage(
                lambda pipeline: build(pipeline, plan, spill),
                workspace=workspace,
                finished=finished,
                num_tasks=2 * len(files),
                workers=min(config.workers, len(files)),
                seconds=sum(file.num_docs for file in files) * DOCUMENT_SECONDS,
                beam_args=beam_args,
                keep=lambda: _signed(workspace) if update else (),
                work=work,
            )


def plan_dedup(
    config: DedupConfig, files: tuple[ForeignFile, ...], other: OtherCorpus, workspace: Workspace
) -> DedupPlan:
    """Return what every step knows."""
    partitions = max(1, num_partitions(sum(file.num_docs for file in files) + other.num_docs))
    return DedupPlan(workspace=workspace, config=config, files=files, num_partitions=partitions, other=other)


def find_against(config: DedupConfig, output: str) -> OtherCorpus:
    """Return the corpus of `--against`, one without files where none is given; raises UsageError."""
    return other_corpus_of(config.against, text=config.against_text, name=config.against_id, output=output)


def stated_inputs(files: Sequence[ForeignFile], other: OtherCorpus) -> list[Input]:
    """Return files and another corpus as inputs of the stage."""
    return [*(file.as_input for file in files), *other.inputs]


def forecast_dedup(config: DedupConfig, *, given: Sequence[str], output: str, update: bool = False) -> Forecast:
    """Return what `dedup` would do; writes nothing, and raises as it does."""
    files = find_foreign(given, output=output)
    inputs = stated_inputs(files, find_against(config, output))
    ahead = look_ahead(output, stage=STAGE, revision=REVISION, config=config.identity(), inputs=inputs, update=update)
    if ahead.state == "done":
        return Forecast(stage=STAGE, output=output, why=why(ahead), reused=len(files), unit="files")
    size = sum(file.bytes for file in files)
    seconds, measured = cpu_seconds(output, size, BYTE_RATE)
    return Forecast(
        stage=STAGE,
        output=output,
        why=why(ahead),
        to_do=len(files),
        unit="files",
        bytes_in=size,
        bytes_out=size,
        disk_bytes=2 * size + result_bytes(ahead.manifest),
        cpu_seconds=seconds,
        measured=measured,
        notes=free_note(output, 2 * size),
    )


def _signed(workspace: Workspace) -> list[Receipt]:
    """Return the receipts of what was read of the files, for the next update."""
    return list(workspace.receipts("sign").values())


def build(pipeline: beam.Pipeline, plan: DedupPlan, spill: str | None) -> None:
    """Wire the pipeline from files to one commit."""
    files = pipeline | "Files" >> beam.Create(list(range(len(plan.files)))) | "Spread" >> beam.Reshuffle()
    signed = files | "SignFile" >> beam.ParDo(metered_step(steps.SignFile(plan))).with_outputs(
        "ids", "receipts", main="buckets"
    )
    repeated = beam.pvalue.AsIter(
        signed.ids
        | "ById" >> BlockExchange(spill=spill)
        | "FindRepeated" >> beam.ParDo(metered_step(steps.FindRepeated()))
    )
    checked = (
        signed.receipts
        | "SignedTogether" >> beam.GroupByKey()
        | "CheckSigned" >> beam.ParDo(metered_step(steps.CheckSigned(plan)), repeated)
    )
    buckets = _with_other(pipeline, signed.buckets, plan)
    numbers = _resolve(pipeline, buckets, plan, spill, repeated, beam.pvalue.AsSingleton(checked))
    written = files | "WriteFile" >> beam.ParDo(metered_step(steps.WriteFile(plan)), numbers, repeated)
    (
        ((written, signed.receipts) | "AllReceipts" >> beam.Flatten())
        | "Together" >> beam.GroupByKey()
        | "Commit" >> beam.ParDo(metered_step(steps.CommitDedup(plan)), numbers)
    )


def _with_other(pipeline: beam.Pipeline, buckets: Any, plan: DedupPlan) -> Any:
    """Return the collections of bucket rows: of the files, and of another corpus where there is one."""
    if not plan.other.files:
        return buckets
    numbers = pipeline | "OtherFiles" >> beam.Create(range(len(plan.other.files)))
    return buckets, numbers | "SpreadOther" >> beam.Reshuffle() | "SignOther" >> _pairs(SignOther(plan))


def _resolve(
    pipeline: beam.Pipeline, buckets: Any, plan: DedupPlan, spill: str | None, repeated: Any, checked: Any
) -> Any:
    """Wire the search for duplicates, from bucket rows to the fate of every document; returns its numbers."""
    nothing = pipeline | "NoEdges" >> beam.Create([(0, b"")])
    candidates = (
        buckets
        | "ByBucket" >> BlockExchange(spill=spill)
        | "FindCandidates" >> _pairs(steps.FindForeignCandidates(), repeated)
    )
    planned = (
        (candidates, nothing)
        | "CandidatesTogether" >> BlockExchange(spill=spill)
        | "PlanVerification"
        >> beam.ParDo(metered_step(steps.PlanForeign(plan))).with_outputs("requests", "other_requests", main="edges")
    )
    asked = planned.requests | "SpreadRequests" >> beam.Reshuffle()
    texts = asked | "FetchTexts" >> _pairs(steps.FetchForeignTexts(plan))
    other = planned.other_requests | "SpreadOtherRequests" >> beam.Reshuffle()
    other_texts = other | "FetchOtherTexts" >> _pairs(FetchOtherTexts(plan))
    verified = (
        (planned.edges, texts, other_texts) | "ByBlock" >> BlockExchange(spill=spill) | "Verify" >> _pairs(Verify(plan))
    )
    resolved = (
        (verified, nothing)
        | "VerifiedTogether" >> BlockExchange(spill=spill)
        | "Resolve" >> beam.ParDo(metered_step(steps.ResolveForeign(plan)), checked)
    )
    return beam.pvalue.AsSingleton(resolved)


def _pairs(step: beam.DoFn, *side_inputs: Any) -> Any:
    """Return a ParDo whose outputs are declared as (int, bytes), so that Beam chooses fast coders."""
    return beam.ParDo(metered_step(step), *side_inputs).with_output_types(tuple[int, bytes])
