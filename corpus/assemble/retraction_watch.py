"""Crossref's Retraction Watch list: papers that it says are retracted, by the PMID and DOI of the paper itself.

The file is a CSV of some 60,000 events, each of one paper: `RetractionNature` is Retraction, Expression of concern,
Correction or Reinstatement, and of a paper's retractions and reinstatements the last by date counts. What it holds as
found: a byte order mark, bytes that are no UTF-8 among bytes that are, NULs, line ends inside quotes, "unavailable" in
place of a DOI, 0 in place of a PMID, PMIDs that a spreadsheet made 31234567.0, DOIs as addresses.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from corpus import storage
from corpus.assemble.paper_ids import PaperIds, paper_ids, read_file
from corpus.errors import UsageError
from corpus.ids import normalize_doi, parse_number

_NATURE: Final = "RetractionNature"
_DATE: Final = "RetractionDate"
_DOI: Final = "OriginalPaperDOI"
_PMID: Final = "OriginalPaperPubMedID"
_COLUMNS: Final = (_NATURE, _DATE, _DOI, _PMID)
_SAYS: Final = {"retraction": True, "reinstatement": False}
_WHERE: Final = "get retraction_watch.csv from https://gitlab.com/crossref/retraction-watch-data"
_US_DATE: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_ISO_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_LONGEST: Final = 1 << 24  # characters of a field; an open quote makes one of the rest of the file

_Notice = tuple[tuple[int, int, int], bool]  # date, whether it retracts
PaperKey = tuple[str, int | str]  # which id, the id


def read_retractions(paths: Sequence[str]) -> PaperIds:
    """Return the papers that are retracted by some files together; raises UsageError for what is no such list."""
    return _read_retractions(tuple(paths), tuple(map(storage.version, paths)))


@lru_cache(maxsize=2)
def _read_retractions(paths: tuple[str, ...], _versions: tuple[str, ...]) -> PaperIds:
    latest: dict[PaperKey, _Notice] = {}
    digests = []
    for path in paths:
        raw = read_file(path, "--retractions")
        digests.append(hashlib.sha256(raw).hexdigest())
        for key, event in _events(raw, path):
            # Of one day the retraction counts: who withdraws and restores at once says both.
            latest[key] = max(latest.get(key, event), event)
    gone = [key for key, (_, retracts) in latest.items() if retracts]
    pmids = [number for kind, number in gone if kind == "pmid" and isinstance(number, int)]
    dois = [str(doi) for kind, doi in gone if kind == "doi"]
    digest = hashlib.sha256(" ".join(sorted(digests)).encode()).hexdigest()
    return paper_ids(pmids, (), dois, digest=digest)


def _events(raw: bytes, path: str) -> Iterator[tuple[PaperKey, _Notice]]:
    """Yield (paper, event) of a file, a paper once by each of its ids."""
    text = raw.decode("utf-8-sig", errors="surrogateescape").replace("\0", "")
    limit = csv.field_size_limit(_LONGEST)
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if missing := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
            raise UsageError(
                f"{path}: no column {', '.join(missing)}, so not Crossref's Retraction Watch list; {_WHERE}"
            )
        for row in rows:
            retracts = _SAYS.get((row[_NATURE] or "").strip().lower())
            if retracts is not None:
                event = (_date(row[_DATE] or ""), retracts)
                yield from ((key, event) for key in _papers(row[_PMID] or "", row[_DOI] or ""))
    except csv.Error as error:
        raise UsageError(f"{path}: not readable as CSV ({error}); {_WHERE}") from error
    finally:
        csv.field_size_limit(limit)


def _papers(pmid: str, doi: str) -> Iterator[PaperKey]:
    if (number := parse_number(pmid.strip().removesuffix(".0"))) is not None:
        yield "pmid", number
    if (name := normalize_doi("".join(doi.split()))) is not None:
        yield "doi", name


def _date(text: str) -> tuple[int, int, int]:
    """Return (year, month, day) of a date as spreadsheets write it in America, or as ISO does; zeros for others."""
    if found := _US_DATE.match(text.strip()):
        return int(found[3]), int(found[1]), int(found[2])
    if found := _ISO_DATE.match(text.strip()):
        return int(found[1]), int(found[2]), int(found[3])
    return 0, 0, 0
