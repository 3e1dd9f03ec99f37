"""The configuration of `extract`."""

from corpus.config import GivenPath, StageConfig, Workers, runtime, setting

REVISION = 3  # raise it when the same input gives other bytes


class ExtractConfig(StageConfig):
    """Raw NCBI files to records. The inputs' own hashes are part of the fingerprint, their paths are not."""

    pubmed: tuple[GivenPath, ...] = runtime(
        (), "PubMed files (.xml, .xml.gz), directories or globs", group="input", metavar="PATH..."
    )
    pmc: tuple[GivenPath, ...] = runtime(
        (),
        "JATS files, directories, globs, tars, or an unpacked pmc-oa-opendata tree",
        group="input",
        metavar="PATH...",
    )
    articles_per_part: int = setting(500, "JATS articles in one Parquet part of a tar or tree", group="output", ge=1)
    max_reject_rate: float = setting(
        0.001,
        "share of rejected records above which the stage fails; of fewer than 1,000 records 3 may be rejected",
        group="running",
        ge=0,
        le=1,
    )
    pile: bool = setting(False, "also make the text that The Pile's scripts made, for `profile: pile`", group="output")
    workers: Workers = runtime(1, "local worker processes, at most: as many as the work pays for", group="running")
