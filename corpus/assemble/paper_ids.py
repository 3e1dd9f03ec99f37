"""Lists of papers: PMIDs, PMC ids and DOIs, one a line, read from files and met in records.

A paper is met by any of its own ids. A bare number is a PMID; `PMC6182404` and `PMC6182404.1` name the same paper.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from corpus import storage
from corpus.arrays.columns import among, numbers
from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import Keys, Mask
from corpus.errors import UsageError
from corpus.ids import normalize_doi, parse_number, parse_pmcid

COLUMNS: Final = ("pmid", "pmcid", "doi")
_EXPECTED: Final = "expected a PMID (30039426), a PMC id (PMC6182404) or a DOI (10.1000/182) a line"


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperIds:
    """The ids of some papers."""

    pmids: Keys  # ascending and distinct
    pmcids: Keys
    dois: frozenset[str]  # as `corpus.ids.normalize_doi` writes them
    digest: str  # SHA-256 of the files that held them

    def __len__(self) -> int:
        return len(self.pmids) + len(self.pmcids) + len(self.dois)

    def rows(self, table: pa.Table | pa.RecordBatch) -> Mask:
        """Say of each record of a table (columns `COLUMNS`) whether one of its own ids is here, bool[num_rows]."""
        found = index_in_sorted(numbers(table.column("pmid")), self.pmids) >= 0
        found |= index_in_sorted(numbers(table.column("pmcid")), self.pmcids) >= 0
        return found | among(table.column("doi"), sorted(self.dois)) if self.dois else found


def paper_ids(pmids: Iterable[int], pmcids: Iterable[int], dois: Iterable[str], *, digest: str = "") -> PaperIds:
    """Return the ids of some papers in the form that is looked up."""
    first, second = (np.array(sorted({*ids}), np.uint64) for ids in (pmids, pmcids))
    return PaperIds(pmids=first, pmcids=second, dois=frozenset(dois), digest=digest)


def read_paper_ids(paths: Sequence[str], option: str) -> PaperIds:
    """Return the ids of some files together; option: that gave them.

    Blank lines and what follows a `#` that begins a word are passed over. Raises UsageError, with the line, for what
    is no id.
    """
    return _read_paper_ids(tuple(paths), tuple(map(storage.version, paths)), option)


@lru_cache(maxsize=4)
def _read_paper_ids(paths: tuple[str, ...], _versions: tuple[str, ...], option: str) -> PaperIds:
    pmids, pmcids, dois = set[int](), set[int](), set[str]()
    digests = []
    for path in paths:
        raw = read_file(path, option)
        digests.append(hashlib.sha256(raw).hexdigest())
        try:
            lines = raw.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: not UTF-8 at byte {error.start}; {_EXPECTED}") from error
        named = [(number, text) for number, line in enumerate(lines, start=1) if (text := _without_comment(line))]
        if not named:
            raise UsageError(f"{path}: names no paper; {_EXPECTED}")
        for number, text in named:
            _add(text, pmids, pmcids, dois, place=f"{path}, line {number}")
    digest = hashlib.sha256(" ".join(sorted(digests)).encode()).hexdigest()
    return paper_ids(pmids, pmcids, dois, digest=digest)


def _without_comment(line: str) -> str:
    return " ".join(f" {line}".partition(" #")[0].split())


def _add(text: str, pmids: set[int], pmcids: set[int], dois: set[str], *, place: str) -> None:
    """Put the id of one line to those of its kind; raises UsageError."""
    scheme, _, rest = text.rpartition(":")
    if scheme.lower() in ("", "pmid") and (pmid := parse_number(rest)) is not None:
        pmids.add(pmid)
    elif scheme.lower() in ("", "pmc", "pmcid") and rest[:3].upper() == "PMC" and (pmcid := parse_pmcid(rest)):
        pmcids.add(pmcid)
    elif (doi := normalize_doi(text)) is not None:
        dois.add(doi)
    else:
        raise UsageError(f"{place}: {text[:80]!r} is no id of a paper; {_EXPECTED}")


def read_file(path: str, option: str) -> bytes:
    """Return the bytes of a file that an option names; raises UsageError when it is not there or no file."""
    if not storage.exists(path):
        raise UsageError(f"{path}: there is no such file; check {option}")
    try:
        with storage.open_read(path) as source:
            return bytes(source.read())
    except IsADirectoryError as error:
        raise UsageError(f"{path}: a folder, where {option} takes a file; name the file in it") from error
