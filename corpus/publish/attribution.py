"""Attribution: who wrote each text of a published corpus, where it stands, and under which licence.

Decisions stand row for row beside the records that they are about, so a part of records, its decisions and its side
tables are read together and nothing is joined over the whole corpus.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from corpus import storage
from corpus.errors import CorruptError
from corpus.licenses import license_address
from corpus.metadata import Contributor
from corpus.publish.config import SUBSETS, PublishConfig, class_of
from corpus.publish.sources import CorpusSources
from corpus.stage.workspace import Receipt, Workspace
from corpus.storage import parquet
from corpus.storage.schema import from_batch, schema_of, to_table

ATTRIBUTION = "attribution.parquet"
_COLUMNS = (
    "doc_id",
    "source",
    "title",
    "journal",
    "year",
    "pmid",
    "pmcid",
    "version",
    "doi",
    "license",
    "parent",
    "position",
)
BATCH_ROWS = 4096
_NO_AUTHORS = ("editor", "reviewer", "assignee")


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribution:
    """Whom to name for one text, and the terms of its licence."""

    doc_id: str
    source: str  # pubmed or pmc
    title: str
    authors: tuple[str, ...]  # whole names in the order of print; a review or reply has those of its article
    journal: str
    year: int | None
    url: str  # by the DOI, else of the article in PMC or the citation in PubMed
    license: str
    license_url: str  # as the article links to it, else by the name; "" where the name has no version
    license_stated: str  # link or text (of the article's permissions), metadata (of the bucket); "" nowhere


def write_attribution(sources: CorpusSources, workspace: Workspace, config: PublishConfig) -> Receipt:
    """Write a row for each text that is published, in the order of the records."""
    if done := workspace.finished("attribution"):
        return done
    rows = without_authors = 0
    with parquet.open_writer(workspace.path(ATTRIBUTION), schema_of(Attribution)) as writer:
        for part, records in enumerate(sources.extract.paths(sources.records, "records")):
            found = [
                row for row in _of_part(sources, part, records) if class_of(row.license) in SUBSETS[config.license]
            ]
            if found:
                writer.write_table(to_table(found, Attribution), row_group_size=len(found))
            rows += len(found)
            without_authors += sum(not row.authors for row in found)
    part_row = workspace.measure(ATTRIBUTION, role="attribution", rows=rows)
    return workspace.finish(Receipt(task="attribution", parts=(part_row,), facts={"without_authors": without_authors}))


def _of_part(sources: CorpusSources, part: int, records: str) -> Iterator[Attribution]:
    decided = parquet.read_table(
        sources.assemble.paths(sources.corpus, "decisions")[part], ["doc_id", "kept"]
    ).combine_chunks()
    authors, printed = _side(sources, records)
    first = 0
    for batch in parquet.iter_batches(records, _COLUMNS, BATCH_ROWS):
        own = decided.slice(first, batch.num_rows)
        if own.column("doc_id").to_pylist() != batch.column("doc_id").to_pylist():
            raise CorruptError(f"{records}: its rows are not those of the decisions; assemble the corpus again")
        first += batch.num_rows
        for row in batch.filter(own.column("kept").combine_chunks()).to_pylist():
            yield _row(row, authors, printed)


_RecordPlace = tuple[str, int]  # id and position of a record: a PMID may come several times in one file


def _side(
    sources: CorpusSources, records: str
) -> tuple[Mapping[_RecordPlace, list[str]], Mapping[_RecordPlace, dict[str, Any]]]:
    """Return the names of authors, and address and place of the licence, by record of a part."""
    authors: dict[_RecordPlace, list[str]] = {}
    if not sources.has_metadata:
        return authors, {}
    name = storage.base_name(records)
    path = storage.join(sources.records, "metadata", "authors", name)
    for batch in parquet.iter_batches(path, batch_size=BATCH_ROWS):
        for one in from_batch(batch, Contributor):
            if one.role not in _NO_AUTHORS and (name_of := one.name()):
                authors.setdefault((one.doc_id, one.position), []).append(name_of)
    columns = ["doc_id", "position", "license_url", "license_stated"]
    table = parquet.read_table(storage.join(sources.records, "metadata", "publications", name), columns)
    return authors, {(row["doc_id"], row["position"]): row for row in table.to_pylist()}


def _row(
    row: dict[str, Any], authors: Mapping[_RecordPlace, list[str]], printed: Mapping[_RecordPlace, dict[str, Any]]
) -> Attribution:
    whole = (row["parent"] or row["doc_id"], row["position"])  # of a review inside an article: the article
    said = printed.get(whole, {})
    return Attribution(
        doc_id=row["doc_id"],
        source=row["source"],
        title=row["title"],
        authors=tuple(authors.get(whole, ())),
        journal=row["journal"],
        year=row["year"],
        url=address_of(row),
        license=row["license"],
        license_url=said.get("license_url") or license_address(row["license"]),
        license_stated=said.get("license_stated") or "",
    )


def address_of(row: Mapping[str, Any]) -> str:
    """Return where a paper is read: by its DOI, else in PMC, else in PubMed."""
    if row["doi"]:
        return f"https://doi.org/{row['doi']}"
    if row["source"] == "pmc":
        return f"https://pmc.ncbi.nlm.nih.gov/articles/PMC{row['pmcid']}/"
    return f"https://pubmed.ncbi.nlm.nih.gov/{row['pmid']}/"
