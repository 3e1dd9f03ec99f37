"""The configuration of `dedup`."""

from typing import Literal

from pydantic import field_validator

from corpus.assemble.duplicate_settings import (
    against_id_setting,
    against_setting,
    against_text_setting,
    containment_setting,
    threshold_setting,
)
from corpus.config import GivenPath, StageConfig, Workers, runtime, setting
from corpus.foreign.survivor_order import parse_rule

TAGS = ("duplicate", "cluster", "cluster_size", "cluster_rank", "cluster_score")
REVISION = 1  # raise it when the same input gives other bytes


class DedupConfig(StageConfig):
    """Anyone's JSON lines and Parquet without their duplicates."""

    text_key: str = setting(
        "text", "key or column of the text; a.b is the key b inside of a", group="input", metavar="KEY", min_length=1
    )
    id_key: str = setting(
        "id",
        'key or column of the id; a document without one goes by its file and line, and so do all with ""',
        group="input",
        metavar="KEY",
    )
    threshold: float = threshold_setting()
    containment: float | None = containment_setting()
    twins: Literal["apart", "merge"] = setting(
        "apart",
        "near texts that differ in a gene, a dose, a number, a negation, and notices such as errata: keep them apart, "
        "as `assemble` does, or let similarity alone decide",
        group="duplicates",
    )
    duplicates: Literal["drop", "tag"] = setting(
        "drop",
        "leave them out, or keep all and add the fields duplicate, cluster, cluster_size, cluster_rank, cluster_score",
        group="duplicates",
    )
    tag_prefix: str = setting("", "put before the names of the fields that `tag` adds", group="duplicates")
    keep: tuple[str, ...] = setting(
        ("first",),
        "which of several duplicates stays: first, longest, newest:KEY (dates or numbers), priority:KEY (the smallest "
        "number) or priority:KEY=a,b,c (in this order); given again, it decides between equals, and at last the "
        "first by file name and line does",
        group="duplicates",
        metavar="ORDER",
    )
    against: tuple[GivenPath, ...] = against_setting()
    against_text: str = against_text_setting()
    against_id: str | None = against_id_setting()
    max_reject_rate: float = setting(
        0.001,
        "share of lines without a readable text above which the stage fails; of fewer than 1,000 lines 3 may be",
        group="running",
        ge=0,
        le=1,
    )
    workers: Workers = runtime(1, "local worker processes, at most: as many as the work pays for", group="running")

    @field_validator("keep")
    @classmethod
    def _are_rules(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        for text in keep:
            parse_rule(text)
        return keep

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the names of the fields that `tag` adds, of `corpus.foreign.decisions.TAG_COLUMNS`; none else."""
        if self.duplicates == "drop":
            return ()
        return tuple(self.tag_prefix + name for name in TAGS)
