"""Revisions and deletions: a fold over every row that speaks of a document, in any order, to its latest state.

In: one fixed-width `KEY` row per record. Out: one `VERDICT` row per record. The key of the fold is the PMID, or
the PMCID for articles; the order is (file rank, position). A deletion removes every row of its PMID that
stands before it, in that file or an earlier one; of the rest the highest version wins, then the latest file.
Sub-articles share the fate of their article.
"""

import re
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from corpus import storage
from corpus.reasons import DropReason

PUBMED_ENTITY, PMC_ENTITY = 1 << 60, 2 << 60  # source tags
KEY = np.dtype(
    [
        ("entity", "<u8"),  # source tag and PMID or PMCID, without the version
        (
            "other",
            "<u8",
        ),  # of a retracted or marked record: the entity of its other id, if it states one; else 0
        ("version", "<u4"),  # plus `ALLOWED`, where that is asked for
        ("rank", "<u4"),  # of the input file, in the order in which NCBI's files apply
        ("position", "<u4"),  # of the record in its file
        ("part", "<u4"),  # where the record lies: records part and row
        ("row", "<u4"),
        ("sub_article", "u2"),  # the number of a sub-article in its article, 0 for all other records
        ("deletion", "u1"),
        ("article", "u1"),
        ("retracted", "u1"),
        ("marks", "u1"),  # what it says of its paper that a cut asks for (`corpus.assemble.cut`), bit by bit
    ]
)
VERDICT = np.dtype(
    [
        ("part", "<u4"),
        ("row", "<u4"),
        ("live_version", "<u4"),  # of the record that is alive for this entity; 0 when none is
        ("code", "u1"),
    ]
)


class RevisionStatus(IntEnum):
    """What the fold decided about one record."""

    LIVE = 0
    SUPERSEDED = 1
    OLDER_VERSION = 2
    DELETED = 3
    DELETION_NOTICE = 4
    REFUSED_VERSION = 5  # the newest, which may not be used where an older one may


DROP_REASONS = {
    RevisionStatus.SUPERSEDED: DropReason.SUPERSEDED,
    RevisionStatus.OLDER_VERSION: DropReason.OLDER_VERSION,
    RevisionStatus.DELETED: DropReason.DELETED,
    RevisionStatus.DELETION_NOTICE: DropReason.DELETION_NOTICE,
    RevisionStatus.REFUSED_VERSION: DropReason.LICENSE,
}

# There is a record that stands for these.
OUTDATED = (RevisionStatus.SUPERSEDED, RevisionStatus.OLDER_VERSION, RevisionStatus.REFUSED_VERSION)
ALLOWED = 1 << 24  # added to the version of an article that may be used, so that it wins over all that may not


def row_ids(rows: np.ndarray) -> npt.NDArray[np.uint64]:
    """Return the part and row of rows of `KEY` or `VERDICT` as one number each, uint64[num_rows]."""
    return rows["part"].astype(np.uint64) << np.uint64(32) | rows["row"]


def fold(keys: np.ndarray) -> np.ndarray:
    """Return the verdict of every key row; all rows of an entity must be present.

    keys: KEY[num_records], in any order. Returns VERDICT[num_records], ordered by (part, row).
    """
    verdicts = np.zeros(len(keys), VERDICT)
    if len(keys):
        order = np.lexsort((keys["row"], keys["part"], keys["position"], keys["rank"], keys["entity"]))
        rows = keys[order]
        verdicts["part"], verdicts["row"] = rows["part"], rows["row"]
        verdicts["code"], verdicts["live_version"] = _codes(rows)
    return verdicts[np.lexsort((verdicts["row"], verdicts["part"]))]


def _codes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (code, live version) of each row of rows sorted by (entity, rank, position)."""
    starts = np.flatnonzero(np.r_[True, rows["entity"][1:] != rows["entity"][:-1]])
    group = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(rows)]))
    index = np.arange(len(rows))
    deletion = rows["deletion"].astype(bool)
    last_deletion = np.full(len(starts), -1)
    np.maximum.at(last_deletion, group[deletion], index[deletion])
    alive = ~deletion & (index > last_deletion[group])
    # The winner of a group: the highest version, and among equals the last row.
    best_version = np.zeros(len(starts), np.uint32)
    np.maximum.at(best_version, group[alive], rows["version"][alive])
    top = alive & (rows["version"] == best_version[group])
    winner = np.full(len(starts), -1)
    whole = top & (rows["sub_article"] == 0)
    np.maximum.at(winner, group[whole], index[whole])

    codes = np.full(len(rows), RevisionStatus.SUPERSEDED, np.uint8)
    version, best = rows["version"] % ALLOWED, (best_version % ALLOWED)[group]
    codes[alive & (version < best)] = RevisionStatus.OLDER_VERSION
    codes[alive & (version > best)] = RevisionStatus.REFUSED_VERSION
    codes[~deletion & ~alive] = RevisionStatus.DELETED
    codes[deletion] = RevisionStatus.DELETION_NOTICE
    codes[winner[winner >= 0]] = RevisionStatus.LIVE
    # Rows are in the order of the files, where sub-articles follow their article.
    codes = codes[np.maximum.accumulate(np.where(rows["sub_article"] == 0, index, 0))]
    return codes, np.where(winner >= 0, best_version % ALLOWED, 0)[group]


_RANK = re.compile(r"pubmed(?:sample)?(\d\d)n(\d+)")


def file_rank(name: str) -> tuple[int, int, str]:
    """Return (year, number, name) of a PubMed file, by which later releases and update files come later.

    `pubmed26n1335.xml.gz` gives (2026, 1335, …); a name of another form gives (0, 0, name).
    """
    found = _RANK.match(storage.base_name(name))
    return (2000 + int(found[1]), int(found[2]), name) if found else (0, 0, name)
