"""Configuration of `export`, and the table of its formats; light, so that the command line can import it.

`faithful` keeps BioMedLM's `scale_attn_by_inverse_layer_idx`, which llama.cpp, CTranslate2 and transformers
before 2026-03 (issue 44380) ignore without a word. All other formats are *folded*: the scale is inside the
queries' weights and the flag is off, so that every runtime computes the same model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator

from corpus.config import StageConfig, setting

ExportFormat = Literal["folded", "faithful", "gguf-f16", "gguf-q8_0", "ct2-int8", "ct2-float32"]
DType = Literal["float32", "bfloat16", "float16"]


# Versions in which exports were held against the trained model. The model card names no other; the last of each is the
# installed one, in which the tests run them.
TRIED: Mapping[str, tuple[str, ...]] = {
    "transformers": ("4.40.2", "4.57.3", "5.23.0"),
    "xllamacpp": ("2026.10.11549",),  # llama.cpp as a wheel
    "ctranslate2": ("4.8.5",),
}


def _tried(library: str, *, newest: bool = False) -> str:
    """Return the versions of a library that were tried, as a card writes them."""
    return ", ".join(f"`{version}`" for version in TRIED[library][-1 if newest else 0 :])


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """Format of an export: who writes and reads it, its files, and how near to the checkpoint it must come.

    `tolerance` is the mean difference of a token's log-probability, nats, from which a format is no longer the model
    that was trained. Seen on models far from their initial weights: fp32 below 1e-5, F16 0.002, GGUF's 8 bits 0.04,
    CTranslate2's 0.06; without the layer scale 0.28.
    """

    family: Literal["transformers", "gguf", "ct2"]
    numbers: str  # the family's name of how weights are stored; `dtype` of the configuration for transformers
    path: str  # file or folder, below the export's directory
    tolerance: float
    preference: int  # what `generate` opens when no format is asked for is the lowest there: the fastest on a CPU
    module: str | None = None  # library without which it cannot be written
    used_by: str  # for the model card


FORMATS: Mapping[ExportFormat, Format] = {
    "folded": Format(
        family="transformers",
        numbers="dtype",
        path="folded",
        tolerance=1e-3,
        preference=3,
        used_by=f"transformers (tried: {_tried('transformers')}), and whatever converts from it",
    ),
    "faithful": Format(
        family="transformers",
        numbers="dtype",
        path="faithful",
        tolerance=1e-3,
        preference=4,
        used_by=f"transformers (tried: {_tried('transformers', newest=True)}); the others take `folded`: the flag "
        "`scale_attn_by_inverse_layer_idx` is on, and runtimes that ignore it compute another model",
    ),
    "gguf-f16": Format(
        family="gguf",
        numbers="f16",
        path="gguf/model-f16.gguf",
        tolerance=0.02,
        preference=6,
        module="gguf",
        used_by=f"llama.cpp (tried: xllamacpp {_tried('xllamacpp')}) and what is built on it",
    ),
    "gguf-q8_0": Format(
        family="gguf",
        numbers="q8_0",
        path="gguf/model-q8_0.gguf",
        tolerance=0.1,
        preference=5,
        module="gguf",
        used_by=f"llama.cpp (tried: xllamacpp {_tried('xllamacpp')}) and what is built on it, 8-bit weights",
    ),
    "ct2-int8": Format(
        family="ct2",
        numbers="int8",
        path="ct2-int8",
        tolerance=0.1,
        preference=1,
        module="ctranslate2",
        used_by=f"CTranslate2 (tried: {_tried('ctranslate2')}) on a CPU, 8-bit weights; `corpuscle generate`",
    ),
    "ct2-float32": Format(
        family="ct2",
        numbers="float32",
        path="ct2-float32",
        tolerance=1e-3,
        preference=2,
        module="ctranslate2",
        used_by=f"CTranslate2 (tried: {_tried('ctranslate2')})",
    ),
}


# The int8 product of an export made before this revision of the stage is another model on a CPU without VNNI.
SAFE_INT8_REVISION = 2


class ExportConfig(StageConfig):
    """Configuration of `export`: a checkpoint to model files."""

    formats: tuple[ExportFormat, ...] = setting(
        ("folded",),
        "what to write, for transformers (folded, faithful), llama.cpp (gguf-*), CTranslate2 (ct2-*); all: all of them",
        option="--format",
        group="output",
        min_length=1,
    )
    dtype: DType = Field("float32", description="numbers in the safetensors files")
    name: str = Field("corpuscle", pattern=r"^[\w.-]+$", description="name of the model in its files and its card")

    @field_validator("formats", mode="before")
    @classmethod
    def _spelled_out(cls, formats: Any) -> Any:
        return tuple(FORMATS) if "all" in formats else tuple(dict.fromkeys(formats))
