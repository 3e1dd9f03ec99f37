"""Names of papers, for `inspect --id`: an id, a DOI in any spelling, or words of a title, to documents that have it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import storage
from corpus.ids import normalize_doi
from corpus.storage import parquet

_ID = re.compile(r"(?:pmid:|pmc:|PMC)\S+")
_FIRST_LINE = r"^(?P<title>[^\n]*)"  # of a document's text in a corpus, which has no column of titles
MATCHES_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedDocument:
    """A document that a name stands for."""

    doc_id: str
    title: str  # "" where the name is an id or a DOI


def named_documents(files: Iterable[str], name: str, *, foreign: bool = False) -> list[NamedDocument]:
    """Return the documents that a name stands for in some Parquet files, each once, in their order.

    name: an id, which is taken as it is; a PMID without its prefix; a DOI; or else words that a title holds, in any
    order and case. foreign: ids are anyone's, so that every name is one.
    """
    name = name.strip()
    if foreign:
        return [NamedDocument(doc_id=name, title="")]
    if _ID.fullmatch(name):
        return [NamedDocument(doc_id=name, title="")]
    if name.isdecimal() and name.isascii():
        return [NamedDocument(doc_id=f"pmid:{name}", title="")]
    doi = normalize_doi(name)
    found: dict[str, NamedDocument] = {}
    for path in files:
        for one in _with_doi(path, doi) if doi else _with_title(path, name.casefold().split()):
            found.setdefault(one.doc_id, one)
    return list(found.values())


def are_one_paper(found: list[NamedDocument]) -> bool:
    """Say whether documents have one title, as a citation and its full text do."""
    return len({" ".join(re.findall(r"\w+", one.title.casefold())) for one in found}) <= 1


def match_lines(found: list[NamedDocument]) -> Iterator[str]:
    """Yield the lines that say which documents there are to choose from."""
    yield f"{len(found):,} documents have these words in their titles; name one by its id"
    yield from (f"  {one.doc_id}  {one.title}" for one in found[:MATCHES_SHOWN])
    if len(found) > MATCHES_SHOWN:
        yield f"  … and {len(found) - MATCHES_SHOWN:,} more; give more words"


def _with_doi(path: str, doi: str) -> Iterator[NamedDocument]:
    if {"doc_id", "doi"} <= _columns(path):
        for batch in parquet.iter_batches(path, columns=["doc_id", "doi"]):
            hits = batch.filter(pc.equal(batch.column("doi"), doi))
            yield from (NamedDocument(doc_id=one, title="") for one in hits.column("doc_id").to_pylist())


def _with_title(path: str, words: list[str]) -> Iterator[NamedDocument]:
    names = _columns(path)
    column = next((name for name in ("title", "text") if name in names), None)
    if column is None or "doc_id" not in names or not words:
        return
    for batch in parquet.iter_batches(path, columns=["doc_id", column]):
        titles = batch.column(column)
        if not pa.types.is_string(titles.type) and not pa.types.is_large_string(titles.type):
            return
        if column == "text":
            titles = pc.struct_field(pc.extract_regex(titles, _FIRST_LINE), "title")
        lower = pc.utf8_lower(titles)
        hits = pc.match_substring(lower, words[0])
        for word in words[1:]:
            hits = pc.and_(hits, pc.match_substring(lower, word))
        ids, shown = batch.column("doc_id").filter(hits).to_pylist(), titles.filter(hits).to_pylist()
        yield from (NamedDocument(doc_id=one, title=title) for one, title in zip(ids, shown, strict=True))


def _columns(path: str) -> set[str]:
    with storage.open_read(path) as source:
        return set(pq.read_schema(source).names)
