"""The cut: which papers a corpus is asked to hold, by metadata and by lists of ids; decided before every other rule.

A *paper* is a citation and its article together, joined by the PMID and PMC id that they state of themselves, as it
is for retractions: NLM's headings and publication types stand in the citation alone, JATS's type in the article alone,
and a list may name one of the two. So each record that is alive says of its paper what the cut asks for, as bits
(`own_marks`); the fold carries them to the paper's other records (`paper_marks`, `row_marks`); and each record is cut
by what it states itself or was told (`cut_codes`). Years and journals stand in both and are each record's own.
A sub-article follows its article, but for the type, which it states itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.arrays.columns import equals, list_rows, numbers
from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import Mask
from corpus.assemble.config import AssembleConfig, WhereConfig
from corpus.assemble.inputs import StoredParts
from corpus.assemble.paper_ids import PaperIds, read_paper_ids
from corpus.assemble.retraction_watch import read_retractions
from corpus.assemble.updates import PMC_ENTITY, PUBMED_ENTITY, RevisionStatus, row_ids
from corpus.errors import RetryError, UsageError, list_problems
from corpus.licenses import Use
from corpus.reasons import DropReason
from corpus.records import Kind
from corpus.stage.manifest import Input
from corpus.stage.workspace import Workspace
from corpus.storage import parquet

Marks = npt.NDArray[np.uint8]
Cuts = npt.NDArray[np.int8]  # [num_records]: positions in `CUT_REASONS`, -1 for none
PAPER_MARK: Final = np.dtype([("entity", "<u8"), ("marks", "u1")])
LISTED: Final = 1
EXCLUDED: Final = 2
MESH: Final = 4
PUBLICATION_TYPE: Final = 8
JATS_TYPE: Final = 16
_LISTS: Final = LISTED | EXCLUDED
# The reasons in their order: a paper that a list forbids is named so, whatever else is wrong with it.
CUT_REASONS: Final = (
    DropReason.EXCLUDED,
    DropReason.NOT_LISTED,
    DropReason.YEAR,
    DropReason.JOURNAL,
    DropReason.MESH,
    DropReason.PUBLICATION_TYPE,
    DropReason.JATS_TYPE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Term:
    """A choice by a word: of which setting, in which column of records, and the bit and the reason of its cut."""

    setting: str
    column: str
    reason: DropReason
    mark: int  # 0: each record's own


_TERMS: Final = (
    _Term(setting="journal", column="journal", reason=DropReason.JOURNAL, mark=0),
    _Term(setting="mesh", column="mesh", reason=DropReason.MESH, mark=MESH),
    _Term(
        setting="publication_type",
        column="publication_types",
        reason=DropReason.PUBLICATION_TYPE,
        mark=PUBLICATION_TYPE,
    ),
    _Term(setting="jats_type", column="article_type", reason=DropReason.JATS_TYPE, mark=JATS_TYPE),
)


def _asked(where: WhereConfig) -> Iterator[tuple[_Term, frozenset[str]]]:
    """Yield the terms that are asked for, folded: capital letters are those of whoever typed them."""
    for term in _TERMS:
        if words := getattr(where, term.setting):
            yield term, frozenset(map(str.casefold, words))


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """What a corpus is cut to, with the lists of papers read, None where none is given."""

    where: WhereConfig
    listed: PaperIds | None = None
    excluded: PaperIds | None = None
    withdrawn: PaperIds | None = None  # retracted, as Retraction Watch says
    use: Use = "any"  # of articles, the newest version that allows this is taken

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Return the lists as inputs of the stage."""
        named = (("ids", self.listed), ("exclude", self.excluded), ("retractions", self.withdrawn))
        return tuple(Input(name=name, fingerprint=ids.digest) for name, ids in named if ids is not None)

    @property
    def columns(self) -> list[str]:
        """Return the columns of records, beside those of keys, that `own_marks` reads; none where it says nothing."""
        terms = [term.column for term, _ in _asked(self.where) if term.mark]
        return [*(["doi"] if self.inputs else []), *(["license"] if self.use != "any" else []), *terms]


