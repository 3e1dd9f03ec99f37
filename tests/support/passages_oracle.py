"""Passages of a corpus by DuckDB alone: cut, folded and counted in SQL, by the rules as docs/corpus.md says them."""

import re
from pathlib import Path

import duckdb

from corpus.passages.cutting import ABBREVIATIONS, CAPITALS
from corpus.passages.folding import EDGES

Counted = dict[tuple[bool, str], tuple[int, int, int, int, str]]
_CUT = chr(1)


def passages_by_duckdb(corpus: Path, *, min_documents: int, min_characters: int) -> Counted:
    """Return (paragraph, folded) → documents, occurrences, those alone in a line, bytes, smallest id.

    RE2 has neither looks ahead nor behind: marks are put where a sentence may end, and taken away behind abbreviations.
    """
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    shards = [str(path) for split in ("train", "validation", "test") for path in (corpus / split).glob("*.parquet")]
    found = connection.execute(
        _query(), {"shards": shards, "edges": EDGES, "documents": min_documents, "characters": min_characters}
    )
    return {(row[0], row[1]): row[2:] for row in found.fetchall()}


def _query() -> str:
    short = "|".join(re.escape(word).replace("\\.", "[.]") for word in ABBREVIATIONS)
    end = f"""'([.!?…]["”’'')\\]]*) (["“‘''(\\[]*[{CAPITALS}])'"""
    cut = "line"
    for _ in range(2):  # matches share no character, so "A. B. C" takes two looks
        cut = f"regexp_replace({cut}, {end}, '\\1{_CUT}\\2', 'g')"
    cut = f"regexp_replace({cut}, '([。！？]) ?([^{_CUT} ])', '\\1{_CUT}{_CUT}\\2', 'g')"
    for _ in range(2):
        cut = f"regexp_replace({cut}, '((?:^|[^\\w.])(?:{short}|[A-Z])[.]){_CUT}', '\\1 ', 'g')"
    cut = f"regexp_replace({cut}, '([^\\w.](?:[A-Z][.])+[A-Z][.]){_CUT}', '\\1 ', 'g')"
    cut = f"regexp_replace({cut}, '((?:^|{_CUT})\\d+(?:[.]\\d+)*[.]){_CUT}', '\\1 ', 'g')"
    return f"""
        WITH lines AS (
            SELECT doc_id, unnest(string_split(text, chr(10))) AS whole FROM read_parquet($shards)
        ), plain AS (
            SELECT doc_id, trim(regexp_replace(whole, '^\\s*- ', '')) AS line
            FROM lines WHERE NOT regexp_matches(whole, '^#{{1,6}} ') AND trim(whole) <> ''
        ), cut AS (
            SELECT doc_id, line, string_split(replace({cut}, '{_CUT}{_CUT}', '{_CUT}'), '{_CUT}') AS sentences
            FROM plain
        ), passages AS (
            SELECT doc_id, false AS paragraph, unnest(sentences) AS text, len(sentences) = 1 AS alone FROM cut
            UNION ALL SELECT doc_id, true, line, true FROM cut WHERE len(sentences) > 1
        ), folded AS (
            SELECT *, trim(lower(nfc_normalize(text)), $edges) AS folded FROM passages
        )
        SELECT paragraph, folded, count(DISTINCT doc_id), count(*), sum(alone::INT)::BIGINT,
            sum(strlen(text))::BIGINT, min(doc_id)
        FROM folded WHERE length(folded) >= $characters GROUP BY 1, 2 HAVING count(DISTINCT doc_id) >= $documents
    """
