"""Stage `tokenizer`: BPE learned from corpus shards to tokenizer.json, with a report on held-out text.

BPE merges are learned from the training documents of one source, GPT-2's split, every document on its own.
256 bytes, the merges and `<|endoftext|>` are the vocabulary; a corpus too small to fill it gives a smaller
one, which the report states, never filler. gigatoken learns and encodes; before the commit its ids are
compared with those of `tokenizers`.
"""

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.reasons import TextDrop
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Books, Input, Manifest
from corpus.stage.progress import progress, say
from corpus.stage.reading import check_content, held_for_reading, read_whole
from corpus.stage.workspace import WORK, Receipt, Workspace, keep_no_part, plan_stage
from corpus.storage import parquet
from tokenizer.config import NUM_BYTES, TokenizerConfig
from tokenizer.encode import Encoder
from tokenizer.hf_json import TOKENIZER, tokenizer_json, transformers_files
from tokenizer.merges import SEPARATOR, learn_merges
from tokenizer.report import Report, as_json, as_markdown, measure, split_words

STAGE = "tokenizer"
REVISION = 1  # raise it when the same input gives other bytes


def learn(config: TokenizerConfig, *, corpus: str, output: str, update: bool = False) -> Manifest:
    """Learn a tokenizer from the training documents of an assembled corpus and commit it in `output`.

    With `update`, one that was learned there from another corpus is replaced by what is learned anew.

    Raises UsageError when the corpus holds no document of the source, or `output` holds something else;
    CorruptError when a shard is damaged or gigatoken and tokenizers disagree.
    """
    with held_for_reading(corpus), running_stage(output) as work:
        assembled = read_whole(corpus, "assemble", ("train", "validation"))
        work.bytes_read = sum(part.bytes for part in assembled.parts if part.role == "train")
        inputs = [Input(name="assemble", fingerprint=assembled.fingerprint)]
        workspace, manifest = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config=config.identity(),
            inputs=inputs,
            sources={corpus: assembled},
            update=keep_no_part if update else None,
        )
        if manifest is not None:
            say(f"{output}: up to date ({STAGE}, {manifest.fingerprint[:12]})")
            return manifest
        learned = workspace.finished("learn") or _learn(config, assembled, corpus, workspace)
        reported = _report(config, assembled, corpus, workspace, learned)
        manifest = workspace.commit([learned, reported], summary=reported.facts)
        workspace.clean()
        return manifest


def _learn(config: TokenizerConfig, assembled: Manifest, corpus: str, workspace: Workspace) -> Receipt:
    """Write tokenizer.json and the files beside it."""
    with _scratch(workspace) as folder:
        path = storage.join(folder, "texts")
        books, num_bytes = write_texts(path, assembled, corpus, config)
        if not books.kept:
            raise UsageError(
                f"{corpus}: no training document of source {config.source!r}"
                + (f" within {config.max_bytes} bytes" if config.max_bytes else "")
                + "; choose another --source (pubmed, pmc, all), or assemble a corpus that has some"
            )
        say(f"{STAGE}: learning from {books.kept:,} documents, {num_bytes / 1e6:,.1f} MB")
        merges = learn_merges(path, num_merges=config.vocab_size - NUM_BYTES - 1, min_frequency=config.min_frequency)
    files = {TOKENIZER: tokenizer_json(merges), **transformers_files()}
    for name, content in files.items():
        with storage.write_atomic(workspace.path(name)) as sink:
            sink.write(content.encode())
    size = NUM_BYTES + len(merges) + 1
    parts = [
        workspace.measure(name, role="tokenizer" if name == TOKENIZER else "transformers", rows=size) for name in files
    ]
    facts = {"training_bytes": num_bytes, "vocab_size": size}
    return workspace.finish(Receipt(task="learn", parts=tuple(parts), books=books, facts=facts))


