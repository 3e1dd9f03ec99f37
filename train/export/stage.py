"""`export`: a checkpoint of a run to the model files people use, each format a task, committed by a manifest.

The checkpoint is the newest whose hashes hold; the run may still be going on. What is exported is identified
by the checkpoint's own hash, so the same checkpoint gives the same files, and another one is refused.
"""

import os
from collections.abc import Sequence
from typing import Literal

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest
from corpus.stage.progress import progress, say
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from train.checkpoint import store
from train.checkpoint.store import Checkpoint
from train.config import ModelShape
from train.export.card import CARD, model_card
from train.export.config import PLACES, ExportConfig, ExportFormat
from train.export.lineage import Lineage, find_lineage
from train.export.transformers_files import TOKENIZER, end_of_text_id, write_transformers
from train.export.weight_names import folded
from train.export.weights import Weights, read_weights

STAGE = "export"
REVISION = 1  # raise it when the same input gives other bytes


def export(config: ExportConfig, *, run: str, output: str) -> Manifest:
    """Export the newest good checkpoint of a run and return the committed manifest.

    Raises UsageError when the run has no checkpoint or `output` holds something else, CorruptError when no
    checkpoint is intact or the tokenizer does not fit.
    """
    _check_installed(config.formats)
    if storage.is_remote(output):
        raise UsageError(f"{output}: export writes to a local disk; copy the directory away afterwards")
    with running_stage(output):
        checkpoint = store.newest_good(run, say)
        lineage = find_lineage(run, checkpoint)
        workspace, manifest = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config=config.identity(),
            inputs=[*_checkpoint_inputs(run, checkpoint), *lineage.inputs],
        )
        if manifest is not None:
            say(f"{output}: up to date, step {manifest.summary['step']:,} as {', '.join(config.formats)}")
            return manifest
        return _write_all(workspace, config, run=run, checkpoint=checkpoint, lineage=lineage)


def _write_all(
    workspace: Workspace, config: ExportConfig, *, run: str, checkpoint: Checkpoint, lineage: Lineage
) -> Manifest:
    shape = ModelShape(**checkpoint.recipe["model"])
    tokenizer = _tokenizer(run, shape)
    receipts = {kind: workspace.finished(f"export/{kind}") for kind in config.formats}
    missing = [kind for kind in config.formats if receipts[kind] is None]
    if missing:
        weights = read_weights(run, checkpoint, shape)
        with progress("export", len(config.formats)) as shown:
            shown.reach(len(config.formats) - len(missing))
            for kind in missing:
                _write_format(kind, workspace, config, weights=weights, shape=shape, tokenizer=tokenizer)
                receipts[kind] = workspace.finish(_receipt(kind, workspace))
                shown.advance()
    done = [receipt for receipt in receipts.values() if receipt is not None]
    summary = {
        "name": config.name,
        "step": checkpoint.step,
        "tokens_trained": checkpoint.tokens,
        "parameters": shape.num_parameters,
        "format_bytes": {kind: receipt.facts["bytes"] for kind, receipt in receipts.items() if receipt is not None},
    }
    card = model_card(summary, checkpoint, shape, lineage)
    names = [CARD, *(f"{PLACES[kind]}/{CARD}" for kind in config.formats if kind in ("folded", "faithful"))]
    for name in names:
        with storage.write_atomic(workspace.path(name)) as sink:
            sink.write(card.encode())
    cards = tuple(workspace.measure(name, role="card", rows=1) for name in names)
    manifest = workspace.commit([*done, Receipt(task="card", parts=cards)], summary=summary)
    workspace.clean()
    return manifest


def _write_format(
    kind: ExportFormat,
    workspace: Workspace,
    config: ExportConfig,
    *,
    weights: Weights,
    shape: ModelShape,
    tokenizer: str,
) -> None:
    """Write one format; what a killed try left of it goes first."""
    path, end = workspace.path(PLACES[kind]), end_of_text_id(tokenizer)
    storage.remove_tree(path)
    if kind == "faithful":
        return write_transformers(path, weights, shape, tokenizer=tokenizer, end_of_text=end, dtype=config.dtype)
    weights, shape = folded(weights, shape)
    if kind == "folded":
        return write_transformers(path, weights, shape, tokenizer=tokenizer, end_of_text=end, dtype=config.dtype)
    if kind == "gguf-f16" or kind == "gguf-q8_0":
        from train.export.gguf_file import write_gguf

        number: Literal["f16", "q8_0"] = "f16" if kind == "gguf-f16" else "q8_0"
        return write_gguf(path, weights, shape, tokenizer=tokenizer, end_of_text=end, kind=number, name=config.name)
    from train.export.ctranslate2 import write_ct2

    write_ct2(path, weights, shape, tokenizer=tokenizer, quantization="int8" if kind == "ct2-int8" else "float32")
    return None


def _receipt(kind: ExportFormat, workspace: Workspace) -> Receipt:
    """Make the files of a format durable and return what they are."""
    place = PLACES[kind]
    path = workspace.path(place)
    names = [f"{place}/{name}" for name in storage.walk_files(path)] if os.path.isdir(path) else [place]
    for name in names:
        _sync(workspace.path(name))
    _sync(os.path.dirname(workspace.path(names[0])))
    parts = tuple(workspace.measure(name, role=kind, rows=1) for name in names)
    return Receipt(task=f"export/{kind}", parts=parts, facts={"bytes": sum(part.bytes for part in parts)})


def _checkpoint_inputs(run: str, checkpoint: Checkpoint) -> list[Input]:
    entries = store.read_list(run) or ()
    return [Input(name="checkpoint", fingerprint=entry.sha256) for entry in entries if entry.name == checkpoint.name]


def _tokenizer(run: str, shape: ModelShape) -> str:
    path = storage.join(run, TOKENIZER)
    if not storage.exists(path):
        raise CorruptError(f"{path}: missing; copy it from the tokens directory that the run was trained on")
    with storage.open_read(path) as source:
        text = source.read().decode()
    entries = end_of_text_id(text) + 1  # the last entry, as every tokenizer of ours has it
    if entries != shape.vocab_size:
        raise CorruptError(f"{path}: {entries:,} entries, the checkpoint's vocabulary has {shape.vocab_size:,}")
    return text


def _check_installed(formats: Sequence[ExportFormat]) -> None:
    """Raise UsageError, before any work, when a format's library is not there."""
    from importlib.util import find_spec

    for start, module in (("gguf", "gguf"), ("ct2", "ctranslate2")):
        if any(kind.startswith(start) for kind in formats) and find_spec(module) is None:
            raise UsageError(f"export: {module} is not installed; pip install -e '.[train,export]' -c constraints.txt")


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
