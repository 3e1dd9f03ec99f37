"""Retractions carried over: what PubMed says of a citation holds for its article, and the other way round.

A paper is retracted, not a record. The two sources learn of it at different times: a baseline is a year old when the
bucket's JSON is of today, and an update file marks a citation whose article was fetched last month. Without this an
abstract would stay whose article is dropped as retracted. Only a record that is alive speaks, and only by its own ids.
A list of retractions (`corpus.assemble.retraction_watch`) speaks through the records that it names, by DOI too.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.arrays.columns import bools, numbers
from corpus.arrays.lookup import index_in_sorted
from corpus.assemble.updates import PMC_ENTITY, PUBMED_ENTITY, RevisionStatus, row_ids

Entities = npt.NDArray[np.uint64]


def retracted_entities(keys: np.ndarray, verdicts: np.ndarray) -> Entities:
    """Return the entities, ascending and distinct, that the retracted records which are alive name: own and other.

    keys: KEY[num_records] in any order; verdicts: VERDICT[num_records], ordered by (part, row), of the same records.
    """
    spoken = keys[keys["retracted"] == 1]
    at = index_in_sorted(row_ids(spoken), row_ids(verdicts))
    spoken = spoken[verdicts["code"][at] == RevisionStatus.LIVE]
    named = np.unique(np.concatenate([spoken["entity"], spoken["other"]]))
    return named[named > 0]


def retracted_rows(records: pa.Table | pa.RecordBatch, entities: Entities) -> npt.NDArray[np.bool_]:
    """Return bool[num_rows]: whether a record's PMID or PMC id is among some entities, ascending."""
    rows = np.zeros(records.num_rows, bool)
    for name, tag in (("pmid", PUBMED_ENTITY), ("pmcid", PMC_ENTITY)):
        rows |= index_in_sorted(np.uint64(tag) | numbers(records.column(name)), entities) >= 0
    return rows


def mark_retracted(batch: pa.RecordBatch, rows: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """Return records with `retracted` also true where `rows`, bool[num_records], says so."""
    if not rows.any():
        return batch
    place = batch.schema.get_field_index("retracted")
    return batch.set_column(place, batch.schema.field(place), pa.array(bools(batch.column(place)) | rows))
