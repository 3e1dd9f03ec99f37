"""Clusters by size, and the place of each document in its own: what a tag says beside the cluster."""

import numpy as np

from corpus.arrays.types import Keys, Numbers
from corpus.dedup.survivor_rank import rank_places


def cluster_places(clusters: Keys, ranks: Numbers) -> tuple[Numbers, Numbers]:
    """Return (size of its cluster, place in it from 0), int64[num_members] each, the best by survivor rank first.

    clusters: uint64[num_members], the key of each member's cluster; ranks: int64[num_members, num_columns], no two
    equal (`corpus.dedup.survivor_rank`).
    """
    if not len(clusters):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.lexsort((rank_places(ranks), clusters))
    together = clusters[order]
    first = np.searchsorted(together, together)  # of the own cluster
    sizes, places = np.empty(len(clusters), np.int64), np.empty(len(clusters), np.int64)
    sizes[order] = np.searchsorted(together, together, side="right") - first
    places[order] = np.arange(len(clusters)) - first
    return sizes, places
