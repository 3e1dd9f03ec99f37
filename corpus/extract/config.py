"""The configuration of `extract`."""

from typing import Any

from corpus.config import GivenPath, MachineShare, StageConfig, Workers, runtime, setting, share_of

REVISION = 7  # raise it when the same input gives other bytes


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
    metadata: bool = setting(
        False,
        "also write authors, references, MeSH, grants, journals and dates as tables beside the records",
        group="output",
    )
    shard: MachineShare | None = runtime(
        None,
        "part i/n of the inputs, one a machine; `corpuscle join` makes one result of all",
        group="input",
        metavar="I/N",
    )
    workers: Workers = runtime(1, "local worker processes, at most: as many as the work pays for", group="running")

    def identity(self) -> dict[str, Any]:
        """Return the fields that decide the bytes; a setting that came later leaves no trace where it is off."""
        found = super().identity()
        return found if self.metadata else {name: value for name, value in found.items() if name != "metadata"}

    def shard_number(self) -> tuple[int, int]:
        """Return which part of how many this is: 1 of 1 without `shard`."""
        return share_of(self.shard or "1/1")
