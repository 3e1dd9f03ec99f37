"""Ledger of `pack`: counts of a shard while it is packed, its receipt, and the account of a split."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from corpus.errors import DataError
from corpus.reasons import TextDrop
from corpus.stage.license_table import LicenseTable, add_licenses, total_of
from corpus.stage.manifest import Books, Part
from corpus.stage.workspace import Receipt
from tokenizer.arrays import SourceCodes
from tokenizer.packed_documents import PackedDocuments


@dataclass(kw_only=True, slots=True)
class ShardCounts:
    """Counts of one shard while it is packed; tokens include the `<|endoftext|>` of each document."""

    read: int = 0
    text_bytes: int = 0
    documents: Counter[str] = field(default_factory=Counter)  # by source
    tokens: Counter[str] = field(default_factory=Counter)  # by source
    licenses: list[LicenseTable] = field(default_factory=list)  # of the documents kept, a table a batch
    copied: int = 0  # documents whose tokens were packed before
    codes: list[SourceCodes] = field(default_factory=list)  # source of each document kept
    rows: list[PackedDocuments] = field(default_factory=list)  # which documents they are


def receipt_of_shard(
    counts: ShardCounts, *, task: str, parts: tuple[Part, ...], split: str, blocks: Sequence[str]
) -> Receipt:
    """Return the receipt of a shard; parts: ids, index, sources, documents; blocks: digests of those of the ids."""
    num_documents = parts[1].rows
    empty = counts.read - num_documents
    books = Books(read=counts.read, kept=num_documents, dropped={str(TextDrop.EMPTY): empty} if empty else {})
    facts = {
        "split": split,
        "text_bytes": counts.text_bytes,
        "tokens": parts[0].rows,
        "documents_by_source": dict(sorted(counts.documents.items())),
        "tokens_by_source": dict(sorted(counts.tokens.items())),
        "licenses": add_licenses(counts.licenses),
        "copied": counts.copied,
        "blocks": blocks,
    }
    return Receipt(task=task, parts=parts, books=books, facts=facts)


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
