"""Configurations of the stages `tokenizer` and `pack`; light, so that the command line can import them.

The defaults are BioMedLM's (arXiv 2403.18421, table 2 and `tokenize/train_bpe.py`): byte-level BPE with
28,896 entries learned from PubMed abstracts alone, minimum frequency 2, rows of 1024 tokens.
"""

from typing import Any, Literal

from corpus.config import StageConfig, Workers, runtime, setting

END_OF_TEXT = "<|endoftext|>"
NUM_BYTES = 256


class TokenizerConfig(StageConfig):
    """Configuration of `tokenizer`: corpus shards to tokenizer.json."""

    vocab_size: int = setting(
        28896, "entries of the vocabulary, <|endoftext|> included", ge=NUM_BYTES + 1, le=1 << 16, group="output"
    )
    source: Literal["pubmed", "pmc", "all"] = setting("pubmed", "documents to learn from", group="input")
    min_frequency: int = setting(2, "a pair seen fewer times is never merged", group="output", ge=1)
    max_bytes: int | None = setting(
        None,
        "learn from at most this much text, taken from the start of the (hash-ordered) corpus",
        group="input",
        ge=1,
    )


class PackConfig(StageConfig):
    """Configuration of `pack`: corpus shards to token shards."""

    seq_length: int = setting(1024, "tokens in a row", group="output", ge=2, le=1 << 20)
    separator: str | None = setting(
        None,
        "token of a given tokenizer that ends each document: a directory's eos_token by default, else <|endoftext|>",
        group="input",
        metavar="TOKEN",
        min_length=1,
    )
    check_sample: int = runtime(
        32, "documents of each shard encoded by `tokenizers` too, and compared", group="running", ge=0
    )
    workers: Workers = runtime(1, "local worker processes, at most: as many as the work pays for", group="running")

    def identity(self) -> dict[str, Any]:
        """Return the fields that decide the bytes; the default separator is left out, as when there was no other."""
        fields = super().identity()
        if self.separator in (None, END_OF_TEXT):
            del fields["separator"]
        return fields
