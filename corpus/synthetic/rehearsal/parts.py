"""Records parts that are made up, as `assemble` reads them: baseline files, update files that revise them, articles.

A record is a function of the seed and its number alone, so a part is made when it is read, and again when it is read
again; only one batch is ever in memory.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import ndtri

from corpus.arrays.types import Numbers
from corpus.assemble.inputs import BATCH_ROWS, KEY_COLUMNS
from corpus.records import AbstractPart, Block, Float, Kind, Record, Source
from corpus.stage.cpu_meter import metered
from corpus.storage.schema import schema_of
from corpus.synthetic.rehearsal import statistics
from corpus.synthetic.rehearsal.texts import Seeds, mixed, texts, units

_GOLDEN = 0.6180339887498949
_LABELS = ("BACKGROUND", "METHODS", "RESULTS", "CONCLUSIONS")
_JOURNALS = 5000


class _Stretch(NamedTuple):
    """What one part holds: the records of one kind with the numbers `start` to `end` - 1."""

    stem: str
    kind: str  # citation, update or article
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RehearsedParts:
    """Records of `num_citations` citations and `num_articles` articles; see `corpus.synthetic.rehearsal.statistics`."""

    seed: int
    num_citations: int
    num_articles: int

    @property
    def num_updates(self) -> int:
        """The number of records in update files."""
        return round(self.num_citations * statistics.UPDATES)

    @property
    def num_records(self) -> int:
        """The number of all records."""
        return self.num_citations + self.num_updates + self.num_articles

    @property
    def names(self) -> tuple[str, ...]:
        """The stems of the parts, in the order in which their files apply."""
        return tuple(part.stem for part in self._layout())

    @property
    def digests(self) -> tuple[str, ...]:
        """What stands for the content of each part."""
        return tuple(f"{self.seed}:{self.num_citations}:{self.num_articles}:{name}" for name in self.names)

    def keys(self, part: int, *, more: Sequence[str] = ()) -> pa.Table:
        """Return the key columns of a part; more: none but its DOIs."""
        with metered("make up"):
            own = self._layout()[part]
            columns = self._ids(own.kind, np.arange(own.start, own.end), own.start)
            names = (*KEY_COLUMNS, *more)
            schema = pa.schema([schema_of(Record).field(name) for name in names])
            return pa.Table.from_arrays([columns[name] for name in names], schema=schema)

    def batches(self, part: int, *, without: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """Yield the records of a part."""
        own = self._layout()[part]
        size = BATCH_ROWS if own.kind != "article" else 250
        for first in range(own.start, own.end, size):
            with metered("make up"):
                batch = self._batch(own.kind, np.arange(first, min(first + size, own.end)), own.start)
            yield batch.drop_columns(list(without)) if without else batch

    def _layout(self) -> list[_Stretch]:
        """Return what every part holds."""
        parts: list[_Stretch] = []
        for kind, total in (("citation", self.num_citations), ("update", self.num_updates)):
            for start in range(0, total, statistics.CITATIONS_PER_PART):
                end = min(start + statistics.CITATIONS_PER_PART, total)
                parts.append(_Stretch(f"pubmed26n{len(parts) + 1:04d}", kind, start, end))
        for start in range(0, self.num_articles, statistics.ARTICLES_PER_PART):
            end = min(start + statistics.ARTICLES_PER_PART, self.num_articles)
            stem = f"articles-{start // statistics.ARTICLES_PER_PART:05d}"
            parts.append(_Stretch(stem, "article", start, end))
        return parts

    def _citations_of(self, kind: str, numbers: Numbers) -> Numbers:
        """Return which citation each record is about: an update revises one, an article is the full text of one."""
        if kind == "update":  # a walk by an odd stride without a common factor meets each citation at most once
            stride = int(self.num_citations * _GOLDEN) | 1
            while np.gcd(stride, self.num_citations) > 1:
                stride += 2
            return numbers * stride % self.num_citations
        if kind == "article":
            return numbers * self._stride()
        return numbers

    def _stride(self) -> int:
        return max(1, self.num_citations // max(1, self.num_articles))

    def _ids(self, kind: str, numbers: Numbers, start: int) -> dict[str, Any]:
        """Return the key columns of records, and those of their other ids."""
        about = self._citations_of(kind, numbers)
        seeds = mixed(about.astype(np.uint64), self.seed)
        with_doi = units(seeds, 11) < statistics.WITH_DOI
        if kind == "article":
            kinds, pmcids = [Kind.ARTICLE] * len(numbers), numbers + 1
            ids = [f"pmc:PMC{number}.1" for number in pmcids.tolist()]
            has_pmcid = np.ones(len(numbers), bool)
        else:
            deleted = (kind == "update") & (mixed(numbers.astype(np.uint64), 12) % int(1 / statistics.DELETIONS) == 0)
            kinds = np.where(deleted, Kind.DELETION, Kind.CITATION).tolist()
            ids = [f"pmid:{number}" for number in (about + 1).tolist()]
            pmcids = about // self._stride() + 1
            joined = (about % self._stride() == 0) & (pmcids <= self.num_articles)
            has_pmcid = joined & (units(seeds, 13) < 0.7)  # the rest is found by the PMID that the article states
        return {
            "doc_id": pa.array(ids, pa.string()),
            "kind": pa.array([str(one) for one in kinds], pa.string()),
            "pmid": pa.array(about + 1),
            "pmcid": pa.array(pmcids, mask=~has_pmcid),
            "version": pa.array(np.ones(len(numbers), np.int64)),
            "position": pa.array(numbers - start),
            "retracted": pa.array(np.zeros(len(numbers), bool)),
            "doi": pa.array([f"10.1000/j.{number}" for number in about.tolist()], pa.string(), mask=~with_doi),
        }

    def _batch(self, kind: str, numbers: Numbers, start: int) -> pa.RecordBatch:
        columns = self._ids(kind, numbers, start)
        about = self._citations_of(kind, numbers).astype(np.uint64)
        own = mixed(about, self.seed)
        text = _copied(own, about, self.seed)
        edits = np.where(units(own, 3) < statistics.NEAR_COPIES, mixed(own, 4) | np.uint64(1), np.uint64(0))
        if kind == "update":  # a revision changes little
            edits = mixed(own, 5) | np.uint64(1)
        columns |= _front(text, own, edits)
        if kind == "article":
            columns |= _body(own)
            columns["license"] = pa.array(["CC-BY-4.0"] * len(own), pa.string())
        deleted = np.array(columns["kind"].to_numpy(zero_copy_only=False) == Kind.DELETION, bool)
        if deleted.any():
            columns["abstracts"] = _lists(np.where(deleted, 0, _lengths(columns["abstracts"])), columns["abstracts"])
        source = Source.PMC if kind == "article" else Source.PUBMED
        columns["source"] = pa.array([str(source)] * len(own), pa.string())
        columns["year"] = pa.array(2026 - (units(own, 14) ** 2 * 60).astype(np.int64))
        journals = (mixed(own, 15) % np.uint64(_JOURNALS)).tolist()
        columns["journal"] = pa.array([f"Journal of rehearsal {number}" for number in journals], pa.string())
        columns["publication_types"] = _words(np.full(len(own), int(kind != "article")), "Journal Article")
        columns["text_language"] = pa.array(["en"] * len(own), pa.string())
        schema = schema_of(Record)
        arrays = [columns.get(field.name, None) for field in schema]
        filled = [_empty(field, len(own)) if one is None else one for field, one in zip(schema, arrays, strict=True)]
        return pa.RecordBatch.from_arrays(filled, schema=schema)


def _copied(own: Seeds, about: Seeds, seed: int) -> Seeds:
    """Return whose text each record has: a copy has that of a citation before it."""
    copies = units(own, 3) < statistics.NEAR_COPIES + statistics.EQUAL_COPIES
    source = (units(own, 6) * about.astype(np.float64)).astype(np.uint64)
    return np.where(copies, mixed(source, seed), own)


def _front(text: Seeds, own: Seeds, edits: Seeds) -> dict[str, Any]:
    """Return title and abstract of records; text: whose text it is."""
    beyond = units(text, 7) < statistics.BEYOND_ASCII
    low, high = statistics.TITLE_WORDS
    title_words = low + (units(text, 8) * (high - low)).astype(np.int64)
    nothing = np.zeros(len(own), np.uint64)
    with_abstract = units(own, 9) < statistics.WITH_ABSTRACT
    words = np.exp(statistics.ABSTRACT_LOG_MEAN + statistics.ABSTRACT_LOG_DEVIATION * ndtri(_inside(text, 10))).astype(
        np.int64
    )
    words = np.maximum(words - title_words, 5)
    parts = np.where(with_abstract, np.where(units(text, 16) < statistics.STRUCTURED, len(_LABELS), 1), 0)
    row = np.repeat(np.arange(len(own)), parts)
    number = np.arange(len(row)) - np.repeat(np.cumsum(parts) - parts, parts)
    heads = np.where(
        units(text, 17) < statistics.FALSE_FRIENDS, mixed(text % np.uint64(1000), 18) | np.uint64(1), nothing
    )
    labels = np.where(parts[row] > 1, number, -1)
    return {
        "title": texts(mixed(text, 19), title_words, edits=nothing, beyond=beyond, heads=nothing),
        "abstracts": _list_of(
            AbstractPart,
            parts,
            type=_same("main", len(row)),
            label=pa.array(["", *_LABELS]).take(pa.array(labels + 1)),
            text=texts(
                mixed(text[row], 20) + number.astype(np.uint64),
                np.maximum(words[row] // parts[row], 5),
                edits=np.where(edits[row] > 0, edits[row] + number.astype(np.uint64), np.uint64(0)),
                beyond=beyond[row],
                heads=np.where(number == 0, heads[row], np.uint64(0)),
            ),
        ),
    }


def _body(own: Seeds) -> dict[str, Any]:
    """Return body and floats of articles."""
    words = np.exp(statistics.ARTICLE_LOG_MEAN + statistics.ARTICLE_LOG_DEVIATION * ndtri(_inside(own, 21))).astype(
        np.int64
    )
    blocks = np.full(len(own), statistics.ARTICLE_BLOCKS)
    row = np.repeat(np.arange(len(own)), blocks)
    number = np.arange(len(row)) % statistics.ARTICLE_BLOCKS
    heading = number % 8 == 0
    count = np.where(heading, 3, np.maximum(words[row] // statistics.ARTICLE_BLOCKS, 3))
    plain = {"edits": np.zeros(len(row), np.uint64), "heads": np.zeros(len(row), np.uint64)}
    body = _list_of(
        Block,
        blocks,
        kind=pa.array(["paragraph", "heading"]).take(pa.array(heading.astype(np.int64))),
        depth=pa.array(np.ones(len(row), np.int64)),
        text=texts(mixed(own[row], 22) + number.astype(np.uint64), count, beyond=number % 2 == 0, **plain),
    )
    floats = np.full(len(own), statistics.ARTICLE_FLOATS)
    row = np.repeat(np.arange(len(own)), floats)
    number = np.arange(len(row)) % statistics.ARTICLE_FLOATS
    plain = {"edits": np.zeros(len(row), np.uint64), "heads": np.zeros(len(row), np.uint64)}
    captions = texts(mixed(own[row], 23) + number.astype(np.uint64), np.full(len(row), 40), beyond=number > 3, **plain)
    return {
        "body": body,
        "floats": _list_of(
            Float,
            floats,
            kind=_same("figure", len(row)),
            label=pa.array([f"Figure {one + 1}." for one in range(statistics.ARTICLE_FLOATS)]).take(pa.array(number)),
            caption=captions,
            position=pa.array(number * 7 + 1),
        ),
    }


def _inside(values: Seeds, salt: int) -> npt.NDArray[np.float64]:
    return units(values, salt) * (1 - 2e-9) + 1e-9


def _same(value: str, count: int) -> pa.Array:
    return pa.array([value]).take(pa.array(np.zeros(count, np.int64)))


def _lengths(lists: pa.ListArray) -> Numbers:
    return np.diff(np.asarray(lists.offsets)).astype(np.int64)


def _list_of(row: type, counts: Numbers, **columns: pa.Array) -> pa.ListArray:
    """Return lists of structs, so many of them in each list."""
    schema = schema_of(row)
    count = int(counts.sum())
    arrays = [columns[field.name] if field.name in columns else _empty(field, count) for field in schema]
    fields = [pa.field(field.name, field.type, nullable=False) for field in schema]
    values = pa.StructArray.from_arrays(arrays, fields=fields)
    element = pa.field("element", values.type, nullable=False)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=pa.list_(element))


def _lists(counts: Numbers, lists: pa.ListArray) -> pa.ListArray:
    """Return lists of which those with a count of 0 are emptied."""
    kept = np.repeat(counts > 0, _lengths(lists))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), lists.values.filter(pa.array(kept)), type=lists.type)


def _words(counts: Numbers, word: str) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    element = pa.field("element", pa.string(), nullable=False)
    return pa.ListArray.from_arrays(pa.array(offsets), _same(word, int(counts.sum())), type=pa.list_(element))


def _empty(field: pa.Field, count: int) -> pa.Array:
    """Return the default of a field of a record, so many times."""
    if field.nullable:
        return pa.nulls(count, field.type)
    if pa.types.is_list(field.type):
        return pa.ListArray.from_arrays(
            pa.array(np.zeros(count + 1, np.int32)), pa.array([], field.type.value_type), type=field.type
        )
    default = "" if pa.types.is_string(field.type) else False if pa.types.is_boolean(field.type) else 0
    return pa.array([default], field.type).take(pa.array(np.zeros(count, np.int64)))
