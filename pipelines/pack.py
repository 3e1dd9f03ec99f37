"""`pack`: corpus shards to Megatron token shards, one element a shard; the commit is the last step of the pipeline."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam

from corpus.stage.lock import running_stage
from corpus.stage.manifest import Manifest
from corpus.stage.workspace import Receipt, Workspace
from pipelines.beam.stage import run_stage
from tokenizer.config import PackConfig
from tokenizer.pack import PackTask, finish_pack, pack_shard, plan_pack


def pack(
    config: PackConfig, *, corpus: str, tokenizer: str, output: str, beam_args: Sequence[str] = ()
) -> Manifest | None:
    """Encode an assembled corpus below `output`; returns the committed manifest, or None after a dry run."""
    with running_stage(output):
        workspace, finished, tasks = plan_pack(config, corpus=corpus, tokenizer=tokenizer, output=output)
        plan = PackPlan(workspace=workspace, config=config, tokenizer=tokenizer, tasks=tuple(tasks))
        return run_stage(
            lambda pipeline: build(pipeline, plan),
            workspace=workspace,
            finished=finished,
            num_tasks=len(tasks),
            workers=min(config.workers, len(tasks)),
            beam_args=beam_args,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PackPlan:
    """What every step knows."""

    workspace: Workspace
    config: PackConfig
    tokenizer: str
    tasks: tuple[PackTask, ...]


def build(pipeline: beam.Pipeline, plan: PackPlan) -> None:
    """Wire the pipeline: corpus shards → receipts → one commit."""
    (
        pipeline
        | "Shards" >> beam.Create(list(plan.tasks))
        | "Spread" >> beam.Reshuffle()
        | "Pack" >> beam.ParDo(PackShard(plan))
        | "Together" >> beam.GroupByKey()
        | "Commit" >> beam.ParDo(CommitTokens(plan))
    )


class PackShard(beam.DoFn):
    """Encodes one corpus shard."""

    def __init__(self, plan: PackPlan) -> None:
        self._plan = plan

    def process(self, element: PackTask) -> Iterator[tuple[int, Receipt]]:
        plan = self._plan
        yield (
            0,
            pack_shard(
                element.corpus_shard,
                tokenizer=plan.tokenizer,
                stem=element.stem,
                workspace=plan.workspace,
                role=element.role,
                config=plan.config,
            ),
        )


class CommitTokens(beam.DoFn):
    """Writes the ledger and the manifest from all receipts."""

    def __init__(self, plan: PackPlan) -> None:
        self._plan = plan

    def process(self, element: tuple[int, Iterable[Receipt]]) -> None:
        plan = self._plan
        finish_pack(plan.workspace, element[1], plan.config, tokenizer=plan.tokenizer, tasks=plan.tasks)
