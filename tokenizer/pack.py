"""Stage `pack`: corpus shards to token shards, one task a shard, with a ledger that accounts for every token.

In: an assembled corpus and a tokenizer, ours or a given one (`tokenizer.given`). Out: `<split>-00000.bin/.idx` for
each corpus shard, documents in its order, their sources as `.src`, and which they are as `.docs`; the tokenizer, so
that training needs this directory alone; digests of blocks of the `.bin` (`tokenizer.blocks`); and a ledger in the
manifest. A row is a window of `seq_length` tokens over the shards of a split behind one another, so packing pads
nothing and cuts nothing: tokens = rows · seq_length + tail, and the tail is the only remainder.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from corpus.errors import DataError, UsageError
from corpus.stage.license_table import LicenseTable, count_licenses
from corpus.stage.manifest import SPLITS, Input, Manifest, has_manifest, read_manifest
from corpus.stage.reading import check_content, read_whole
from corpus.stage.workspace import Receipt, Workspace, keep_no_part, plan_stage
from corpus.storage import parquet
from tokenizer.arrays import TokenCounts, TokenIds, id_type
from tokenizer.blocks import BLOCKS, block_digests, write_blocks
from tokenizer.config import END_OF_TEXT, PackConfig
from tokenizer.encode import TextEncoder
from tokenizer.given import GIVEN, GivenTokenizer, given_inputs, is_given, pack_tokenizer, read_given
from tokenizer.hf_json import TOKENIZER, transformers_files
from tokenizer.ledger import ShardCounts, ledger, receipt_of_shard
from tokenizer.megatron import write_shard
from tokenizer.packed_before import (
    OldShard,
    PackedBefore,
    check_copied,
    encoded_or_copied,
    old_tokens,
    packed_before,
)
from tokenizer.packed_documents import packed_documents, write_documents
from tokenizer.sources import SOURCES, write_sources

STAGE = "pack"
REVISION = 3  # raise it when the same input gives other bytes
BATCH_ROWS = 512

_LOADED = threading.local()


@dataclass(frozen=True, kw_only=True, slots=True)
class PackTask:
    """One corpus shard to pack; `documents` is what the corpus manifest says it holds."""

    corpus_shard: str
    stem: str  # train-00000
    role: str  # train, validation or test
    documents: int
    sha256: str | None = None  # the same manifest's, of the shard
    bytes: int = 0  # likewise
    shards: int = 1  # of the split


@dataclass(frozen=True, kw_only=True, slots=True)
class PackInputs:
    """What `pack` reads: a corpus and a tokenizer as inputs and as finished stages by directory, and its tasks."""

    inputs: tuple[Input, ...]
    sources: Mapping[str, Manifest]
    tasks: tuple[PackTask, ...]


def plan_pack(
    config: PackConfig, *, corpus: str, tokenizer: str, output: str, dry: bool = False, update: bool = False
) -> tuple[Workspace, Manifest | None, list[PackTask]]:
    """Return the workspace, the manifest when all is done already, and the tasks.

    With `update`, the tokens of another corpus, or by another tokenizer, are replaced. Raises UsageError when an input
    is not finished or the output holds something else.
    """
    found = pack_inputs(config, corpus=corpus, tokenizer=tokenizer)
    workspace, manifest = plan_stage(
        output,
        stage=STAGE,
        revision=REVISION,
        config=config.identity(),
        inputs=found.inputs,
        sources=found.sources,
        update=keep_no_part if update else None,
        dry=dry,
    )
    return workspace, manifest, list(found.tasks)


def pack_inputs(config: PackConfig, *, corpus: str, tokenizer: str) -> PackInputs:
    """Return what `pack` reads and its tasks; raises UsageError when an input is not finished."""
    kind = "delta" if has_manifest(corpus) and read_manifest(corpus).stage == "delta" else "assemble"
    assembled = read_whole(corpus, kind, SPLITS)
    used, stages = _planned_tokenizer(tokenizer, config)
    tasks: list[PackTask] = []
    for role in SPLITS:
        parts = [part for part in assembled.parts if part.role == role]
        assert len(parts) <= 100_000, "shard names keep their order up to five digits"
        tasks += [
            PackTask(
                corpus_shard=storage.join(corpus, part.path),
                stem=f"{role}-{number:05d}",
                role=role,
                documents=part.rows,
                sha256=part.sha256,
                bytes=part.bytes,
                shards=len(parts),
            )
            for number, part in enumerate(parts)
        ]
    return PackInputs(
        inputs=(Input(name=kind, fingerprint=assembled.fingerprint), *used),
        sources={corpus: assembled, **stages},
        tasks=tuple(tasks),
    )


def _planned_tokenizer(tokenizer: str, config: PackConfig) -> tuple[tuple[Input, ...], dict[str, Manifest]]:
    """Return what the manifest says of the tokenizer, and the finished stage that it is, unless it is a file."""
    if is_given(tokenizer):
        return given_inputs(read_given(tokenizer, config.separator)), {}
    if config.separator not in (None, END_OF_TEXT):
        raise UsageError(
            f"{tokenizer}: a result of `corpuscle tokenizer` separates documents by {END_OF_TEXT}, not by "
            f"{config.separator!r}; leave --separator out, or give a tokenizer.json that has the token"
        )
    learned = read_whole(tokenizer, "tokenizer", ("tokenizer",))
    return (Input(name="tokenizer", fingerprint=learned.fingerprint),), {tokenizer: learned}


def pack_shard(
    corpus_shard: str,
    *,
    tokenizer: str,
    stem: str,
    workspace: Workspace,
    role: str,
    config: PackConfig,
    sha256: str | None = None,
    shards: int = 1,
) -> Receipt:
    """Encode one corpus shard to `<stem>.bin` and `<stem>.idx`; reuses an intact earlier result.

    `sha256` is what the shard must have, `shards` how many its split has. Where the output holds the tokens of another
    corpus by the same tokenizer, those of the same texts are copied. Raises CorruptError for a shard that is damaged or
    another one, or when gigatoken and tokenizers disagree on its first documents.
    """
    task = f"pack/{stem}"
    if (receipt := workspace.finished(task)) is not None:
        return receipt
    known = _loaded(tokenizer, config, workspace)
    near = known.before.shards_near(role, int(stem[-5:]), shards) if known.before else []
    counts = ShardCounts()
    batches = _encoded_batches(corpus_shard, known.encoder, near, counts, config.check_sample)
    size, eot = known.encoder.vocab_size, known.encoder.eot
    num_tokens, num_documents = write_shard(workspace.path(stem), batches, eot=eot, vocab_size=size)
    write_sources(workspace.path(stem), counts.codes)
    write_documents(workspace.path(stem), counts.rows)
    if sha256:
        check_content(corpus_shard, sha256)
    roles = {"idx": f"{role}_index", "src": f"{role}_sources", "docs": f"{role}_documents"}
    beside = (workspace.measure(f"{stem}.{name}", role=roles[name], rows=num_documents) for name in roles)
    parts = (workspace.measure(f"{stem}.bin", role=role, rows=num_tokens), *beside)
    if num_tokens != counts.tokens.total() or parts[0].bytes != num_tokens * id_type(size).itemsize:
        raise DataError(
            f"{workspace.path(stem)}.bin: {parts[0].bytes} bytes for {num_tokens} tokens written and "
            f"{counts.tokens.total()} counted; nothing was committed, please report this"
        )
    blocks = block_digests(workspace.path(f"{stem}.bin"))
    return workspace.finish(receipt_of_shard(counts, task=task, parts=parts, split=role, blocks=blocks))


def finish_pack(
    workspace: Workspace,
    receipts: Iterable[Receipt],
    config: PackConfig,
    *,
    tokenizer: str,
    tasks: Sequence[PackTask],
) -> Manifest:
    """Write the ledger and commit; the receipts must be those of all the tasks, in any order.

    Raises DataError when a shard is missing or holds another number of documents than the corpus says.
    """
    done = {receipt.task: receipt for receipt in receipts}
    for task in tasks:
        receipt = done.get(f"pack/{task.stem}")
        if receipt is None or receipt.books.read != task.documents:
            found = "no result" if receipt is None else f"{receipt.books.read} documents"
            raise DataError(
                f"{task.corpus_shard}: {found}, the corpus manifest says {task.documents}; nothing was committed. "
                "Run `corpuscle verify` on the corpus, then this command again"
            )
    assert len(done) == len(tasks), "every receipt belongs to a task"
    used = pack_tokenizer(tokenizer, config.separator, workspace.inputs)
    roles = [role for role in SPLITS if any(task.role == role for task in tasks)]
    splits = {role: ledger(role, done.values(), config.seq_length) for role in roles}
    summary = {
        "tokenizer": next(item.fingerprint for item in workspace.inputs if item.name in ("tokenizer", GIVEN)),
        "vocab_size": used.vocab_size,
        "end_of_text": used.end_of_text,
        **({"separator": used.separator} if used.kept else {}),
        "seq_length": config.seq_length,
        "splits": splits,
        "tokens": sum(split["tokens"] for split in splits.values()),
    }
    digests = {f"{task.stem}.bin": done[f"pack/{task.stem}"].facts["blocks"] for task in tasks}
    write_blocks(workspace.path(BLOCKS), digests)
    blocks = Receipt(task="blocks", parts=(workspace.measure(BLOCKS, role="blocks", rows=len(digests)),))
    receipts = [*(done[f"pack/{task.stem}"] for task in tasks), _copy_tokenizer(workspace, used), blocks]
    return workspace.commit(receipts, summary=summary)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Loaded:
    """What a thread keeps from shard to shard: an encoder that knows their words is four times faster."""

    key: tuple[str, str, str]
    encoder: TextEncoder
    before: PackedBefore | None


def _loaded(tokenizer: str, config: PackConfig, workspace: Workspace) -> _Loaded:
    """Return this thread's encoder, and what the output holds already that may be copied."""
    key = (tokenizer, workspace.fingerprint, workspace.output if workspace.beside else "")
    kept: _Loaded | None = getattr(_LOADED, "kept", None)
    if kept is None or kept.key != key:
        used = pack_tokenizer(tokenizer, config.separator, workspace.inputs)
        before = None
        if workspace.beside:
            old = read_manifest(workspace.output, STAGE)
            before = packed_before(workspace.output, old, tokenizer=used.text, revision=REVISION)
        kept = _LOADED.kept = _Loaded(key=key, encoder=used.encoder(tokenizer), before=before)
    return kept


