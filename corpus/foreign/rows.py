"""Rows that `dedup` writes of anyone's corpus: dead letters and decisions."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from corpus.records import RAW_LIMIT


class LineReject(StrEnum):
    """Why a line, or a row, of anyone's corpus is a dead letter."""

    BAD_UTF8 = "bad_utf8"  # bytes that are no UTF-8
    BAD_JSON = "bad_json"  # no JSON object, as a line cut short
    NO_TEXT = "no_text"  # the key of the text is not there, or null
    NOT_TEXT = "not_text"  # a number, a list or an object where the text belongs
    BAD_ID = "bad_id"  # the id is neither a text nor a whole number
    DUPLICATE_ID = "duplicate_id"  # an earlier document, by file name and line, has the same id


@dataclass(frozen=True, kw_only=True, slots=True)
class BadLine:
    """A line or row that is no document: the dead letter."""

    file: str  # name of the input file
    line: int  # in the file, from 1; of Parquet the row
    offset: int  # in the unpacked file; 0 in Parquet [bytes]
    doc_id: str  # "" when it could not be read
    reason: str  # a word of `corpus.foreign.rows.LineReject`
    detail: str  # what exactly is wrong, for a person
    sha256: str  # of the whole line without its end, hexadecimal; of a Parquet row of its values as JSON
    raw: bytes  # the first bytes of that, at most RAW_LIMIT


@dataclass(frozen=True, kw_only=True, slots=True)
class LineDecision:
    """What became of one document; every line that is one has a row."""

    doc_id: str  # as its corpus states it, else file:line
    file: str  # name of the input file
    line: int  # in the file, from 1; of Parquet the row
    kept: bool  # in the output
    reason: str  # why it is, or with `--duplicates tag` would be, left out; "" for none
    survivor: str  # document that stands for it, against:… when of another corpus; "" for none
    matched: str  # what `score` compares with
    score: float | None  # exact Jaccard similarity of word 5-shingles with `matched`
    cluster: str  # first document, by file name and line, of those that resemble each other; itself when alone
    cluster_size: int  # documents of the cluster, those of another corpus too
    cluster_rank: int  # place in the cluster by the order of `--keep`, 0 the best


def bad_line(
    file: str, line: int, offset: int, reason: LineReject, detail: str, raw: bytes, doc_id: str = ""
) -> BadLine:
    """Return the dead letter of a line, numbered from 0 here; raw: the whole of it."""
    return BadLine(
        file=file,
        line=line + 1,
        offset=offset,
        doc_id=doc_id,
        reason=str(reason),
        detail=detail,
        sha256=hashlib.sha256(raw).hexdigest(),
        raw=bytes(raw[:RAW_LIMIT]),
    )