def write_texts(path: str, assembled: Manifest, corpus: str, config: TokenizerConfig) -> tuple[Books, int]:
    """Write the texts to learn from, each ended by SEPARATOR; returns the books and the bytes of text."""
    shards = [part for part in assembled.parts if part.role == "train"]
    limit = config.max_bytes if config.max_bytes is not None else math.inf
    read = kept = other = size = wanted = 0
    with open(path, "wb") as sink, progress(f"{STAGE}: read", len(shards), "shards") as shown:
        for shard in shards:
            path_of_shard = storage.join(corpus, shard.path)
            for batch in parquet.iter_batches(path_of_shard, ["source", "text"]):
                texts = _of_source(batch, config.source)
                read, other = read + batch.num_rows, other + batch.num_rows - len(texts)
                for text in texts:
                    wanted += len(text)
                    if wanted <= limit:
                        sink.write(text + SEPARATOR)
                        kept, size = kept + 1, wanted
            check_content(path_of_shard, shard.sha256)
            shown.advance()
    expected = sum(shard.rows for shard in shards)
    if read != expected:
        raise CorruptError(f"{corpus}: {read} training documents, its manifest says {expected}; run `corpuscle verify`")
    dropped = {str(TextDrop.OTHER_SOURCE): other, str(TextDrop.OVER_MAX_BYTES): read - other - kept}
    return Books(read=read, kept=kept, dropped={reason: count for reason, count in dropped.items() if count}), size


def _of_source(batch: pa.RecordBatch, source: str) -> list[bytes]:
    """Return the texts of one source, or of all, in UTF-8."""
    texts = batch.column("text").cast(pa.large_binary())
    chosen = (
        texts if source == "all" else texts.filter(pc.equal(batch.column("source"), pa.scalar(source, pa.string())))
    )
    return chosen.to_pylist()


def _report(
    config: TokenizerConfig, assembled: Manifest, corpus: str, workspace: Workspace, learned: Receipt
) -> Receipt:
    """Check the tokenizer on validation text, or without any on the first training shard, and report on it."""
    with storage.open_read(workspace.find(TOKENIZER)) as source:
        encoder = Encoder(source.read().decode(), parallel=True)
    if encoder.vocab_size < config.vocab_size:
        say(
            f"{STAGE}: the corpus fills {encoder.vocab_size:,} of {config.vocab_size:,} entries; "
            f"a pair seen fewer than {config.min_frequency} times is not merged"
        )
    held_out = assembled.paths(corpus, "validation")
    fertility, checked = measure(encoder, held_out or assembled.paths(corpus, "train")[:1])
    report = Report(
        vocab_size=encoder.vocab_size,
        asked_vocab_size=config.vocab_size,
        end_of_text=encoder.eot,
        training_documents=learned.books.kept,
        training_bytes=learned.facts["training_bytes"],
        measured_on="validation" if held_out else "train",
        checked_documents=checked,
        fertility=fertility,
        words=split_words(encoder),
    )
    for name, content in (("report.json", as_json(report)), ("report.md", as_markdown(report))):
        with storage.write_atomic(workspace.path(name)) as sink:
            sink.write(content.encode())
    parts = [workspace.measure(name, role="report", rows=1) for name in ("report.json", "report.md")]
    return Receipt(task="report", parts=tuple(parts), facts=_summary(report))


def _summary(report: Report) -> dict[str, Any]:
    """Return the numbers that the manifest shows."""
    return {
        "vocab_size": report.vocab_size,
        "asked_vocab_size": report.asked_vocab_size,
        "end_of_text": report.end_of_text,
        "training_documents": report.training_documents,
        "training_bytes": report.training_bytes,
        "measured_on": report.measured_on,
        "bytes_per_token": {source: each.bytes_per_token for source, each in report.fertility.items()},
        "tokens_per_word": {source: each.tokens_per_word for source, each in report.fertility.items()},
        "paper_words_one_token": sum(1 in (len(each.alone), len(each.after_space)) for each in report.words),
    }


@contextmanager
def _scratch(workspace: Workspace) -> Iterator[str]:
    """Yield a temporary local folder: inside the output where that is local, since its disk has the space."""
    parent = None
    if not storage.is_remote(workspace.output):
        parent = workspace.path(WORK)
        storage.remove_tree(parent)  # the texts that a killed run left
        os.makedirs(parent)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield folder
