"""Configurations of the stages `tokenizer` and `pack`; light, so that the command line can import them.

The defaults are BioMedLM's (arXiv 2403.18421, table 2 and `tokenize/train_bpe.py`): byte-level BPE with
28,896 entries learned from PubMed abstracts alone, minimum frequency 2, rows of 1024 tokens.
"""

from typing import Literal

from pydantic import Field

from corpus.config import StageConfig, Workers, runtime

END_OF_TEXT = "<|endoftext|>"
NUM_BYTES = 256


class TokenizerConfig(StageConfig):
    """Configuration of `tokenizer`: corpus shards to tokenizer.json."""

    vocab_size: int = Field(
        28896, ge=NUM_BYTES + 1, le=1 << 16, description="entries of the vocabulary, <|endoftext|> included"
    )
    source: Literal["pubmed", "pmc", "all"] = Field("pubmed", description="documents to learn from")
    min_frequency: int = Field(2, ge=1, description="a pair seen fewer times is never merged")
    max_bytes: int | None = Field(
        None, ge=1, description="learn from at most this much text, taken from the start of the (hash-ordered) corpus"
    )


class PackConfig(StageConfig):
    """Configuration of `pack`: corpus shards to token shards."""

    seq_length: int = Field(1024, ge=2, le=1 << 20, description="tokens in a row")
    check_sample: int = runtime(32, "documents of each shard encoded by `tokenizers` too, and compared", ge=0)
    workers: Workers = runtime(1, "local worker processes")
