"""What records say of their papers, and what a cut makes of it, held against plain sets and loops."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.assemble.config import AssembleConfig, WhereConfig
from corpus.assemble.cut import EXCLUDED, JATS_TYPE, LISTED, MESH, merged_marks, paper_marks, row_marks
from corpus.assemble.paper_ids import paper_ids, read_paper_ids
from corpus.assemble.updates import KEY, PMC_ENTITY, PUBMED_ENTITY, RevisionStatus, fold

MARKS = (LISTED, EXCLUDED, MESH, JATS_TYPE)


@dataclass(frozen=True)
class Said:
    """A record: of an article or a citation, its own id, perhaps the other's, its version, and what it says."""

    article: bool
    own: int
    other: int  # 0: not stated
    version: int
    marks: int


SAID = st.builds(
    Said,
    article=st.booleans(),
    own=st.integers(1, 5),
    other=st.integers(0, 5),
    version=st.integers(1, 2),
    marks=st.lists(st.sampled_from(MARKS), max_size=3).map(lambda bits: int(np.bitwise_or.reduce([0, *bits]))),
)


@given(st.lists(SAID, max_size=20))
def test_papers_are_told_what_their_living_records_say(rows: list[Said]) -> None:
    keys = np.zeros(len(rows), KEY)
    for place, row in enumerate(rows):
        own, other = (PMC_ENTITY, PUBMED_ENTITY) if row.article else (PUBMED_ENTITY, PMC_ENTITY)
        keys["entity"][place], keys["version"][place] = own | row.own, row.version
        keys["other"][place] = other | row.other if row.other and row.marks else 0
        keys["article"][place], keys["marks"][place] = row.article, row.marks
        keys["part"][place], keys["row"][place], keys["position"][place] = place % 3, place // 3, place
    verdicts = fold(keys)
    live = {(one["part"], one["row"]) for one in verdicts if one["code"] == RevisionStatus.LIVE}
    told: dict[tuple[str, int], int] = {}
    for place, row in enumerate(rows):
        if (place % 3, place // 3) in live:
            sides = ("pmc", "pubmed") if row.article else ("pubmed", "pmc")
            for side, number in zip(sides, (row.own, row.other), strict=True):
                kept = row.marks if row.article or side == "pmc" else row.marks & (LISTED | EXCLUDED)
                told[side, number] = told.get((side, number), 0) | kept
    marks = paper_marks(keys, verdicts)
    halves = merged_marks(np.concatenate([paper_marks(keys[:0], verdicts), marks[::2], marks[1::2]]))
    assert halves.tolist() == marks.tolist()
    table = pa.table(
        {
            "kind": pa.array(["article" if row.article else "citation" for row in rows], pa.string()),
            "pmid": pa.array([(row.other if row.article else row.own) or None for row in rows], pa.int64()),
            "pmcid": pa.array([(row.own if row.article else row.other) or None for row in rows], pa.int64()),
        }
    )
    assert row_marks(table, marks).tolist() == [_told(row, told) for row in rows]


def _told(row: Said, told: dict[tuple[str, int], int]) -> int:
    """Return what a record's paper is told by ids that are stated; an id that is not is no id 0."""
    sides = ("pmc", "pubmed") if row.article else ("pubmed", "pmc")
    pairs = zip(sides, (row.own, row.other), strict=True)
    return int(np.bitwise_or.reduce([0, *(told.get((side, number), 0) for side, number in pairs if number)]))


@pytest.mark.parametrize(
    ("years", "bounds"),
    [("2010-2020", (2010, 2020)), ("2015", (2015, 2015)), (2015, (2015, 2015)), ("2015-", (2015, 9999)),
     ("-1999", (0, 1999)), (" 1980-1980 ", (1980, 1980)), (None, None)],
)  # fmt: skip
def test_years(years: str | None, bounds: tuple[int, int] | None) -> None:
    assert WhereConfig.model_validate({"years": years}).year_bounds == bounds


@pytest.mark.parametrize("years", ["", "-", "20", "2010-11", "2020-2010", "2010–2020", "1-2-3", 1.5])
def test_what_is_no_range_of_years(years: object) -> None:
    with pytest.raises(ValidationError):
        WhereConfig.model_validate({"years": years})


def test_lists_are_inputs_and_not_settings() -> None:
    config = AssembleConfig(where=WhereConfig(years="2000-", ids=("a",), exclude=("b",)))
    assert config.identity()["where"].keys() == {"years", "mesh", "journal", "publication_type", "jats_type"}


IDS = st.one_of(
    st.integers(1, 99).map(lambda n: (f"{n}", "pmid", n)),
    st.integers(1, 99).map(lambda n: (f"PMID: {n}", "pmid", n)),
    st.integers(1, 99).map(lambda n: (f"pmid:{n}", "pmid", n)),
    st.integers(1, 99).map(lambda n: (f"PMC{n}", "pmcid", n)),
    st.integers(1, 99).map(lambda n: (f"pmc:PMC{n}.3", "pmcid", n)),
    st.integers(1, 99).map(lambda n: (f"https://doi.org/10.1000/A{n}", "doi", f"10.1000/a{n}")),
    st.integers(1, 99).map(lambda n: (f"doi:10.1000/a#{n}", "doi", f"10.1000/a#{n}")),
)


@given(st.lists(IDS, min_size=1, max_size=9), st.sampled_from(["\n", "\r\n", "  # why\n", "\n\n"]))
def test_lists_of_papers_in_all_their_spellings(tmp_path_factory: pytest.TempPathFactory, ids: list, end: str) -> None:
    path = tmp_path_factory.mktemp("ids") / "ids.txt"
    path.write_text("".join(text + end for text, _, _ in ids))
    read = read_paper_ids((str(path),), "--ids")
    kinds = {name: {value for _, kind, value in ids if kind == name} for name in ("pmid", "pmcid", "doi")}
    known = paper_ids(kinds["pmid"], kinds["pmcid"], kinds["doi"])
    assert (read.pmids.tolist(), read.pmcids.tolist(), read.dois) == (
        known.pmids.tolist(), known.pmcids.tolist(), known.dois)  # fmt: skip
    table = pa.table(
        {"pmid": [None, 5, None, None], "pmcid": [None, None, 7, None], "doi": [None, None, None, "10.1000/a9"]}
    )
    assert read.rows(table).tolist() == [False, 5 in kinds["pmid"], 7 in kinds["pmcid"], "10.1000/a9" in kinds["doi"]]
