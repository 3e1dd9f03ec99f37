"""Pipeline of `extract`: NCBI files to Parquet records, one element a file; its last step is the commit."""

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam

from corpus.errors import UsageError
from corpus.extract.config import REVISION, ExtractConfig
from corpus.extract.inputs import InputTask, StorePiece, find_shard
from corpus.extract.join import SHARD_STAGE, STAGE
from corpus.extract.task import conclude, extract_task, reuse_extracted
from corpus.stage.forecast import Forecast, finished_forecast, forecast_by_rate, look_ahead, result_bytes
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from pipelines.beam.flags import is_dry_run
from pipelines.beam.metering import count_books
from pipelines.beam.stage import run_stage

# Bytes that one CPU second reads of a file as it is, and of a compressed one: PubMed .xml.gz 7.6, articles' .tar.xz 2.6
# million (2026-11-30). Only as good as the choice of a number of workers needs.
PLAIN_RATE, COMPRESSED_RATE = 25e6, 4e6
OUT_PER_BYTE = 0.8  # bytes of records for one of compressed input, about
COMPRESSED = (".gz", ".tgz", ".xz", ".txz")


def extract(
    config: ExtractConfig, *, output: str, beam_args: Sequence[str] = (), update: bool = False
) -> Manifest | None:
    """Turn the configured PubMed and PMC inputs into records below `output`.

    With `update`, a finished extraction of other inputs there is brought up to date; unchanged ones are not read again.
    With a `shard`, only its share of the inputs is read; `corpus.extract.join` makes one result of all shards.

    Returns the committed manifest, or None after a dry run, which builds and validates the graph only.

    Raises UsageError for inputs that match nothing, CorruptError for damaged files, DataError when more
    records than `max_reject_rate` are rejected.
    """
    if not config.pubmed and not config.pmc:
        raise UsageError("extract: no input; give --pubmed PATH... or --pmc PATH...")
    tasks, identity = _own_tasks(config)
    with running_stage(output) as work:
        inputs = [Input(name=task.name, fingerprint=task.fingerprint) for task in tasks]
        workspace, finished = plan_stage(
            output,
            stage=SHARD_STAGE if config.shard else STAGE,
            revision=REVISION,
            config=identity,
            inputs=inputs,
            update=reuse_extracted if update and not is_dry_run(beam_args) else None,
            repair=reuse_extracted,
            dry=is_dry_run(beam_args),
        )
        work.bytes_read = sum(task.bytes for task in _left(tasks, workspace))
        return run_stage(
            lambda pipeline: build(pipeline, tasks, workspace, config),
            workspace=workspace,
            finished=finished,
            num_tasks=len(tasks),
            workers=min(config.workers, len(tasks)),
            seconds=sum(map(_seconds, tasks)),
            beam_args=beam_args,
        )


def forecast_extract(config: ExtractConfig, *, output: str, update: bool = False) -> Forecast:
    """Return what `extract` would do; writes nothing, and raises as it does."""
    tasks, identity = _own_tasks(config)
    inputs = [Input(name=task.name, fingerprint=task.fingerprint) for task in tasks]
    stage = SHARD_STAGE if config.shard else STAGE
    ahead = look_ahead(output, stage=stage, revision=REVISION, config=identity, inputs=inputs, update=update)
    if ahead.state == "done":
        return finished_forecast(ahead, len(tasks), "inputs")
    left = _left(tasks, ahead.workspace)
    if ahead.manifest and ahead.state != "code":
        before = {(item.name, item.fingerprint) for item in ahead.manifest.inputs}
        left = [task for task in tasks if (task.name, task.fingerprint) not in before]
    size, all_of_it = sum(task.bytes for task in left), sum(task.bytes for task in tasks)
    made = round(OUT_PER_BYTE * size)
    return forecast_by_rate(
        ahead,
        to_do=len(left),
        reused=len(tasks) - len(left),
        unit="inputs",
        bytes_in=size,
        rate=COMPRESSED_RATE,
        bytes_out=result_bytes(ahead.manifest) + made if ahead.manifest else round(OUT_PER_BYTE * all_of_it),
        disk_bytes=made,
    )


def _left(tasks: Sequence[InputTask], workspace: Workspace) -> list[InputTask]:
    """Return the tasks without a receipt."""
    return [task for task in tasks if not workspace.has_receipt(f"extract/{task.name}", of=task.fingerprint)]


def _own_tasks(config: ExtractConfig) -> tuple[Sequence[InputTask], dict[str, Any]]:
    """Return the tasks to do, and the settings that decide the bytes; of a shard, which one of what whole."""
    shard = config.shard_number()
    found = find_shard(pubmed=config.pubmed, pmc=config.pmc, articles_per_part=config.articles_per_part, shard=shard)
    own = {"shard": config.shard, "whole": found.whole} if config.shard else {}
    return found.tasks, config.identity() | own


def _seconds(task: InputTask) -> float:
    """Return an estimate of the CPU seconds that reading a task's files takes."""
    compressed = isinstance(task, StorePiece) or task.paths[0].lower().endswith(COMPRESSED)
    return task.bytes / (COMPRESSED_RATE if compressed else PLAIN_RATE)


def build(pipeline: beam.Pipeline, tasks: Sequence[InputTask], workspace: Workspace, config: ExtractConfig) -> None:
    """Wire the pipeline: files → receipts → one commit."""
    (
        pipeline
        | "Files" >> beam.Create(list(tasks))
        | "Spread" >> beam.Reshuffle()
        | "Extract" >> beam.Map(_extract_file, workspace, config)
        | "Together" >> beam.GroupByKey()
        | "Commit" >> beam.Map(_commit, workspace, config)
    )


def _extract_file(task: InputTask, workspace: Workspace, config: ExtractConfig) -> tuple[int, Receipt]:
    return 0, count_books(extract_task(task, workspace, config))


def _commit(grouped: tuple[int, Iterable[Receipt]], workspace: Workspace, config: ExtractConfig) -> None:
    if config.shard:  # how many rejects are too many is said of the whole, by `join`
        config = config.model_copy(update={"max_reject_rate": 1.0})
    conclude(sorted(grouped[1], key=lambda receipt: receipt.task), workspace, config)
