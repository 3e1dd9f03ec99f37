"""What a cut drops, counted twice: by the code, and by DuckDB from the records alone; and random cuts to count."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from corpus.assemble.config import AssembleConfig, WhereConfig
from corpus.assemble.cut import CUT_REASONS, cut_codes, paper_marks, read_cut, row_marks
from corpus.assemble.documents import file_ranks, key_rows
from corpus.assemble.inputs import StoredParts, stored_parts
from corpus.assemble.updates import RevisionStatus, fold
from corpus.stage.manifest import read_manifest

# Reason, what a record must state to be cut for something else; `told` of its paper's other records.
HOLDS = {
    "journal": "list_contains($journal, lower(journal))",
    "mesh": "list_has_any([lower(x) for x in mesh], $mesh)",
    "publication_type": "list_has_any([lower(x) for x in publication_types], $publication_type)",
    "jats_type": "list_contains($jats_type, lower(article_type))",
}
LISTED = " OR ".join(
    f"COALESCE({name} IN (SELECT {name} FROM {{0}} WHERE {name} IS NOT NULL), false)" for name in ("pmid", "pmcid")
)


def parts_of(records: str) -> StoredParts:
    return stored_parts(records, read_manifest(records, "extract"))


def counted_by_code(parts: StoredParts, where: WhereConfig) -> Counter[str]:
    """Return the live records by the reason for which they are cut, "" for those that are not."""
    cut, ranks = read_cut(AssembleConfig(where=where)), file_ranks(parts.names)
    numbers = range(len(parts.names))
    keys = np.concatenate([key_rows(parts, part=part, rank=ranks[part], cut=cut) for part in numbers])
    verdicts = fold(keys)
    marks, counts = paper_marks(keys, verdicts), Counter[str]()
    for part in numbers:
        live = verdicts["code"][verdicts["part"] == part] == RevisionStatus.LIVE
        told, first = row_marks(parts.keys(part), marks), 0
        for batch in parts.batches(part):
            end = first + batch.num_rows
            codes = cut_codes(batch, told[first:end], where)[live[first:end]]
            counts.update("" if code < 0 else str(CUT_REASONS[code]) for code in codes.tolist())
            first = end
    return counts


def live_rows(parts: StoredParts) -> pa.Table:
    """Return (path, row) of the records that are alive."""
    ranks = file_ranks(parts.names)
    keys = np.concatenate([key_rows(parts, part=k, rank=ranks[k]) for k in range(len(parts.names))])
    verdicts = fold(keys)
    verdicts = verdicts[verdicts["code"] == RevisionStatus.LIVE]
    paths = [parts.paths[part] for part in verdicts["part"].tolist()]
    return pa.table({"path": pa.array(paths), "row": pa.array(verdicts["row"].astype(np.int64))})


class RecordsInDuckDb:
    """The live records of a finished `extract` as a table of DuckDB."""

    def __init__(self, parts: StoredParts) -> None:
        self.database = duckdb.connect()
        self.database.execute("SET threads = 1")
        living = live_rows(parts)
        self.database.register("living", living)
        columns = "r.kind, r.pmid, r.pmcid, r.doi, r.year, r.journal, r.mesh, r.publication_types, r.article_type"
        self.database.execute(
            f"CREATE TABLE live AS SELECT {columns} FROM read_parquet(?, filename = true, file_row_number = true) r "
            "JOIN living l ON l.path = r.filename AND l.row = r.file_row_number",
            [list(parts.paths)],
        )

    def values(self, column: str, *, listed: bool = False) -> list[Any]:
        """Return the distinct values of a column, the most frequent first."""
        value = f"unnest({column})" if listed else column
        found = self.database.execute(
            f"SELECT v, count(*) c FROM (SELECT {value} v FROM live) WHERE v IS NOT NULL AND v != '' "
            "GROUP BY v ORDER BY c DESC, v"
        ).fetchall()
        return [value for value, _ in found]

    def counts(self, where: WhereConfig) -> Counter[str]:
        """Return what `counted_by_code` returns, by plain SQL."""
        tests, words = [], {}
        for option, name in (("exclude", "excluded"), ("ids", "not_listed")):
            if files := getattr(where, option):
                self._list_table(option, files)
                tests.append((name, LISTED.format(option) if option == "exclude" else f"NOT ({LISTED.format(option)})"))
        if where.year_bounds:
            first, last = where.year_bounds
            tests.append(("year", f"year IS NULL OR year NOT BETWEEN {first} AND {last}"))
        for name, holds in HOLDS.items():
            if terms := getattr(where, name):
                words[name] = [term.lower() for term in terms]
                tests.append((name, f"NOT ({holds}{self._or_its_paper(name, holds)})"))
        case = " ".join(f"WHEN {test} THEN '{name}'" for name, test in tests)
        case = f"CASE {case} ELSE '' END" if case else "''"
        found = self.database.execute(f"SELECT {case} AS reason, count(*) FROM live GROUP BY reason", words).fetchall()
        return Counter(dict(found))

    def _or_its_paper(self, name: str, holds: str) -> str:
        if name == "journal":
            return ""
        if name == "jats_type":
            speak = f"FROM live WHERE kind = 'article' AND {holds}"
            return f" OR (kind != 'sub_article' AND ({_among('pmcid', speak)} OR {_among('pmid', speak)}))"
        speak = f"FROM live WHERE kind != 'sub_article' AND {holds}"
        return f" OR {_among('pmcid', speak)}"

    def _list_table(self, name: str, files: tuple[str, ...]) -> None:
        lines = [line for file in files for line in Path(file).read_text(encoding="utf-8").split()]
        self.database.execute(f"CREATE OR REPLACE TABLE {name}_lines AS SELECT unnest(?) AS id", [lines])
        self.database.execute(
            f"CREATE OR REPLACE TABLE {name} AS SELECT pmid, pmcid FROM live WHERE pmid::VARCHAR IN "
            f"(SELECT id FROM {name}_lines) OR 'PMC' || pmcid IN (SELECT id FROM {name}_lines) "
            f"OR doi IN (SELECT id FROM {name}_lines)"
        )


def _among(column: str, speak: str) -> str:
    return f"COALESCE({column} IN (SELECT {column} {speak} AND {column} IS NOT NULL), false)"


def random_cuts(records: RecordsInDuckDb, folder: Path, *, count: int, seed: int) -> list[WhereConfig]:
    """Return so many cuts, each of some settings, with words and ids that the records have."""
    rng = random.Random(seed)
    known = {
        "journal": records.values("journal"),
        "mesh": records.values("mesh", listed=True),
        "publication_type": records.values("publication_types", listed=True),
        "jats_type": records.values("article_type"),
    }
    ids = {
        "pmid": [str(number) for number in records.values("CAST(pmid AS VARCHAR)")],
        "pmcid": [f"PMC{number}" for number in records.values("CAST(pmcid AS VARCHAR)")],
        "doi": records.values("doi"),
    }
    cuts = []
    for number in range(count):
        given: dict[str, Any] = {}
        if rng.random() < 0.4:
            first = rng.randint(1975, 2024)
            given["years"] = rng.choice([f"{first}", f"{first}-", f"-{first}", f"{first}-{first + rng.randint(0, 20)}"])
        for name, values in known.items():
            if values and rng.random() < 0.35:
                pool = values[:6] if rng.random() < 0.7 else values
                words = rng.sample(pool, min(len(pool), rng.randint(1, 4)))
                given[name] = tuple(word.upper() if word.isascii() and rng.random() < 0.3 else word for word in words)
        for name, share in (("ids", 0.4), ("exclude", 0.15)):
            if rng.random() < 0.35:
                lines = [one for kind in ids.values() for one in kind if rng.random() < share]
                file = folder / f"{name}-{seed}-{number}.txt"
                file.write_text("\n".join(lines or ["1"]) + "\n")
                given[name] = (str(file),)
        cuts.append(WhereConfig(**given))
    return cuts
