"""Survivor ranks: which of several duplicates stays, as columns of numbers that sort.

Smaller is better, and an earlier column outweighs all later ones: no notice about another paper; a full text with body;
then a citation that is joined by its ids to a full text in the corpus; not retracted; published rather than author
manuscript; the newest year; the newest version; the longest text; the lowest key. The key decides last, so no two
documents are equal and the policy gives one answer.

A document of another corpus (`other_ranks`) comes before all of these, so whatever resembles it goes; no pair of two of
them is verified, so all of them stay.
"""

from typing import Final

import numpy as np

from corpus.arrays.types import Keys, Mask, Numbers

# Each column, and what a smaller number in it means, for people.
RANK_COLUMNS: Final = (
    ("notice", "is the paper itself"),
    ("no full text", "has the full text"),
    ("not joined", "is joined to a full text"),
    ("retracted", "is not retracted"),
    ("manuscript", "is published, not a manuscript"),
    ("-year", "is newer"),
    ("-version", "is a newer version"),
    ("-length", "is longer"),
    ("doc_key", "has the smaller id"),
)


def rank_columns(
    *,
    doc_keys: Keys,
    notice: Mask,
    full_text: Mask,
    joined: Mask,
    retracted: Mask,
    manuscript: Mask,
    years: Numbers,
    versions: Numbers,
    lengths: Numbers,
) -> Numbers:
    """Return int64[num_docs, 9], one row a document, smaller = better; the columns are `RANK_COLUMNS`.

    All arrays are [num_docs]. A year that is not known is 0. `full_text` means a PMC article with a body, `joined` a
    citation whose full text is in the corpus; one is a `notice` (`corpus.dedup.notices`) if its full text is. Lengths
    are in any unit that is the same for all.
    """
    assert not len(doc_keys) or int(doc_keys.max()) < 1 << 63, "a document key fits in 62 bits"
    columns = (notice, ~full_text, ~joined, retracted, manuscript, -years, -versions, -lengths, doc_keys)
    return np.column_stack([column.astype(np.int64) for column in columns])


def other_ranks(doc_keys: Keys, num_columns: int = len(RANK_COLUMNS)) -> Numbers:
    """Return the ranks of documents of another corpus, int64[num_docs, num_columns]: before those of all of this.

    That holds where the first column of these is never negative.
    """
    ranks = np.zeros((len(doc_keys), num_columns), np.int64)
    ranks[:, 0], ranks[:, -1] = -1, doc_keys.astype(np.int64)
    return ranks


def rank_order(ranks: Numbers) -> Numbers:
    """Return the indices that put rows of ranks from best to worst."""
    return np.lexsort(ranks.T[::-1])


def rank_places(ranks: Numbers) -> Numbers:
    """Return the place of each row among all, 0 the best."""
    places = np.empty(len(ranks), np.int64)
    places[rank_order(ranks)] = np.arange(len(ranks))
    return places
