"""Model of transformers' library to train: which one, and its sizes, all that is known of it without torch.

Its configuration is carried whole, in the job and in every checkpoint's recipe: a run needs the directory that it
began with no more once it has started.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from corpus.config import GivenPath

PREFIX = "hf:"  # of the command line: `--model hf:DIR`


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignShape:
    """Sizes of a causal language model of transformers' library, found by building it without its numbers."""

    model_type: str  # transformers' word for the family
    architecture: str  # its class
    layers: int
    hidden: int
    attention_width: int  # heads times channels of a head
    seq_length: int  # of the tokens' rows
    vocab_size: int  # of the tokens' tokenizer
    rows: int  # of the embedding, at least as many
    num_parameters: int  # all of them; a tied head counted once
    lookup_parameters: int  # of them, tables that are only looked up: embeddings without a tied head
    persistent_parameters: int  # of them, in tensors so small that ZeRO-3 keeps them whole
    dropout: float  # the highest of its rates
    config: Mapping[str, Any]  # transformers' own, whole

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations of one trained token: 6N + 12·L·d·T, N without tables that are looked up.

        d is the width of all heads; a window of attention that is shorter than a row is counted as a row.
        """
        return (
            6 * (self.num_parameters - self.lookup_parameters)
            + 12 * self.layers * self.attention_width * self.seq_length
        )


class ForeignConfig(BaseModel):
    """Configuration of a model of transformers' library in place of sizes of ours."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    path: GivenPath = Field("", description="directory of transformers' form: config.json, weights, tokenizer")
    weights: Literal["files", "fresh"] = Field(
        "files", description="files: those of the directory; fresh: drawn anew, by transformers' own rule and the seed"
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="replaces every dropout rate of its configuration")
