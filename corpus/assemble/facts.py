"""Facts of `assemble`: the names of the numbers in its manifest's summary, what each counts and who counts it.

Numbers of many tasks are added up by the commit, so every name counts; a name with a split, source or kind in it is
made here, for those who write it and for those who read it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from corpus.stage.license_table import add_licenses, total_of

# `pipelines.assemble.steps.Resolve`, over the whole corpus
VERIFIED_PAIRS: Final = "verified_pairs"  # pairs of documents whose texts were compared and are alike
TWINS_KEPT_APART: Final = "twins_kept_apart"  # pairs as alike, with a difference in wording that tells two papers apart
ABSTRACTS_BESIDE_FULL_TEXTS: Final = "abstracts_beside_full_texts"  # of citations whose full text does not hold them
# `corpus.assemble.contamination`: what was looked for (once), what was found (each records part)
EVALUATION_ITEMS: Final = "evaluation_items"
EVALUATION_ITEMS_BY_ID_ONLY: Final = "evaluation_items_by_id_only"  # too short for an n-gram
EVALUATION_WORDS: Final = "evaluation_words"  # length of the n-grams
CONTAMINATION_PAIRS_BY_ID: Final = "contamination_pairs_by_id"
CONTAMINATION_PAIRS_BY_NGRAM: Final = "contamination_pairs_by_ngram"
CONTAMINATED_DOCUMENTS: Final = "contaminated_documents"
# `corpus.assemble.personal`, each records part; what is found in documents that are dropped later counts too
DOCUMENTS_WITH_PERSONAL_DATA: Final = "documents_with_personal_data"
PERSONAL_DATA: Final = "personal_data_"
# `corpus.assemble.shards.place`, each records part
ABSTRACTS_THE_PILE_RULE_DROPS: Final = "abstracts_the_pile_rule_drops"  # kept here; The Pile drops any with a PMC id

# `corpus.assemble.shards.write_shard`, each shard: documents and text_bytes by split, source and licence
LICENSES: Final = "licenses"


def personal_data(kind: str) -> str:
    """Pieces of personal data of one kind: `corpus.assemble.personal.place_personal_data`, each records part."""
    return f"{PERSONAL_DATA}{kind}"


def documents(split: str, source: str | None = None) -> str:
    """Documents of a split, or those of one source in it: `corpus.assemble.shards.write_shard`, each shard."""
    return f"{split}_documents" if source is None else f"{split}_documents_{source}"


def text_bytes(split: str) -> str:
    """UTF-8 bytes of text of a split: `corpus.assemble.shards.write_shard`, each shard."""
    return f"{split}_text_bytes"


def shards(split: str) -> str:
    """Shards of a split, where it has any: `corpus.assemble.splits.Shards`."""
    return f"{split}_shards"


def shard_bytes(split: str, which: Literal["min", "max"]) -> str:
    """UTF-8 bytes of text of the smallest or largest shard of a split: `corpus.assemble.splits.Shards`."""
    return f"{split}_shard_bytes_{which}"


ID_CONFLICTS: Final = "id_conflicts_"


def id_conflicts(kind: str) -> str:
    """Conflicts of ids of one kind: `corpus.assemble.id_conflicts.conflict_counts`."""
    return f"{ID_CONFLICTS}{kind}"


def full_text_found_by(name: str) -> str:
    """Citations whose full text was found by one id (pmcid, pmid, doi): `pipelines.assemble.steps.Resolve`."""
    return f"full_text_found_by_{name}"


def added_up(facts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums of the numbers of many tasks, by name; the licences only if they are those of all documents.

    A shard that an older version wrote before it was killed does not say its licences.
    """
    total: dict[str, Any] = {}
    for name, value in (pair for one in facts for pair in one.items()):
        if name == LICENSES:
            tables = total.setdefault(name, {})
            tables.update({split: add_licenses([tables.get(split, {}), table]) for split, table in value.items()})
        else:
            total[name] = total.get(name, 0) + value
    splits = total.get(LICENSES, {}).items()
    if any(total_of(table, "documents") != total[documents(split)] for split, table in splits):
        del total[LICENSES]
    return dict(sorted(total.items()))
