"""Comparison of profiles, `compare`: documents, bytes, words and tokens of `clean` and `pile` from the same records.

A finished `extract --pile` and a tokenizer.json come in; a table by source and its last line go out. Both sides see
the live records only, and each applies its own rules for a record alone; joins by id and duplicates are not
looked for, so the difference is one of text and selection.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from corpus import storage
from corpus.assemble.config import AssembleConfig
from corpus.assemble.documents import file_ranks, key_rows
from corpus.assemble.inputs import StoredParts, pile_texts, stored_parts
from corpus.assemble.retractions import mark_retracted, retracted_entities, retracted_rows
from corpus.assemble.rules import reason_to_drop
from corpus.assemble.updates import KEY, RevisionStatus, fold
from corpus.errors import CorruptError, UsageError
from corpus.pile.pile_text import PileText
from corpus.records import Kind, Record
from corpus.stage.manifest import read_manifest
from corpus.stage.progress import progress
from corpus.storage.schema import from_batch
from corpus.text.render import render
from corpus.text.words import count_words
from tokenizer.encode import Encoder, TextEncoder, decoded
from tokenizer.hf_json import TOKENIZER

BATCH_ROWS = 1000
_MEASURES = ("documents", "characters", "bytes", "words", "tokens")
_SIDES = ("clean", "pile", "only clean", "only pile")


@dataclass(kw_only=True, slots=True)
class TextSize:
    """Size of some texts: their number, characters, UTF-8 bytes, words and tokens."""

    documents: int = 0
    characters: int = 0
    bytes: int = 0
    words: int = 0
    tokens: int = 0

    def add(self, text: str, tokens: int) -> None:
        """Add one text."""
        self.documents += 1
        self.characters += len(text)
        self.bytes += len(text.encode())
        self.words += count_words(text)
        self.tokens += tokens


TextSizes = dict[tuple[str, str], TextSize]  # by source and side


def compare(records: str, tokenizer: str) -> str:
    """Return the table of a comparison and its summary line.

    Raises UsageError for records without The Pile's text and for a tokenizer that is not there.
    """
    encoder = _encoder(tokenizer)
    manifest = read_manifest(records, "extract")
    parts = stored_parts(records, manifest, pile=True)
    sizes: TextSizes = {}
    with progress("compare", manifest.books.kept, "records") as shown:
        for batch, num_rows in _live_records(parts):
            _measure(batch, encoder, sizes)
            shown.advance(num_rows)
    return "\n".join([*_table(sizes), _summary(sizes)])


def _encoder(path: str) -> TextEncoder:
    """Return the encoder of a tokenizer.json, or of the directory of a finished `tokenizer`."""
    if not storage.exists(path):
        raise UsageError(f"{path}: no tokenizer there; give the {TOKENIZER} that `corpuscle tokenizer` wrote")
    if not path.endswith(".json"):
        return Encoder.load(path)
    try:
        return Encoder(decoded(path), place=path)
    except CorruptError as error:
        raise UsageError(f"{path}: is no {TOKENIZER} of `corpuscle tokenizer` ({error}); check the path") from error


def _live_records(parts: StoredParts) -> Iterator[tuple[list[tuple[Record, PileText]], int]]:
    """Yield the records that are alive with The Pile's text, some at a time, and the number of rows gone through."""
    ranks = file_ranks(parts.names)
    keys = [key_rows(parts, part=part, rank=ranks[part]) for part in range(len(parts.names))]
    everything = np.concatenate([np.zeros(0, KEY), *keys])
    verdicts = fold(everything)
    retracted = retracted_entities(everything, verdicts)
    first = 0
    for part in range(len(parts.names)):
        for batch in parts.batches(part):
            codes = verdicts["code"][first : first + batch.num_rows]
            first += batch.num_rows
            batch = mark_retracted(batch, retracted_rows(batch, retracted))
            alive = [
                (record, text)
                for record, text, code in zip(from_batch(batch, Record), pile_texts(batch), codes.tolist(), strict=True)
                if code == RevisionStatus.LIVE and record.kind is not Kind.DELETION and text is not None
            ]
            yield alive, batch.num_rows


def _measure(records: list[tuple[Record, PileText]], encoder: TextEncoder, sizes: TextSizes) -> None:
    config: Any = AssembleConfig()
    kept: list[tuple[str, str, str]] = []
    for record, pile in records:
        texts: dict[str, str] = {}
        clean = render(record, "clean")
        if reason_to_drop(record, clean, config) is None:
            texts["clean"] = clean
        if not pile.reason:
            texts["pile"] = pile.text
        kept += [(str(record.source), side, text) for side, text in texts.items()]
        if len(texts) == 1:
            kept += [(str(record.source), f"only {side}", text) for side, text in texts.items()]
    _, lengths = encoder.encode([text for _, _, text in kept])
    for (source, side, text), tokens in zip(kept, lengths.tolist(), strict=True):
        sizes.setdefault((source, side), TextSize()).add(text, tokens)


def _table(sizes: TextSizes) -> Iterator[str]:
    yield f"{'source':<8} {'profile':<12}" + "".join([f"{name:>16}" for name in _MEASURES])
    for source in sorted({source for source, _ in sizes}):
        found = {side: astuple(sizes.get((source, side), TextSize())) for side in _SIDES}
        for side in _SIDES:
            yield f"{source:<8} {side:<12}" + "".join([f"{value:>16,}" for value in found[side]])
        difference = [pile - clean for clean, pile in zip(found["clean"], found["pile"], strict=True)]
        yield f"{source:<8} {'difference':<12}" + "".join([f"{value:>+16,}" for value in difference])


def _summary(sizes: TextSizes) -> str:
    clean, pile = (sum(size.tokens for (_, name), size in sizes.items() if name == side) for side in _SIDES[:2])
    share = f" ({100 * (pile - clean) / clean:+.2f} %)" if clean else ""
    return f"compare: {clean:,} tokens clean, {pile:,} tokens pile, {pile - clean:+,}{share}"
