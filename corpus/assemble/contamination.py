"""Decontamination: the items of evaluation sets that are found in documents, by id and by n-gram.

By id: a document whose PMID, PMC id or DOI an item names is the very paper that the question was made from. By
n-gram: a document that holds at least `share` of the runs of n words of one of an item's texts. n follows GPT-3 (Brown
et al. 2020, appendix C): the 5th percentile of the texts' lengths in words, but at least 8 and at most 13; texts with
fewer words are found by id only, for a run of a few words stands everywhere.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from corpus.arrays.columns import among
from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import Hashes, Numbers
from corpus.assemble import facts
from corpus.assemble.config import AssembleConfig
from corpus.assemble.evaluation_sets import Item, find_evaluation_files, read_hashed_evaluation
from corpus.dedup.shingles import normalize, word_grams
from corpus.errors import RetryError
from corpus.stage.manifest import Input, Part
from corpus.stage.workspace import WORK, Workspace
from corpus.storage import parquet
from corpus.storage.schema import to_table

MIN_WORDS, MAX_WORDS, PERCENTILE = 8, 13, 5
_IDS: Final = ("pmid", "pmcid", "doi")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contamination:
    """One evaluation item that was found in one document."""

    doc_id: str
    source: str
    file: str  # base name of the evaluation file
    item: str  # the item's own id, else its line number
    by: str  # pmid, pmcid, doi or ngram
    found: int  # of the item's text that the document holds; 0 when found by id [runs of words]
    of: int  # of that text [runs of words]
    text: str  # the beginning of that text


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationIndex:
    """The items of all evaluation files, ready to be looked up."""

    items: tuple[Item, ...]
    inputs: tuple[Input, ...]  # the files as a manifest states them, by the bytes that were read
    words: int  # n of the n-grams
    owners: Numbers  # [num_texts] that have an n-gram: the item of each
    texts: tuple[str, ...]  # [num_texts]
    sizes: Numbers  # [num_texts]: distinct n-grams of each
    grams: Hashes  # [num_grams], ascending and distinct
    starts: Numbers  # [num_grams + 1]: gram g stands in the texts holders[starts[g]:starts[g + 1]]
    holders: Numbers

    @property
    def digest(self) -> str:
        """Return one SHA-256 for the contents of the files, whatever their order."""
        return hashlib.sha256(" ".join(sorted(one.fingerprint for one in self.inputs)).encode()).hexdigest()

    @property
    def num_short(self) -> int:
        """Return the number of items that can be found by id only."""
        return len(self.items) - len(np.unique(self.owners[self.sizes > 0]))


def load_index(paths: tuple[str, ...], words: int | None) -> EvaluationIndex:
    """Return the index of some files and folders of them; `words` replaces the rule for n.

    Raises UsageError for what is no evaluation set.
    """
    files = tuple(find_evaluation_files(paths))
    return _load_index(files, tuple(map(storage.version, files)), words)


@lru_cache(maxsize=2)
def _load_index(paths: tuple[str, ...], _versions: tuple[str, ...], words: int | None) -> EvaluationIndex:
    read = [read_hashed_evaluation(path) for path in paths]
    items = [item for found, _ in read for item in found]
    owners = np.array([number for number, item in enumerate(items) for _ in item.texts], np.int64)
    texts = [text for item in items for text in item.texts]
    normal = normalize(pa.array(texts, pa.large_string()))
    size = words or _gram_words(np.diff(word_grams(normal, 1)[1]))
    hashes, offsets = word_grams(normal, size)
    text_of = np.repeat(np.arange(len(texts)), np.diff(offsets))
    pairs = np.zeros(len(hashes), [("gram", "<u8"), ("text", "<i8")])
    pairs["gram"], pairs["text"] = hashes, text_of
    pairs = np.unique(pairs)
    grams, starts = np.unique(pairs["gram"], return_index=True)
    return EvaluationIndex(
        items=tuple(items),
        inputs=tuple(
            Input(name=f"evaluation {storage.readable_name(path)}", fingerprint=digest)
            for path, (_, digest) in zip(paths, read, strict=True)
        ),
        words=size,
        owners=owners,
        texts=tuple(texts),
        sizes=np.bincount(pairs["text"], minlength=len(texts)),
        grams=grams,
        starts=np.append(starts, len(pairs)).astype(np.int64),
        holders=pairs["text"].astype(np.int64),
    )


def stated_index(config: AssembleConfig, workspace: Workspace) -> EvaluationIndex | None:
    """Return the index of the evaluation sets that the workspace states as inputs, None without any.

    Raises RetryError when a file is not the one any more that was stated.
    """
    if not config.evaluation:
        return None
    index = load_index(config.evaluation, config.evaluation_words)
    if changed := sorted({one.name for one in set(index.inputs).difference(workspace.inputs)}):
        said = "changed after the start; nothing was committed, run the same command again"
        raise RetryError(f"{', '.join(changed)}: {said}")
    return index


def _gram_words(lengths: Numbers) -> int:
    """Return n for texts of these lengths in words."""
    usual = int(np.percentile(lengths, PERCENTILE)) if len(lengths) else MIN_WORDS
    return min(max(usual, MIN_WORDS), MAX_WORDS)


def evaluation_facts(index: EvaluationIndex | None) -> dict[str, int]:
    """Return what was looked for, for the manifest; nothing where there is no evaluation set."""
    if index is None:
        return {}
    return {
        facts.EVALUATION_ITEMS: len(index.items),
        facts.EVALUATION_ITEMS_BY_ID_ONLY: index.num_short,
        facts.EVALUATION_WORDS: index.words,
    }


def find_contamination(table: pa.Table, index: EvaluationIndex, *, share: float) -> pa.Table:
    """Return the rows of `Contamination` for some documents, in their order; an item once by id and once by n-gram.

    table: columns doc_id, source, pmid, pmcid, doi and text; share: of a text's distinct n-grams, in (0, 1].
    """
    rows = sorted([*_by_id(table, index), *_by_gram(table, index, share)])
    ids, sources = (table.column(name).to_pylist() for name in ("doc_id", "source"))
    return to_table(
        [
            Contamination(
                doc_id=ids[row],
                source=sources[row],
                file=index.items[item].file,
                item=index.items[item].name,
                by=by,
                found=found,
                of=of,
                text=index.texts[text][:100] if text >= 0 else "",
            )
            for row, item, by, found, of, text in rows
        ],
        Contamination,
    )


Hit = tuple[int, int, str, int, int, int]  # row, item, by what, n-grams found, of how many, text


def _by_id(table: pa.Table, index: EvaluationIndex) -> list[Hit]:
    """Return a hit for each document and item that share an id; the first kind of id counts."""
    found: dict[tuple[int, int], str] = {}
    for name in _IDS:
        wanted: dict[object, list[int]] = {}
        for number, item in enumerate(index.items):
            for value in getattr(item, f"{name}s"):
                wanted.setdefault(value, []).append(number)
        if not wanted:
            continue
        column = table.column(name)
        rows = np.flatnonzero(among(column, list(wanted)))
        for row in rows.tolist():
            for number in wanted[column[row].as_py()]:
                found.setdefault((row, number), name)
    return [(row, item, by, 0, 0, -1) for (row, item), by in found.items()]


def _by_gram(table: pa.Table, index: EvaluationIndex, share: float) -> list[Hit]:
    """Return a hit for each document that holds one of an item's texts to the share asked for; the best text counts."""
    hashes, offsets = word_grams(normalize(table.column("text")), index.words)
    places = index_in_sorted(hashes, index.grams)
    hit = np.flatnonzero(places >= 0)
    rows = np.searchsorted(offsets, hit, side="right") - 1
    pairs = np.unique(np.column_stack([rows, places[hit]]), axis=0)
    spans = index.starts[pairs[:, 1] + 1] - index.starts[pairs[:, 1]]
    ends = np.cumsum(spans)
    at = (
        np.arange(ends[-1] if len(ends) else 0)
        - np.repeat(ends - spans, spans)
        + np.repeat(index.starts[pairs[:, 1]], spans)
    )
    held, counts = np.unique(
        np.column_stack([np.repeat(pairs[:, 0], spans), index.holders[at]]), axis=0, return_counts=True
    )
    best: dict[tuple[int, int], Hit] = {}
    for (row, text), count in zip(held.tolist(), counts.tolist(), strict=True):
        of, item = int(index.sizes[text]), int(index.owners[text])
        if count >= share * of and ((row, item) not in best or count > best[row, item][3]):
            best[row, item] = (row, item, "ngram", count, of, text)
    return list(best.values())


def place_report(part: int, stem: str, workspace: Workspace) -> tuple[Part, dict[str, int]]:
    """Write what was found in one records part among the results; return its place in the manifest, and counts."""
    found = parquet.read_table(workspace.path(f"{WORK}/contamination/{stem}.parquet"))
    name = f"contamination/part-{part:05d}.parquet"
    parquet.write_table(workspace.path(name), found)
    by_id = found.filter(pc.not_equal(found.column("by"), "ngram"))
    counts = {
        facts.CONTAMINATION_PAIRS_BY_ID: by_id.num_rows,
        facts.CONTAMINATION_PAIRS_BY_NGRAM: found.num_rows - by_id.num_rows,
        facts.CONTAMINATED_DOCUMENTS: pc.count_distinct(found.column("doc_id")).as_py(),
    }
    return workspace.measure(name, role="contamination", rows=found.num_rows), counts
