"""Byte-level BPE: learn it from a corpus, encode with it, pack token shards, read them as rows. No Beam, no torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizer.encode import Encoder
    from tokenizer.token_rows import TokenRows

__all__ = ["Encoder", "TokenRows"]


def __getattr__(name: str) -> Any:
    """Import what the room offers when it is asked for: the command line reads `tokenizer.config` and nothing dear."""
    if name in __all__:
        return getattr(import_module("tokenizer.encode" if name == "Encoder" else "tokenizer.token_rows"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
