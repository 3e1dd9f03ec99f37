"""File lists of PMC's old files: PMID, licence and retraction of each article, by its PMC id.

`oa_file_list.txt` (a date, then tab-separated lines without names), `oa_file_list.csv`, and the `….filelist.csv` beside
each bulk tar, as users still hold them. A list fills what the XML leaves open, as the bucket's JSON does today.
"""

import csv
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from corpus import storage
from corpus.errors import CorruptError
from corpus.ids import parse_number, parse_pmcid
from corpus.ncbi.archives.article_metadata import ArticleMetadata

_NAMES = ("oa_file_list.csv", "oa_file_list.txt")
_TAR = re.compile(r"\.(?:tar|tar\.gz|tgz|tar\.xz|txz)$", re.IGNORECASE)
_PMCID = re.compile(r"PMC(\d{1,10})(?!\d)", re.IGNORECASE)
_LEVELS = 5  # folders searched from a loose article up: beside oa_package/08/e0/PMC13900/x.nxml too
_NO_LICENSE = "NO-CC CODE"
_COLUMNS = {"accession": ("accession id", "accessionid"), "pmid": ("pmid",), "license": ("license",)}


@dataclass(frozen=True, kw_only=True, slots=True)
class FileList:
    """Articles of a list, sorted by PMC id: 18 bytes each."""

    pmcids: npt.NDArray[np.int64]
    pmids: npt.NDArray[np.int64]  # 0 where there is none
    licenses: npt.NDArray[np.uint8]
    names: tuple[str, ...]  # of the licences
    retracted: npt.NDArray[np.bool_]

    def about(self, path: str) -> ArticleMetadata | None:
        """Return what the list says of the article at a path, found by the PMC id in its name or its folder's."""
        found = _PMCID.search(storage.base_name(path)) or _PMCID.fullmatch(storage.base_name(os.path.dirname(path)))
        if found is None:
            return None
        row = int(np.searchsorted(self.pmcids, int(found[1])))
        if row == len(self.pmcids) or self.pmcids[row] != int(found[1]):
            return None
        return ArticleMetadata(
            pmcid=0,  # the file's own name says it, and with it the version
            pmid=int(self.pmids[row]) or None,
            license_code=self.names[self.licenses[row]],
            is_retracted=bool(self.retracted[row]),
        )


def list_path(path: str, exists: Callable[[str], bool] = storage.exists) -> str | None:
    """Return the list that goes with a tar or a loose article: beside the tar, or in a folder above the article."""
    folder, name = os.path.dirname(path), storage.base_name(path)
    is_tar = _TAR.search(name)
    places = [storage.join(folder or ".", _TAR.sub(".filelist.csv", name))] if is_tar else []
    for _ in range(1 if is_tar else _LEVELS):
        places += [storage.join(folder or ".", name) for name in _NAMES]
        folder = os.path.dirname(folder)
    return next((place for place in places if exists(place)), None)


def list_for(path: str, exists: Callable[[str], bool] = storage.exists) -> FileList | None:
    """Return the list that goes with a file, None without one; raises CorruptError for one that cannot be read."""
    place = list_path(path, exists)
    return _read(place, storage.version(place)) if place else None


@lru_cache(maxsize=2)
def _read(path: str, _version: str) -> FileList:
    names: dict[str, int] = {"": 0}
    rows: list[tuple[int, int, int, bool]] = []
    try:
        with storage.open_read(path) as source:
            lines = (line.decode("utf-8", "replace") for line in source)
            for accession, pmid, code, retracted in _fields(lines):
                pmcid = parse_pmcid(accession)
                if pmcid is not None:
                    code = "" if code == _NO_LICENSE else code
                    number = names.setdefault(code, len(names)) if len(names) < 255 or code in names else 0
                    rows.append((pmcid, parse_number(pmid.removeprefix("PMID:")) or 0, number, retracted))
    except (csv.Error, IndexError) as error:
        raise CorruptError(f"{path}: no list of PMC's files ({error}); fetch it again, or remove it") from error
    if not rows:
        raise CorruptError(f"{path}: lists no article; fetch it again, or remove it")
    rows.sort()
    columns = list(zip(*rows, strict=True))
    return FileList(
        pmcids=np.array(columns[0], np.int64),
        pmids=np.array(columns[1], np.int64),
        licenses=np.array(columns[2], np.uint8),
        names=tuple(names),
        retracted=np.array(columns[3], np.bool_),
    )


def _fields(lines: Iterator[str]) -> Iterator[tuple[str, str, str, bool]]:
    """Yield (accession, PMID, licence, retracted) of each line, whichever form the list has."""
    first = next(lines, "")
    if "," not in first:  # the date of oa_file_list.txt
        for line in lines:
            accession, pmid, code = [*line.rstrip("\r\n").split("\t"), "", "", ""][2:5]
            yield accession, pmid, code, False
        return
    header = [name.strip().lower() for name in next(csv.reader([first]))]
    at = {field: header.index(name) for field, names in _COLUMNS.items() for name in names if name in header}
    if len(at) < len(_COLUMNS):
        raise IndexError(f"its columns are {', '.join(header)[:200]}")
    retracted = header.index("retracted") if "retracted" in header else None
    for row in csv.reader(lines):
        is_retracted = retracted is not None and row[retracted].strip().lower() in ("yes", "true", "1")
        yield row[at["accession"]], row[at["pmid"]], row[at["license"]], is_retracted