NO_CUT: Final = Cut(where=WhereConfig())
NO_MARKS: Final = np.zeros(0, PAPER_MARK)


def read_cut(config: AssembleConfig) -> Cut:
    """Return a cut with its lists; raises UsageError for one that cannot be read."""
    where = config.where
    return Cut(
        where=where,
        listed=read_paper_ids(where.ids, "--ids") if where.ids else None,
        excluded=read_paper_ids(where.exclude, "--exclude") if where.exclude else None,
        withdrawn=read_retractions(config.retractions) if config.retractions else None,
        use=config.license if config.article_version == "newest-allowed" else "any",
    )


def stated_cut(config: AssembleConfig, workspace: Workspace) -> Cut:
    """Return the cut whose lists the workspace states as inputs; raises RetryError when one has changed since."""
    cut = read_cut(config)
    if changed := sorted(f"--{one.name}" for one in set(cut.inputs).difference(workspace.inputs)):
        said = "changed after the start; nothing was committed, run the same command again"
        raise RetryError(f"{', '.join(changed)}: a list of papers {said}")
    return cut


def own_marks(table: pa.Table, cut: Cut) -> Marks:
    """Return what each record says of its paper, uint8[num_rows]; table: columns of keys and `Cut.columns`."""
    marks = np.zeros(table.num_rows, np.uint8)
    for ids, mark in ((cut.listed, LISTED), (cut.excluded, EXCLUDED)):
        if ids is not None:
            marks[ids.rows(table)] |= mark
    for term, words in _asked(cut.where):
        if term.mark:
            marks[_holds(table.column(term.column), words)] |= term.mark
    marks[equals(table.column("kind"), Kind.SUB_ARTICLE)] &= _LISTS  # its type is not its article's
    return marks


def paper_marks(keys: np.ndarray, verdicts: np.ndarray) -> np.ndarray:
    """Return PAPER_MARK[num_entities], ascending and distinct: what the records that are alive say of their papers.

    keys: KEY[num_records] in any order; verdicts: VERDICT[num_records], ordered by (part, row), of the same records.
    A citation's own entity is told of lists only: half of PubMed has the heading Humans.
    """
    spoken = keys[keys["marks"] > 0]
    at = index_in_sorted(row_ids(spoken), row_ids(verdicts))
    spoken = spoken[verdicts["code"][at] == RevisionStatus.LIVE]
    own, other = (np.zeros(len(spoken), PAPER_MARK) for _ in range(2))
    own["entity"], other["entity"] = spoken["entity"], spoken["other"]
    own["marks"] = np.where(spoken["article"] == 1, spoken["marks"], spoken["marks"] & _LISTS)
    other["marks"] = np.where(spoken["other"] > 0, spoken["marks"], 0)
    return merged_marks(np.concatenate([own, other]))


def merged_marks(marks: np.ndarray) -> np.ndarray:
    """Return PAPER_MARK rows ascending, one an entity with all its bits."""
    marks = marks[marks["marks"] > 0]
    marks = marks[np.argsort(marks["entity"], kind="stable")]
    entities, starts = np.unique(marks["entity"], return_index=True)
    merged = np.zeros(len(entities), PAPER_MARK)
    merged["entity"] = entities
    if len(entities):
        merged["marks"] = np.bitwise_or.reduceat(marks["marks"], starts)
    return merged


def row_marks(records: pa.Table | pa.RecordBatch, marks: np.ndarray) -> Marks:
    """Return what is said of each record's paper, uint8[num_rows]; marks: of `paper_marks`, records: keys."""
    told = np.zeros(records.num_rows, np.uint8)
    for name, tag in (("pmid", PUBMED_ENTITY), ("pmcid", PMC_ENTITY)) if len(marks) else ():
        at = index_in_sorted(np.uint64(tag) | numbers(records.column(name)), marks["entity"])
        told |= np.where(at >= 0, marks["marks"][at], 0).astype(np.uint8)
    sub_articles = equals(records.column("kind"), Kind.SUB_ARTICLE)
    told[sub_articles] &= 0xFF ^ JATS_TYPE
    return told


