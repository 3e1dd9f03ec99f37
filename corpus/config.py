"""The base of every stage's configuration, and the configurations of `extract` and `assemble`.

A configuration is one frozen pydantic model that serves the command line, the YAML file, the code, the
tests and the manifest. Fields made with `runtime` (places, worker counts) cannot change the bytes of the
output and stay out of the fingerprint; all others are its identity.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def runtime(default: Any, description: str, **limits: Any) -> Any:
    """Return a pydantic field that is left out of the stage's fingerprint."""
    return Field(default, description=description, json_schema_extra={"runtime": True}, **limits)


class StageConfig(BaseModel):
    """Frozen, closed configuration of one stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def identity(self) -> dict[str, Any]:
        """Return the fields that decide the bytes of the output, JSON-ready."""
        fields = type(self).model_fields
        skip = {
            name
            for name, field in fields.items()
            if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("runtime")
        }
        return self.model_dump(mode="json", exclude=skip)


Workers = Annotated[int, Field(ge=1, le=1024)]


class ExtractConfig(StageConfig):
    """Raw NCBI files to records. The inputs' own hashes are part of the fingerprint, their paths are not."""

    pubmed: tuple[str, ...] = runtime((), "PubMed files (.xml, .xml.gz), directories or globs")
    pmc: tuple[str, ...] = runtime((), "JATS files, directories, globs, tars, or an unpacked pmc-oa-opendata tree")
    articles_per_part: int = Field(500, ge=1, description="JATS articles in one Parquet part of a tar or tree")
    max_reject_rate: float = Field(
        0.001, ge=0, le=1, description="share of rejected records above which the stage fails"
    )
    workers: Workers = runtime(1, "local worker processes")


class AssembleConfig(StageConfig):
    """Records to deduplicated corpus shards."""

    profile: Literal["clean"] = Field("clean", description="rendering profile")
    threshold: float = Field(
        0.8, gt=0, le=1, description="Jaccard similarity of word 5-shingles that makes a duplicate"
    )
    validation: float = Field(0.005, ge=0, lt=1, description="share of clusters held out for validation")
    seed: int = Field(0, ge=0, description="seed of the shard order and of the split")
    min_words: int = Field(10, ge=0, description="documents with fewer words are dropped as too_short")
    shard_mb: int = Field(128, ge=1, description="aimed-at text per shard, 10^6 bytes")
    workers: Workers = runtime(1, "local worker processes")
