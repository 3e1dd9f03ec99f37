"""Learn the biomedical byte-level BPE, encode with it, and write Megatron token shards. No Beam, no torch."""

from tokenizer.encode import Encoder
from tokenizer.token_rows import TokenRows

__all__ = ["Encoder", "TokenRows"]
