"""Stage `pack`: corpus shards to token shards, one task a shard, with a ledger that accounts for every token.

In: an assembled corpus and a tokenizer, ours or a given one (`tokenizer.given`). Out: `<split>-00000.bin/.idx` for
each corpus shard, documents in its order, and their sources as `.src`; the tokenizer, so that training needs this
directory alone; digests of blocks of the `.bin` (`tokenizer.blocks`); and a ledger in the manifest. A row is a window
of `seq_length` tokens over the shards of a split behind one another, so packing pads nothing and cuts nothing: tokens
= rows · seq_length + tail, and the tail is the only remainder.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from corpus.errors import DataError, UsageError
from corpus.stage.license_table import LicenseTable, add_licenses, count_licenses, total_of
from corpus.stage.manifest import SPLITS, Books, Input, Manifest, Part
from corpus.stage.reading import check_content, read_whole
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from corpus.storage import parquet
from tokenizer.arrays import SourceCodes, TokenCounts, TokenIds
from tokenizer.blocks import BLOCKS, block_digests, write_blocks
from tokenizer.config import END_OF_TEXT, PackConfig
from tokenizer.encode import Encoder
from tokenizer.given import GIVEN, is_file, pack_text, read_given
from tokenizer.hf_json import TOKENIZER, transformers_files, vocabulary
from tokenizer.megatron import ITEM_BYTES, write_shard
from tokenizer.sources import SOURCES, write_sources

STAGE = "pack"
REVISION = 2  # raise it when the same input gives other bytes
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


@dataclass(kw_only=True, slots=True)
class ShardCounts:
    """Counts of one shard while it is packed; tokens include the `<|endoftext|>` of each document."""

    read: int = 0
    text_bytes: int = 0
    documents: Counter[str] = field(default_factory=Counter)  # by source
    tokens: Counter[str] = field(default_factory=Counter)  # by source
    licenses: list[LicenseTable] = field(default_factory=list)  # of the documents kept, a table a batch
    codes: list[SourceCodes] = field(default_factory=list)  # source of each document kept


def plan_pack(
    config: PackConfig, *, corpus: str, tokenizer: str, output: str, dry: bool = False
) -> tuple[Workspace, Manifest | None, list[PackTask]]:
    """Return the workspace, the manifest when all is done already, and the tasks.

    Raises UsageError when an input is not finished or the output holds something else.
    """
    assembled = read_whole(corpus, "assemble", SPLITS)
    used, stages = _planned_tokenizer(tokenizer, config)
    inputs = [Input(name="assemble", fingerprint=assembled.fingerprint), used]
    workspace, manifest = plan_stage(
        output,
        stage=STAGE,
        revision=REVISION,
        config=config.identity(),
        inputs=inputs,
        sources={corpus: assembled, **stages},
        dry=dry,
    )
    tasks = []
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
            )
            for number, part in enumerate(parts)
        ]
    return workspace, manifest, tasks


def _planned_tokenizer(tokenizer: str, config: PackConfig) -> tuple[Input, dict[str, Manifest]]:
    """Return what the manifest says of the tokenizer, and the finished stage that it is, unless it is a file."""
    if is_file(tokenizer):
        return Input(name=GIVEN, fingerprint=read_given(tokenizer, config.separator).sha256), {}
    if config.separator not in (None, END_OF_TEXT):
        raise UsageError(
            f"{tokenizer}: a result of `corpuscle tokenizer` separates documents by {END_OF_TEXT}, not by "
            f"{config.separator!r}; leave --separator out, or give a tokenizer.json that has the token"
        )
    learned = read_whole(tokenizer, "tokenizer", ("tokenizer",))
    return Input(name="tokenizer", fingerprint=learned.fingerprint), {tokenizer: learned}


def pack_shard(
    corpus_shard: str,
    *,
    tokenizer: str,
    stem: str,
    workspace: Workspace,
    role: str,
    config: PackConfig,
    sha256: str | None = None,
) -> Receipt:
    """Encode one corpus shard to `<stem>.bin` and `<stem>.idx`; reuses an intact earlier result.

    `sha256` is what the shard must have. Raises CorruptError for a shard that is damaged or another one, or when
    gigatoken and tokenizers disagree on its first documents.
    """
    task = f"pack/{stem}"
    if (receipt := workspace.finished(task)) is not None:
        return receipt
    encoder = _encoder(tokenizer, config, workspace)
    counts = ShardCounts()
    batches = _encoded_batches(corpus_shard, encoder, counts, config.check_sample)
    num_tokens, num_documents = write_shard(workspace.path(stem), batches, eot=encoder.eot)
    write_sources(workspace.path(stem), counts.codes)
    if sha256:
        check_content(corpus_shard, sha256)
    parts = (
        workspace.measure(f"{stem}.bin", role=role, rows=num_tokens),
        workspace.measure(f"{stem}.idx", role=f"{role}_index", rows=num_documents),
        workspace.measure(f"{stem}.src", role=f"{role}_sources", rows=num_documents),
    )
    if num_tokens != counts.tokens.total() or parts[0].bytes != num_tokens * ITEM_BYTES:
        raise DataError(
            f"{workspace.path(stem)}.bin: {parts[0].bytes} bytes for {num_tokens} tokens written and "
            f"{counts.tokens.total()} counted; nothing was committed, please report this"
        )
    blocks = block_digests(workspace.path(f"{stem}.bin"))
    return workspace.finish(_receipt_of(counts, task=task, parts=parts, split=role, blocks=blocks))


def _receipt_of(
    counts: ShardCounts, *, task: str, parts: tuple[Part, ...], split: str, blocks: Sequence[str]
) -> Receipt:
    """Return the receipt of a shard; parts: ids, index, sources; blocks: digests of those of the ids."""
    num_documents = parts[1].rows
    empty = counts.read - num_documents
    books = Books(read=counts.read, kept=num_documents, dropped={"empty": empty} if empty else {})
    facts = {
        "split": split,
        "text_bytes": counts.text_bytes,
        "tokens": parts[0].rows,
        "documents_by_source": dict(sorted(counts.documents.items())),
        "tokens_by_source": dict(sorted(counts.tokens.items())),
        "licenses": add_licenses(counts.licenses),
        "blocks": blocks,
    }
    return Receipt(task=task, parts=parts, books=books, facts=facts)


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
    text = pack_text(tokenizer, config.separator, workspace.inputs)
    num_ids = len(vocabulary(text, tokenizer))
    roles = [role for role in SPLITS if any(task.role == role for task in tasks)]
    splits = {role: ledger(role, done.values(), config.seq_length) for role in roles}
    summary = {
        "tokenizer": next(item.fingerprint for item in workspace.inputs if item.name != "assemble"),
        "vocab_size": num_ids,
        "end_of_text": num_ids - 1,
        "seq_length": config.seq_length,
        "splits": splits,
        "tokens": sum(split["tokens"] for split in splits.values()),
    }
    digests = {f"{task.stem}.bin": done[f"pack/{task.stem}"].facts["blocks"] for task in tasks}
    write_blocks(workspace.path(BLOCKS), digests)
    blocks = Receipt(task="blocks", parts=(workspace.measure(BLOCKS, role="blocks", rows=len(digests)),))
    receipts = [*(done[f"pack/{task.stem}"] for task in tasks), _copy_tokenizer(workspace, text), blocks]
    return workspace.commit(receipts, summary=summary)


def ledger(split: str, receipts: Iterable[Receipt], seq_length: int) -> dict[str, Any]:
    """Return the account of one split: tokens = rows · seq_length + tail = Σ tokens by source."""
    own = [receipt for receipt in receipts if receipt.facts["split"] == split]
    documents: Counter[str] = Counter()
    by_source: Counter[str] = Counter()
    for receipt in own:
        documents.update(receipt.facts["documents_by_source"])
        by_source.update(receipt.facts["tokens_by_source"])
    tokens = sum(receipt.facts["tokens"] for receipt in own)
    rows, tail = divmod(tokens, seq_length)
    kept = sum(receipt.books.kept for receipt in own)
    if (by_source.total(), documents.total()) != (tokens, kept):
        raise DataError(
            f"{split}: {tokens} tokens of {kept} documents, but {by_source.total()} of {documents.total()} by source; "
            "nothing was committed, please report this"
        )
    licenses = add_licenses(receipt.facts.get("licenses", {}) for receipt in own)  # a receipt may be an older version's
    is_whole = (total_of(licenses, "tokens"), total_of(licenses, "documents")) == (tokens, kept)
    return {
        "documents": kept,
        "text_bytes": sum(receipt.facts["text_bytes"] for receipt in own),
        "tokens": tokens,
        "end_of_text_tokens": kept,
        "rows": rows,
        "tail": tail,
        "documents_by_source": dict(sorted(documents.items())),
        "tokens_by_source": dict(sorted(by_source.items())),
        **({"licenses": licenses} if is_whole else {}),
    }


def _encoder(tokenizer: str, config: PackConfig, workspace: Workspace) -> Encoder:
    """Return this thread's encoder: it knows the words of the shards before, and then is four times faster."""
    key = (tokenizer, workspace.fingerprint)
    if getattr(_LOADED, "key", None) != key:
        text = pack_text(tokenizer, config.separator, workspace.inputs)
        _LOADED.key, _LOADED.encoder = key, Encoder(text, place=tokenizer)
    encoder: Encoder = _LOADED.encoder
    return encoder


