"""How many dead letters a job may have: a share of what it read, and a few of a small job."""

from typing import Final

from corpus.stage.manifest import Books

# A share says little of few records: it counts from so many on, and fewer may have so many rejects whatever it is.
# Damage at its usual rate gives a job of that size one or two, a reader that fails on a kind of file gives many more.
SHARE_FROM: Final = 1000
FEW_REJECTS: Final = 3


def allowed_rejects(books: Books, rate: float) -> float:
    """Return how many rejects a job may have: a share of its records; of a small job a few, but not more than it kept.

    A share of 0 allows none in any job.
    """
    share = rate * books.read
    if books.read >= SHARE_FROM or rate == 0:
        return share
    return max(share, min(FEW_REJECTS, books.kept))
