"""The settings that every stage with a search for duplicates has, spelled once.

Each function returns a new field for a configuration: `threshold: float = threshold_setting()`.
"""

from typing import Any

from corpus.config import runtime, setting


def threshold_setting() -> Any:
    """Return the field of the similarity that makes a duplicate."""
    return setting(0.8, "Jaccard similarity of word 5-shingles that makes a duplicate", group="duplicates", gt=0, le=1)


def containment_setting() -> Any:
    """Return the field of the share of the smaller text that makes one too."""
    return setting(
        None,
        "also a duplicate: this share of the smaller text's word 5-shingles stands in the larger, of pairs that the "
        "bands propose; off when not given",
        group="duplicates",
        gt=0,
        le=1,
    )


def against_setting() -> Any:
    """Return the field of another corpus, whose texts are searched too and never kept."""
    return runtime(
        (),
        "another corpus (Parquet, JSON lines, .gz, .zst): near and exact duplicates of its texts are dropped; "
        "it is only read",
        group="duplicates",
        metavar="DIR",
    )


def against_text_setting() -> Any:
    """Return the field of where the texts of that corpus stand."""
    return runtime("text", "column or key of the texts of `--against`", group="duplicates", metavar="NAME")


def against_id_setting() -> Any:
    """Return the field of where its ids stand."""
    return runtime(
        None,
        "column or key of the ids of `--against`; doc_id or id when not given, file and row where neither is there",
        group="duplicates",
        metavar="NAME",
    )
