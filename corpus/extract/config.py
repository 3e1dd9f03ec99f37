"""The configuration of `extract`."""

from pydantic import Field

from corpus.config import StageConfig, Workers, runtime

REVISION = 1  # raise it when the same input gives other bytes


class ExtractConfig(StageConfig):
    """Raw NCBI files to records. The inputs' own hashes are part of the fingerprint, their paths are not."""

    pubmed: tuple[str, ...] = runtime((), "PubMed files (.xml, .xml.gz), directories or globs")
    pmc: tuple[str, ...] = runtime((), "JATS files, directories, globs, tars, or an unpacked pmc-oa-opendata tree")
    articles_per_part: int = Field(500, ge=1, description="JATS articles in one Parquet part of a tar or tree")
    max_reject_rate: float = Field(
        0.001, ge=0, le=1, description="share of rejected records above which the stage fails"
    )
    pile: bool = Field(False, description="also make the text that The Pile's scripts made, for `profile: pile`")
    workers: Workers = runtime(1, "local worker processes")
