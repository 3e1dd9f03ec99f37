"""Stage `export`: a checkpoint of a run to model files, each format a task, committed by a manifest.

The checkpoint is the newest whose hashes hold; the run may still be going on. What is exported is identified
by the checkpoint's own hash, so the same checkpoint gives the same files, and another one is refused.
"""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import assert_never

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest
from corpus.stage.progress import progress, say
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from tokenizer.config import END_OF_TEXT
from tokenizer.hf_json import TOKENIZER, stated_separator, token_lengths
from train.checkpoint import store
from train.checkpoint.store import Checkpoint
from train.config import AnyShape
from train.energy import energy_of_run
from train.export.card import CARD, model_card
from train.export.config import FORMATS, ExportConfig, ExportFormat
from train.export.foreign_files import check_foreign_formats, write_foreign
from train.export.lineage import Lineage, find_lineage
from train.export.transformers_files import end_of_text_id, write_transformers
from train.export.weight_names import folded
from train.export.weights import Weights, read_weights
from train.foreign import ForeignShape
from train.job import read_shape

STAGE = "export"
REVISION = 3  # raise it when the same input gives other bytes


def export(config: ExportConfig, *, run: str, output: str, tokens: str | None = None, scored: bool = False) -> Manifest:
    """Export the newest good checkpoint of a run and return the committed manifest.

    `tokens` is where the run's tokens are, if not where they were nor near the run; `scored` if they will be wanted.
    Raises UsageError when the run has no checkpoint, `tokens` are others or wanted and not found, or `output` holds
    something else, CorruptError when no checkpoint is intact or the tokenizer does not fit.
    """
    _check_installed(config.formats)
    if storage.is_remote(output):
        raise UsageError(f"{output}: export writes to a local disk; copy the directory away afterwards")
    with running_stage(output):
        checkpoint = store.newest_good(run, say)
        lineage = find_lineage(run, checkpoint, tokens=tokens)
        if scored:
            lineage.check_tokens_found()
        for line in lineage.told_missing():
            say(line)
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
    shape = read_shape(checkpoint.recipe["model"])
    if isinstance(shape, ForeignShape):
        check_foreign_formats(run, shape, config.formats)
    tokenizer, separator = _tokenizer(run, shape, config.formats)
    receipts = {kind: workspace.finished(f"export/{kind}") for kind in config.formats}
    missing = [kind for kind in config.formats if receipts[kind] is None]
    if missing:
        weights = read_weights(run, checkpoint, shape)
        with progress("export", len(config.formats)) as shown:
            shown.reach(len(config.formats) - len(missing))
            for kind in missing:
                _write_format(
                    kind, workspace, config, weights=weights, shape=shape, tokenizer=tokenizer, separator=separator
                )
                receipts[kind] = workspace.finish(_receipt(kind, workspace))
                shown.advance()
    done = [receipt for receipt in receipts.values() if receipt is not None]
    summary = {
        "name": config.name,
        "step": checkpoint.step,
        "tokens_trained": checkpoint.tokens,
        "parameters": shape.num_parameters,
        **({"architecture": shape.architecture} if isinstance(shape, ForeignShape) else {}),
        "format_bytes": {kind: receipt.facts["bytes"] for kind, receipt in receipts.items() if receipt is not None},
    }
    card = model_card(summary, checkpoint, shape, lineage, energy_of_run(run, checkpoint.step))
    forms = [FORMATS[kind] for kind in config.formats]
    names = [CARD, *(f"{form.path}/{CARD}" for form in forms if form.family == "transformers")]
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
    shape: AnyShape,
    tokenizer: str,
    separator: str = END_OF_TEXT,
) -> None:
    """Write one format; what a killed try left of it goes first."""
    form = FORMATS[kind]
    path = workspace.path(form.path)
    storage.remove_tree(path)
    if isinstance(shape, ForeignShape):
        write_foreign(path, weights, shape, tokenizer=tokenizer, separator=separator, dtype=config.dtype)
        return
    if kind != "faithful":
        weights, shape = folded(weights, shape)
    if form.family == "transformers":
        write_transformers(path, weights, shape, tokenizer=tokenizer, separator=separator, dtype=config.dtype)
    elif form.family == "gguf":
        from train.export.gguf_file import write_gguf

        end = end_of_text_id(tokenizer)
        write_gguf(path, weights, shape, tokenizer=tokenizer, end_of_text=end, numbers=form.numbers, name=config.name)
    elif form.family == "ct2":
        from train.export.ctranslate2 import write_ct2

        write_ct2(path, weights, shape, tokenizer=tokenizer, quantization=form.numbers)
    else:
        assert_never(form.family)


def _receipt(kind: ExportFormat, workspace: Workspace) -> Receipt:
    """Return the receipt of a format, its files made durable."""
    base = FORMATS[kind].path
    path = workspace.path(base)
    names = [f"{base}/{name}" for name in storage.walk_files(path)] if os.path.isdir(path) else [base]
    for name in names:
        storage.sync_path(workspace.path(name))
    storage.sync_path(os.path.dirname(workspace.path(names[0])))
    parts = tuple(workspace.measure(name, role=kind, rows=1) for name in names)
    return Receipt(task=f"export/{kind}", parts=parts, facts={"bytes": sum(part.bytes for part in parts)})


def _checkpoint_inputs(run: str, checkpoint: Checkpoint) -> list[Input]:
    entries = store.read_list(run) or ()
    return [Input(name="checkpoint", fingerprint=entry.sha256) for entry in entries if entry.name == checkpoint.name]


def _tokenizer(run: str, shape: AnyShape, formats: Sequence[ExportFormat]) -> tuple[str, str]:
    """Return the text of a run's tokenizer and the token that ends documents, once they fit model and formats."""
    path = storage.join(run, TOKENIZER)
    if not storage.exists(path):
        raise CorruptError(f"{path}: missing; copy it from the tokens directory that the run was trained on")
    with storage.open_read(path) as source:
        text = source.read().decode()
    separator = stated_separator(path)  # stands beside a tokenizer that kept its own ids, and not beside ours
    entries = len(token_lengths(text)) if separator else end_of_text_id(text) + 1
    if entries != shape.vocab_size:
        raise CorruptError(f"{path}: {entries:,} entries, the checkpoint's vocabulary has {shape.vocab_size:,}")
    if separator and (others := [kind for kind in formats if FORMATS[kind].family != "transformers"]):
        raise UsageError(
            f"{run}: {', '.join(others)} take a tokenizer that splits words as GPT-2's does, and the run's is another; "
            "choose --format folded --format faithful"
        )
    return text, separator or END_OF_TEXT


def _check_installed(formats: Sequence[ExportFormat]) -> None:
    """Raise UsageError, before any work, when a format's library is not there."""
    for module in (FORMATS[kind].module for kind in formats):
        if module is not None and find_spec(module) is None:
            raise UsageError(f"export: {module} is not installed; pip install -e '.[train,export]' -c constraints.txt")
