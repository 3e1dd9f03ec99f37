"""`assemble`: records to deduplicated corpus shards, as one pipeline of coarse elements.

    part ─keys→ fold by PMID ─verdicts→ documents ─buckets→ candidate pairs ─→ blocks ─texts→ verified pairs
                                                                                               │
    shards and decisions ←─ place ←─ the fate of every document ←─ resolve ←── id join ────────┘

The arithmetic is in `corpus`; the steps are in `pipelines.assemble.steps`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam

from corpus import storage
from corpus.assemble.change_feed import write_last_delta
from corpus.assemble.config import REVISION, AssembleConfig
from corpus.assemble.contamination import load_index
from corpus.assemble.cut import check_terms, read_cut
from corpus.assemble.documents import file_ranks
from corpus.assemble.evaluation_sets import describe_evaluation
from corpus.assemble.inputs import StoredParts, stored_parts
from corpus.assemble.other_corpus import find_other, stated_other
from corpus.errors import UsageError
from corpus.qa.known_sets import NOT_KNOWN
from corpus.stage.lock import WorkDone, running_stage
from corpus.stage.manifest import Input, Manifest
from corpus.stage.progress import say
from corpus.stage.reading import held_for_reading, read_whole
from corpus.stage.withdraw import changes_text
from corpus.stage.workspace import Receipt, Workspace, keep_no_part, plan_stage
from pipelines.assemble import other_steps, shard_steps, steps
from pipelines.assemble.search import FindCandidates, Verify, num_partitions
from pipelines.assemble.steps import Plan
from pipelines.beam.exchange import BlockExchange
from pipelines.beam.flags import is_dry_run
from pipelines.beam.metering import metered_step
from pipelines.beam.spill import spill_folder
from pipelines.beam.stage import run_stage

STAGE = "assemble"
READ = ("records", "pile")  # parts of `extract`
RATE = 35e6  # bytes of text that one CPU second assembles (2026-11-30: articles 30, abstracts 47); for the workers


def assemble(
    config: AssembleConfig,
    *,
    records: str,
    output: str,
    beam_args: Sequence[str] = (),
    update: bool = False,
    delta: str | None = None,
) -> Manifest | None:
    """Turn the records of a finished `extract` into corpus shards and decisions below `output`.

    With `update`, a corpus of other records there is brought up to date. With it, and with `keep_documents`, what a
    later update can use is kept: the documents and bucket rows of each records part, which are used again as long as
    its records and the state of its PMIDs are the same. `delta`: a directory for what the last update added or changed.

    Returns the committed manifest, or None after a dry run, which builds and validates the graph only.
    """
    manifest = _assemble(config, records=records, output=output, beam_args=beam_args, update=update)
    if manifest and not manifest.books.kept:
        say(_nothing_kept(manifest, records=records, output=output))
    if manifest and delta:
        write_last_delta(output, manifest, delta)
    return manifest


def _assemble(
    config: AssembleConfig, *, records: str, output: str, beam_args: Sequence[str], update: bool
) -> Manifest | None:
    """Do the work of `assemble`."""
    with held_for_reading(records):
        source = read_whole(records, "extract", READ)
        if not source.books.kept:
            said = "holds no records, so there is nothing to assemble; check the inputs of extract"
            raise UsageError(f"{records}: {said}")
        parts = stored_parts(records, source, pile=config.profile == "pile")
        with running_stage(output) as work:
            work.bytes_read = sum(part.bytes for part in source.parts if part.role in READ)
            check_terms(config.where, parts)
            inputs = [Input(name="extract", fingerprint=source.fingerprint), *given_inputs(config, output=output)]
            for line in evaluation_lines(config):
                say(line)
            update = update and not is_dry_run(beam_args)
            workspace, finished = plan_stage(
                output,
                stage=STAGE,
                revision=REVISION,
                config=config.identity(),
                inputs=inputs,
                sources={records: source},
                update=keep_no_part if update else None,
                dry=is_dry_run(beam_args),
                keep_work=config.keep_documents,
            )
            plan = plan_assemble(config, source, parts, workspace=workspace)
            text_bytes = source.summary.get("text_bytes", 0)
            return _run(
                plan, finished, beam_args, text_bytes=text_bytes, keep=update or config.keep_documents, work=work
            )


def _run(
    plan: Plan, finished: Manifest | None, beam_args: Sequence[str], *, text_bytes: int, keep: bool, work: WorkDone
) -> Manifest | None:
    before, num_parts = plan.workspace.receipts("documents"), len(plan.records.names)
    with spill_folder(plan.workspace, beam_args) as spill:
        return run_stage(
            lambda pipeline: build(pipeline, plan, spill),
            workspace=plan.workspace,
            finished=finished,
            num_tasks=2 * num_parts + num_shards(text_bytes, plan.config) + 1,
            workers=min(plan.config.workers, num_parts),
            seconds=text_bytes / RATE,
            beam_args=beam_args,
            keep=lambda: _kept_for_update(plan.workspace, plan, before) if keep else (),
            work=work,
        )


def given_inputs(config: AssembleConfig, *, output: str) -> list[Input]:
    """Return lists of papers, other corpora and evaluation files as inputs by their content; raises UsageError."""
    given = [*read_cut(config).inputs, *find_other(config, output=output).inputs]
    if config.evaluation:
        return [*given, *load_index(config.evaluation, config.evaluation_words).inputs]  # an error before any work
    if config.contaminated == "remove":
        raise UsageError("assemble: --contaminated remove needs --evaluation FILE, the sets to look for")
    return given


def _nothing_kept(manifest: Manifest, *, records: str, output: str) -> str:
    """Return what to tell of a corpus without a document.

    It is the answer to what was asked, so no failure: its books say why, and the next stage refuses it.
    """
    reason, count = max(manifest.books.dropped.items(), key=lambda item: item[1])
    said = f"no document of {manifest.books.read:,} records is kept, most often for `{reason}` ({count:,})"
    return f"warning: {output}: {said}; loosen what asks for it, or look at `corpuscle inspect {records}`"


def evaluation_lines(config: AssembleConfig) -> Iterator[str]:
    """Yield what each evaluation file is: name, revision and licence of its set, or that it is not known."""
    if not config.evaluation:
        return
    index = load_index(config.evaluation, config.evaluation_words)
    for path, found in describe_evaluation(config.evaluation, index.items).items():
        for line in (one.text() for one in found) if found else (NOT_KNOWN,):
            yield f"{storage.readable_name(path)}: {line}"


def _kept_for_update(workspace: Workspace, plan: Plan, before: Mapping[str, Receipt]) -> list[Receipt]:
    """Return the receipts of the documents of all parts; says which parts were made again, and why."""
    now = workspace.receipts("documents")
    own = [now[task] for task in (f"documents/{stem}" for stem in plan.records.names) if task in now]
    reasons = {"records": "with other records", "evaluation": "with other evaluation sets"}
    reasons |= {"verdicts": "whose records others replace", "retractions": "with papers now retracted"}
    reasons |= {"cut": "with papers that the cut names now"}
    changes: dict[str, list[str]] = {reason: [] for reason in ("new", *reasons.values())}
    for receipt in own:
        old, stem = before.get(receipt.task), receipt.task.removeprefix("documents/")
        if old is None:
            changes["new"].append(stem)
        elif changed := [name for name in reasons if old.facts[name] != receipt.facts[name]]:
            changes[reasons[changed[0]]].append(stem)
    made = sum(map(len, changes.values()))
    if made and not before and not workspace.beside:
        say(f"{workspace.output}: documents of {made} records parts kept for the next --update")
        return own
    reused = f"documents of {len(own) - made} of {len(own)} records parts reused"
    say(f"{workspace.output}: {reused}; {changes_text(changes)}")
    return own


def plan_assemble(config: AssembleConfig, source: Manifest, parts: StoredParts, *, workspace: Workspace) -> Plan:
    """Return what every step knows: the records parts in order, and the number of partitions."""
    other = stated_other(config, workspace.inputs, workspace.output)
    return Plan(
        workspace=workspace,
        config=config,
        records=parts,
        ranks=tuple(file_ranks(parts.names)),
        num_partitions=num_partitions(source.books.kept + other.num_docs),
        other=other,
    )


def num_shards(text_bytes: int, config: AssembleConfig) -> int:
    """Return about how many shards so much text makes before any document is dropped; to show progress."""
    held_out = sum(1 for share in (config.validation, config.test) if share)
    return -(-text_bytes // (config.shard_mb * 1_000_000)) + held_out


def build(pipeline: beam.Pipeline, plan: Plan, spill: str | None) -> None:
    """Wire the pipeline from records parts to one commit."""
    numbers = list(range(len(plan.records.names)))
    parts = pipeline | "Parts" >> beam.Create(numbers) | "SpreadParts" >> beam.Reshuffle()
    folded = (
        parts
        | "ReadKeys" >> _pairs(steps.ReadKeys(plan))
        | "ByDocument" >> BlockExchange(spill=spill)
        | "FoldState" >> beam.ParDo(metered_step(steps.FoldState())).with_outputs("retracted", "marks", main="verdicts")
    )
    retracted = beam.pvalue.AsIter(folded.retracted)  # the retracted papers of all of PubMed are half a megabyte
    marks = beam.pvalue.AsIter(folded.marks)  # none where nothing is cut; at most some 100 MB
    # Every part has a verdict block, if only an empty one, so that a part without rows is written too.
    every_part = pipeline | "EmptyVerdicts" >> beam.Create([(part, b"") for part in numbers])
    buckets = (
        (folded.verdicts, every_part)
        | "ByPart" >> BlockExchange(spill=spill)
        | "MakeDocuments" >> _pairs(steps.MakeDocuments(plan), retracted, marks)
    )
    resolved = _resolve(pipeline, _with_other(pipeline, buckets, plan), plan, spill)
    signal = beam.pvalue.AsSingleton(resolved)
    placed = parts | "Place" >> beam.ParDo(metered_step(shard_steps.Place(plan)), signal).with_outputs(
        "blocks", main="decisions"
    )
    every_shard = resolved | "EmptyShards" >> beam.FlatMap(shard_steps.empty_blocks).with_output_types(
        tuple[int, bytes]
    )
    shards = (
        (placed.blocks, every_shard)
        | "ByShard" >> BlockExchange(spill=spill)
        | "WriteShard" >> beam.ParDo(metered_step(shard_steps.WriteShard(plan)), signal)
    )
    (
        ((placed.decisions, shards) | "AllReceipts" >> beam.Flatten())
        | "Together" >> beam.GroupByKey()
        | "Commit" >> beam.ParDo(metered_step(shard_steps.Commit(plan)), signal)
    )


def _with_other(pipeline: beam.Pipeline, buckets: Any, plan: Plan) -> Any:
    """Return the collections of bucket rows: of the records, and of another corpus where there is one."""
    if not plan.other.files:
        return buckets
    files = pipeline | "OtherFiles" >> beam.Create(range(len(plan.other.files)))
    return buckets, files | "SpreadOther" >> beam.Reshuffle() | "SignOther" >> _pairs(other_steps.SignOther(plan))


def _resolve(pipeline: beam.Pipeline, buckets: Any, plan: Plan, spill: str | None) -> Any:
    """Wire the search for duplicates, from bucket rows to the fate of every document; returns its numbers."""
    nothing = pipeline | "NoEdges" >> beam.Create([(0, b"")])
    candidates = buckets | "ByBucket" >> BlockExchange(spill=spill) | "FindCandidates" >> _pairs(FindCandidates())
    planned = (
        (candidates, nothing)
        | "CandidatesTogether" >> BlockExchange(spill=spill)
        | "PlanVerification"
        >> beam.ParDo(metered_step(steps.PlanVerification(plan))).with_outputs(
            "requests", "other_requests", main="edges"
        )
    )
    texts = planned.requests | "SpreadRequests" >> beam.Reshuffle() | "FetchTexts" >> _pairs(steps.FetchTexts(plan))
    asked = planned.other_requests | "SpreadOtherRequests" >> beam.Reshuffle()
    other_texts = asked | "FetchOtherTexts" >> _pairs(other_steps.FetchOtherTexts(plan))
    verified = (
        (planned.edges, texts, other_texts) | "ByBlock" >> BlockExchange(spill=spill) | "Verify" >> _pairs(Verify(plan))
    )
    return (
        (verified, nothing)
        | "VerifiedTogether" >> BlockExchange(spill=spill)
        | "Resolve" >> beam.ParDo(metered_step(steps.Resolve(plan)))
    )


def _pairs(step: beam.DoFn, *side_inputs: Any) -> Any:
    """Return a ParDo whose outputs are declared as (int, bytes), so that Beam chooses fast coders."""
    return beam.ParDo(metered_step(step), *side_inputs).with_output_types(tuple[int, bytes])