def _encoded_batches(
    shard: str, encoder: TextEncoder, near: Sequence[OldShard], counts: ShardCounts, sample: int
) -> Iterator[tuple[TokenIds, TokenCounts]]:
    """Yield (flat ids, lengths) of the documents that have text, and count them."""
    for batch in parquet.iter_batches(shard, ["doc_id", "source", "license", "text"], BATCH_ROWS):
        counts.read += batch.num_rows
        texts = pc.fill_null(batch.column("text"), "")
        counts.text_bytes += pc.sum(pc.binary_length(texts)).as_py() or 0
        filled = pc.greater(pc.binary_length(texts), 0)
        documents = texts.filter(filled).cast(pa.binary()).to_pylist()
        doc_ids, sources = (batch.column(name).filter(filled).to_pylist() for name in ("doc_id", "source"))
        counts.rows.append(packed_documents(doc_ids, documents))
        known = old_tokens(near, counts.rows[-1])
        counts.copied += sum(ids is not None for ids in known)
        new = [text.decode() for text, ids in zip(documents, known, strict=True) if ids is None][:sample]
        encoder.check(new)
        check_copied(encoder, documents[:sample], known)
        sample -= len(new)
        ids, lengths = encoded_or_copied(encoder, documents, known)
        counts.licenses.append(_licenses(batch.filter(filled), lengths))
        names, which = np.unique(np.array(sources, dtype=str), return_inverse=True)
        for number, name in enumerate(names.tolist()):
            own = lengths[which == number]
            counts.documents[name] += len(own)
            counts.tokens[name] += int(own.sum()) + len(own)
        counts.codes.append(np.array([SOURCES.index(name) for name in names.tolist()], np.uint8)[which])
        yield ids, lengths


def _licenses(batch: pa.RecordBatch, lengths: TokenCounts) -> LicenseTable:
    """Return the licence table of documents; lengths: of their ids, to which each adds one that ends it."""
    text_bytes = pc.cast(pc.binary_length(batch.column("text")), pa.int64())
    tokens = pa.array(np.asarray(lengths, np.int64) + 1)
    return count_licenses(batch.column("source"), batch.column("license"), text_bytes=text_bytes, tokens=tokens)


def _copy_tokenizer(workspace: Workspace, used: GivenTokenizer) -> Receipt:
    """Put the tokenizer beside the tokens."""
    parts = []
    small = transformers_files(used.separator if used.kept else END_OF_TEXT)
    for name, content in {TOKENIZER: used.text, **small}.items():
        with storage.write_atomic(workspace.path(name)) as sink:
            sink.write(content.encode())
        parts.append(workspace.measure(name, role="tokenizer" if name == TOKENIZER else "transformers", rows=1))
    return Receipt(task="tokenizer", parts=tuple(parts))
