"""Retraction Watch's list with the faults that it has: every planted paper is found, and no other."""

import csv
import io
import random
from pathlib import Path

import pytest

from corpus.assemble.retraction_watch import read_retractions
from corpus.errors import UsageError

HEAD = [
    *(
        "Record ID",
        "Title",
        "Subject",
        "Institution",
        "Journal",
        "Publisher",
        "Country",
        "Author",
        "URLS",
        "ArticleType",
    ),
    *("RetractionDate", "RetractionDOI", "RetractionPubMedID", "OriginalPaperDate", "OriginalPaperDOI"),
    *("OriginalPaperPubMedID", "RetractionNature", "Reason", "Paywalled", "Notes"),
]


def listed(events: list[dict[str, str]], *, mark: bool = True, end: str = "\r\n") -> bytes:
    """Return a list as Crossref writes it; letters above Latin-1's are in UTF-8, a name in each tenth row is not."""
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, HEAD, restval="", lineterminator=end)
    writer.writeheader()
    writer.writerows({"Title": 'A "title",\nof two lines', "Author": f"{(k % 10 == 0 and 'MÜLLER') or 'β'}", **event}
                     for k, event in enumerate(events))  # fmt: skip
    raw = sink.getvalue().encode().replace("MÜLLER".encode(), "MÜLLER".encode("latin-1") + b"\0")
    return (b"\xef\xbb\xbf" if mark else b"") + raw


def event(pmid: str, doi: str, nature: str = "Retraction", date: str = "1/31/2020 0:00") -> dict[str, str]:
    return {
        "OriginalPaperPubMedID": pmid, "OriginalPaperDOI": doi, "RetractionNature": nature, "RetractionDate": date,
        "RetractionPubMedID": "999999", "RetractionDOI": "10.9999/notice",
    }  # fmt: skip


@pytest.mark.parametrize("mark", [False, True])
def test_a_list_of_sixty_thousand_events(tmp_path: Path, mark: bool) -> None:
    rng = random.Random(0)
    events, pmids, dois = [], set(), set()
    for k in range(60_000 if mark else 600):
        nature = rng.choice(["Retraction"] * 8 + ["Correction", "Expression of concern"])
        pmid = rng.choice([str(k + 1), f"{k + 1}.0", f" {k + 1} ", "0", ""])
        doi = rng.choice(
            [f"10.1000/{k}", f"https://doi.org/10.1000/{k}", f"10.1000/{k} ", "unavailable", "Unavailable"]
        )
        events.append(event(pmid, doi, nature))
        if nature == "Retraction":
            pmids |= {k + 1} if pmid.strip() not in ("", "0") else set()
            dois |= {f"10.1000/{k}"} if "10." in doi else set()
    path = tmp_path / "retraction_watch.csv"
    path.write_bytes(listed(events, mark=mark))
    found = read_retractions([str(path)])
    assert set(found.pmids.tolist()) == pmids
    assert found.dois == dois
    assert not len(found.pmcids)


def test_a_paper_that_was_reinstated_counts_by_its_last_event(tmp_path: Path) -> None:
    events = [
        event("1", "10.1000/a"),
        event("1", "10.1000/a", "Reinstatement", "12/1/2020 0:00"),
        event("2", "10.1000/b", "Reinstatement", "2/1/2020 0:00"),
        event("2", "10.1000/b", "Retraction", "2021-01-01"),
        event("3", "10.1000/C", "Retraction", "no date"),
    ]
    rng = random.Random(1)
    for k in range(5):
        rng.shuffle(events)
        path = tmp_path / f"{k}.csv"
        path.write_bytes(listed(events, end="\n"))
        found = read_retractions([str(path)])
        assert (found.pmids.tolist(), found.dois) == ([2, 3], {"10.1000/b", "10.1000/c"})


@pytest.mark.parametrize("raw", [b"", b"PMID,DOI\n1,2\n", b"PK\x03\x04 a zip", b"%PDF-1.4\n"])
def test_what_is_no_list_is_refused_and_where_one_is_got_is_said(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(raw)
    with pytest.raises(UsageError, match=r"no column RetractionNature.*gitlab.com/crossref"):
        read_retractions([str(path)])
    with pytest.raises(UsageError, match="check --retractions"):
        read_retractions([str(tmp_path / "nowhere.csv")])
