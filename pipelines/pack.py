"""Pipeline of `pack`: corpus shards to Megatron token shards, one element a shard; its last step is the commit."""

from collections.abc import Iterable, Sequence

import apache_beam as beam

from corpus.stage.lock import running_stage
from corpus.stage.manifest import Manifest
from corpus.stage.progress import say
from corpus.stage.reading import held_for_reading
from corpus.stage.workspace import Receipt, Workspace
from pipelines.beam.flags import is_dry_run
from pipelines.beam.metering import count_books
from pipelines.beam.stage import run_stage
from tokenizer.config import PackConfig
from tokenizer.pack import PackTask, finish_pack, pack_shard, plan_pack

RATE = 7e6  # bytes of Parquet shards that one CPU second packs, a third of the text's; for the number of workers


def pack(
    config: PackConfig,
    *,
    corpus: str,
    tokenizer: str,
    output: str,
    beam_args: Sequence[str] = (),
    update: bool = False,
) -> Manifest | None:
    """Encode an assembled corpus below `output`; returns the committed manifest, or None after a dry run.

    With `update`, the tokens of another corpus there are replaced, and of a text that is the same they are copied.
    """
    with held_for_reading(corpus), held_for_reading(tokenizer), running_stage(output) as work:
        dry = is_dry_run(beam_args)
        workspace, finished, tasks = plan_pack(
            config, corpus=corpus, tokenizer=tokenizer, output=output, dry=dry, update=update and not dry
        )
        work.bytes_read = sum(task.bytes for task in tasks)
        return run_stage(
            lambda pipeline: build(pipeline, tasks, workspace, config, tokenizer),
            workspace=workspace,
            finished=finished,
            num_tasks=len(tasks),
            workers=min(config.workers, len(tasks)),
            seconds=sum(task.bytes for task in tasks) / RATE,
            beam_args=beam_args,
            keep=lambda: _say_copied(workspace) if workspace.beside else (),
        )


def _say_copied(workspace: Workspace) -> tuple[Receipt, ...]:
    """Say how many documents' tokens were copied from the result before; no receipt is kept."""
    receipts = workspace.receipts("pack").values()
    copied, packed = sum(one.facts["copied"] for one in receipts), sum(one.books.kept for one in receipts)
    say(f"{workspace.output}: tokens of {copied:,} of {packed:,} documents copied, {packed - copied:,} texts encoded")
    return ()


def build(
    pipeline: beam.Pipeline, tasks: Sequence[PackTask], workspace: Workspace, config: PackConfig, tokenizer: str
) -> None:
    """Wire the pipeline: corpus shards → receipts → one commit."""
    (
        pipeline
        | "Shards" >> beam.Create(list(tasks))
        | "Spread" >> beam.Reshuffle()
        | "Pack" >> beam.Map(_pack_shard, workspace, config, tokenizer)
        | "Together" >> beam.GroupByKey()
        | "Commit" >> beam.Map(_commit, workspace, config, tokenizer, tuple(tasks))
    )


def _pack_shard(task: PackTask, workspace: Workspace, config: PackConfig, tokenizer: str) -> tuple[int, Receipt]:
    receipt = pack_shard(
        task.corpus_shard,
        tokenizer=tokenizer,
        stem=task.stem,
        workspace=workspace,
        role=task.role,
        config=config,
        sha256=task.sha256,
        shards=task.shards,
    )
    return 0, count_books(receipt)


def _commit(
    grouped: tuple[int, Iterable[Receipt]],
    workspace: Workspace,
    config: PackConfig,
    tokenizer: str,
    tasks: tuple[PackTask, ...],
) -> None:
    finish_pack(workspace, grouped[1], config, tokenizer=tokenizer, tasks=tasks)
