"""Sections of a whole batch of texts, from where each piece was written: `render.render_sections` in columns."""

from typing import Final

import numpy as np
import pyarrow as pa

from corpus.arrays.types import Octets
from corpus.text.render_kernels import HEADING, PART, TITLE, Counts
from corpus.text.section_kinds import ABSTRACT, CAPTIONS, Section, section_kind

SECTIONS: Final = pa.list_(
    pa.field(
        "element",
        pa.struct(
            [
                pa.field(name, pa.int64() if name in ("start", "end") else pa.string(), nullable=False)
                for name in Section.__struct_fields__
            ]
        ),
        nullable=False,
    )
)
_BEHIND: Final = 1 << 40  # number of the captions behind the body; a section of it has the number of its heading


def sections_of(
    texts: Octets,
    offsets: Counts,
    written: Counts,
    *,
    spans: Counts,
    places: Counts,
    starts: Counts,
    lengths: Counts,
) -> pa.ListArray:
    """Return the sections of each text that has a body, lists of `Section`[num_records].

    texts, offsets: bytes of the texts and where each begins, int64[num_records + 1]; written: where each piece lies in
    them, int64[num_pieces, 2]; spans, places, starts: of the pieces (`render_batch`); lengths: of the bodies [blocks].
    """
    record = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    kind = spans[:, 0]
    heads = (kind == HEADING) & (spans[:, 1] <= 1)
    number = 2 + np.cumsum(heads)  # sections of a body count on from record to record: only a change tells
    number[kind == PART] = 1
    number[places == 2 * lengths[record] + 1] = _BEHIND
    there = (written[:, 1] > written[:, 0]) & (kind != TITLE)
    there &= ((lengths > 0) & (np.diff(offsets) > 0))[record]
    own = np.flatnonzero(there)
    if not len(own):
        return _lists(np.zeros(0, np.int64), [], len(lengths))
    record, number = record[own], number[own]
    first = np.flatnonzero(np.r_[True, (record[1:] != record[:-1]) | (number[1:] != number[:-1])])
    last = np.r_[first[1:], len(own)] - 1
    begin, end = written[own[first], 0], written[own[last], 1]
    before = np.zeros(offsets[-1] + 1, np.int32)  # characters before each byte
    np.cumsum(texts[: offsets[-1]] & 0xC0 != 0x80, out=before[1:])
    base = before[offsets[record[first]]]
    bounds = np.column_stack([before[begin] - base, before[end] - base]).tolist()
    rows = zip(own[first].tolist(), number[first].tolist(), bounds, strict=True)
    made = [_section(texts, written[piece], int(of), bool(heads[piece]), *span) for piece, of, span in rows]
    return _lists(record[first], made, len(lengths))


def _section(texts: Octets, place: Counts, number: int, heads: bool, start: int, end: int) -> Section:
    """Return a section whose first piece is written at a place."""
    if number in (1, _BEHIND):
        return Section(kind=ABSTRACT if number == 1 else CAPTIONS, title="", start=start, end=end)
    title = texts[place[0] : place[1]].tobytes().decode().partition(" ")[2] if heads else ""
    return Section(kind=section_kind(title) if title else "", title=title, start=start, end=end)


def _lists(records: Counts, sections: list[Section], count: int) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(np.bincount(records, minlength=count))]).astype(np.int32)
    struct = SECTIONS.value_type
    columns = [pa.array([getattr(one, field.name) for one in sections], field.type) for field in struct]
    values = pa.StructArray.from_arrays(columns, fields=list(struct))
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=SECTIONS)