def cut_codes(batch: pa.RecordBatch, told: Marks, where: WhereConfig) -> Cuts:
    """Return for each record the position in `CUT_REASONS` of why it is cut, int8[num_rows], -1 where it is not.

    told: of `row_marks`, of these rows.
    """
    codes = np.full(batch.num_rows, -1, np.int8)
    for reason, cut in reversed(list(_cuts(batch, told, where))):
        codes[cut] = CUT_REASONS.index(reason)
    return codes


def _cuts(batch: pa.RecordBatch, told: Marks, where: WhereConfig) -> Iterator[tuple[DropReason, Mask]]:
    """Yield (reason, records that are cut for it), bool[num_rows], in the order of the reasons."""
    if where.exclude:
        yield DropReason.EXCLUDED, told & EXCLUDED > 0
    if where.ids:
        yield DropReason.NOT_LISTED, told & LISTED == 0
    if (bounds := where.year_bounds) is not None:
        years = numbers(batch.column("year"))
        yield DropReason.YEAR, (years < bounds[0]) | (years > bounds[1]) | (years == 0)
    for term, words in _asked(where):
        yield term.reason, ~_holds(batch.column(term.column), words) & (told & term.mark == 0)


def _holds(column: pa.Array | pa.ChunkedArray, words: frozenset[str]) -> Mask:
    """Say of each text, or list of texts, whether it is or holds one of some folded words, bool[num_rows]."""
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    listed = pa.types.is_list(column.type)
    coded = (column.flatten() if listed else column).dictionary_encode()
    known = np.array([word is not None and word.casefold() in words for word in coded.dictionary.to_pylist()], bool)
    if not known.any():
        return np.zeros(len(column), bool)
    held = known[coded.indices.fill_null(0).to_numpy(zero_copy_only=False)] & coded.indices.is_valid().to_numpy(
        zero_copy_only=False
    )
    return np.bincount(list_rows(column)[held], minlength=len(column)) > 0 if listed else held


def check_terms(where: WhereConfig, parts: StoredParts) -> None:
    """Raise UsageError for terms that no record has, each with the nearest that records have.

    Reads the columns asked for, part by part, until each term was met.
    """
    problems = []
    for term, words in _asked(where):
        missing, names = set(words), set[str]()
        for path in parts.paths if missing else ():
            column = parquet.read_table(path, columns=[term.column]).column(0)
            values = pa.chunked_array([chunk.flatten() for chunk in column.chunks]) if _is_list(column) else column
            names |= {name for name in values.unique().to_pylist() if name}
            missing -= set(map(str.casefold, names))
            if not missing:
                break
        for word in (word for word in getattr(where, term.setting) if word.casefold() in missing):
            option = "--" + term.setting.replace("_", "-")
            problems.append(f"{option} {word!r}: no record has it; {nearest_text(word, names)}")
    if problems:
        raise UsageError(list_problems(problems))


def _is_list(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_list(column.type)) and column.num_chunks > 0


def nearest_text(word: str, names: Sequence[str] | set[str]) -> str:
    """Return a phrase with the names nearest to a word: those that hold it, then those written like it."""
    folded = {name.casefold(): name for name in sorted(names)}
    plain = word.casefold()
    holding = sorted((name for name in folded if plain in name), key=lambda name: (len(name), name))[:3]
    near = [*holding, *(name for name in get_close_matches(plain, folded, n=3, cutoff=0.75) if name not in holding)]
    if not near:
        return "nothing like it is there; `corpuscle inspect` shows what a records part holds"
    return "the nearest are " + ", ".join(repr(folded[name]) for name in near[:5])
