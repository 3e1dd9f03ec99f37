"""Configuration of `export`, and the table of its formats; light, so that the command line can import it.

`faithful` keeps BioMedLM's `scale_attn_by_inverse_layer_idx`, which llama.cpp, CTranslate2 and transformers
before 2026-03 (issue 44380) ignore without a word. All other formats are *folded*: the scale is inside the
queries' weights and the flag is off, so that every runtime computes the same model.
"""

from typing import Literal

from pydantic import Field

from corpus.config import StageConfig

ExportFormat = Literal["folded", "faithful", "gguf-f16", "gguf-q8_0", "ct2-int8", "ct2-float32"]
DType = Literal["float32", "bfloat16", "float16"]

# Where each format lies below the export's directory.
PLACES: dict[ExportFormat, str] = {
    "folded": "folded",
    "faithful": "faithful",
    "gguf-f16": "gguf/model-f16.gguf",
    "gguf-q8_0": "gguf/model-q8_0.gguf",
    "ct2-int8": "ct2-int8",
    "ct2-float32": "ct2-float32",
}


class ExportConfig(StageConfig):
    """Configuration of `export`: a checkpoint to model files."""

    formats: tuple[ExportFormat, ...] = Field(("folded",), min_length=1, description="what to write")
    dtype: DType = Field("float32", description="numbers in the safetensors files")
    name: str = Field("corpuscle", pattern=r"^[\w.-]+$", description="name of the model in its files and its card")