def _encoded_batches(
    shard: str, encoder: Encoder, counts: ShardCounts, sample: int
) -> Iterator[tuple[TokenIds, TokenCounts]]:
    """Yield (flat ids, lengths) of the documents that have text, and count them."""
    for batch in parquet.iter_batches(shard, ["source", "license", "text"], BATCH_ROWS):
        counts.read += batch.num_rows
        texts = pc.fill_null(batch.column("text"), "")
        counts.text_bytes += pc.sum(pc.binary_length(texts)).as_py() or 0
        filled = pc.greater(pc.binary_length(texts), 0)
        documents, sources = texts.filter(filled).to_pylist(), batch.column("source").filter(filled).to_pylist()
        encoder.check(documents[:sample])
        sample -= len(documents[:sample])
        ids, lengths = encoder.encode(documents)
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


def _copy_tokenizer(workspace: Workspace, text: str) -> Receipt:
    """Put the tokenizer beside the tokens."""
    parts = []
    for name, content in {TOKENIZER: text, **transformers_files()}.items():
        with storage.write_atomic(workspace.path(name)) as sink:
            sink.write(content.encode())
        parts.append(workspace.measure(name, role="tokenizer" if name == TOKENIZER else "transformers", rows=1))
    return Receipt(task="tokenizer", parts=tuple(parts))
