"""Personal data of documents: what `--pii` found in each, reported or masked before anything else reads the text."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.assemble import facts
from corpus.assemble.config import AssembleConfig
from corpus.stage.manifest import Part
from corpus.stage.workspace import WORK, Workspace
from corpus.storage import parquet
from corpus.storage.schema import from_batch, to_table
from corpus.text.personal_data import MASKS, PersonalSpan, find_personal_data, masked, moved
from corpus.text.section_kinds import Section


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalData:
    """One piece of personal data in one document."""

    doc_id: str
    source: str
    kind: str  # email, phone, ip or id
    start: int  # in the text of the shard, of the mask where it is masked [characters]
    end: int  # behind its last character, of the same text [characters]
    text: str  # the piece; "" where it is masked


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sectioned:
    """The sections of a document, as the table of documents holds them."""

    sections: tuple[Section, ...]


def handle_personal_data(table: pa.Table, config: AssembleConfig) -> tuple[pa.Table, pa.Table]:
    """Return documents, their texts masked when that is asked for, and the rows of `PersonalData` in row order.

    table: columns of `Document`. Without `pii` the texts are not looked at.
    """
    if config.pii == "off":
        return table, to_table([], PersonalData)
    texts = table.column("text").to_pylist()
    found = {row: spans for row, text in enumerate(texts) if (spans := find_personal_data(text))}
    rows = [(row, span) for row, spans in found.items() for span in spans]
    ids, sources = (table.column(name).take(pa.array([row for row, _ in rows], pa.int64())).to_pylist()
                    for name in ("doc_id", "source"))  # fmt: skip
    hide = config.pii == "mask"
    report = []
    for (row, span), doc_id, source in zip(rows, ids, sources, strict=True):
        start = moved(span.start, found[row]) if hide else span.start
        end = start + len(MASKS[span.kind]) if hide else span.end
        piece = "" if hide else texts[row][span.start : span.end]
        report.append(PersonalData(doc_id=doc_id, source=source, kind=span.kind, start=start, end=end, text=piece))
    places = table.column("row").take(pa.array([row for row, _ in rows], pa.int64())).to_numpy()
    ordered = to_table(report, PersonalData).take(pa.array(np.argsort(places, kind="stable")))
    return (_with_masks(table, texts, found) if hide and found else table), ordered


def _with_masks(table: pa.Table, texts: list[str], found: dict[int, list[PersonalSpan]]) -> pa.Table:
    """Return documents whose texts, lengths and sections are those of the masked texts."""
    sections = [one.sections for one in from_batch(table.select(["sections"]), _Sectioned)]
    for row, spans in found.items():
        texts[row] = masked(texts[row], spans)
        sections[row] = tuple(_moved_section(one, spans) for one in sections[row])
    made = to_table([_Sectioned(sections=one) for one in sections], _Sectioned)
    columns = {"text": pa.array(texts, pa.string()), "sections": made.column("sections")}
    columns["length"] = pc.binary_length(columns["text"]).cast(pa.int64())
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), column)
    return table


def _moved_section(one: Section, spans: list[PersonalSpan]) -> Section:
    title = masked(one.title, find_personal_data(one.title))
    return Section(kind=one.kind, title=title, start=moved(one.start, spans), end=moved(one.end, spans))


def place_personal_data(part: int, stem: str, workspace: Workspace) -> tuple[Part, dict[str, int]]:
    """Write what was found in one records part among the results; return its place in the manifest, and counts."""
    found = parquet.read_table(workspace.path(f"{WORK}/personal/{stem}.parquet"))
    name = f"personal/part-{part:05d}.parquet"
    parquet.write_table(workspace.path(name), found)
    counts = {facts.personal_data(kind): pc.sum(pc.equal(found.column("kind"), kind)).as_py() or 0 for kind in MASKS}
    counts[facts.DOCUMENTS_WITH_PERSONAL_DATA] = pc.count_distinct(found.column("doc_id")).as_py()
    return workspace.measure(name, role="personal", rows=found.num_rows), counts
