"""Places of floats: behind which paragraph of the body each is first cited.

An article's reader comes in after it has read the body, its floats go out with `cited` set. A paragraph is here what
stands directly in a section, whole, and so is a list: a float never splits one. Links from captions and notes do not
count, for a reader of the text does not meet them there.
"""

from bisect import bisect_left
from collections.abc import Iterator

from msgspec.structs import replace

from corpus.ncbi.jats.body import BodyReader
from corpus.ncbi.jats.floats import FLOATS
from corpus.records import Float

_SECTIONS = frozenset(["sec", "boxed-text", "body"])
_ASIDE = FLOATS | {"fn", "fn-group", "ref-list"}


def placed(reader: BodyReader, body: int) -> tuple[Float, ...]:
    """Return the floats of an article, each with the place of its first citation; body: the element, -1 for none."""
    elements = [element for element, item in reader.floats if item.kind != "supplement"]
    places = _first_citations(reader, body, elements) if body >= 0 and elements else {}
    if not places:
        return tuple([item for _, item in reader.floats])
    return tuple([replace(item, cited=_place(reader, element, places)) for element, item in reader.floats])


def _place(reader: BodyReader, element: int, places: dict[int, int]) -> int:
    """Return a float's place: its own, else that of the float around it, else of the first one inside it, else -1."""
    for outer in _floats_around(reader, element):
        if outer in places:
            return places[outer]
    return min((place for inner, place in places.items() if element < inner < reader.doc.nexts[element]), default=-1)


def _floats_around(reader: BodyReader, element: int) -> Iterator[int]:
    """Yield a float and those that it stands in, from the inside out."""
    names, parents = reader.doc.tag_names, reader.doc.parents
    while element >= 0:
        if names[element] in FLOATS:
            yield element
        element = parents[element]


def _first_citations(reader: BodyReader, body: int, elements: list[int]) -> dict[int, int]:
    """Return, by element, how many blocks stand up to the end of the paragraph that cites it first."""
    doc, wanted, places = reader.doc, dict[bytes, int](), dict[int, int]()
    for element in (outer for inner in elements for outer in _floats_around(reader, inner)):
        if stated := doc.attributes(element).get("id"):
            wanted.setdefault(stated.encode(), element)
    begins, ends, rows = doc.links.tolist()
    first = bisect_left(begins, int(doc.rows[7, body]))
    last = bisect_left(begins, int(doc.rows[8, body]))
    values = list(map(doc.raw.__getitem__, map(slice, begins[first:last], ends[first:last])))
    joined = b"".join(values)
    spaced = joined.split() != [joined]  # whether a value may name several
    # Most of the elements that link have no row, and link to no float.
    links = [
        (value, row)
        for value, row in zip(values, rows[first:last], strict=True)
        if value in wanted or (spaced and value.split() != [value])
    ]
    for value, row in links:
        for name in value.split():
            if name in wanted and (place := _end_of_paragraph(reader, body, row)) >= 0:
                places[wanted.pop(name)] = place
        if not wanted:
            break
    return places


def _end_of_paragraph(reader: BodyReader, body: int, row: int) -> int:
    """Return how many blocks stand up to the end of the paragraph around a row; -1 in a float or note, or none."""
    names, parents = reader.doc.tag_names, reader.doc.parents
    paragraph, in_section = -1, False
    while row > body:
        if names[row] in _ASIDE:
            return -1
        in_section = in_section or names[row] in _SECTIONS
        paragraph = paragraph if in_section else row
        row = parents[row]
    if paragraph < 0:
        return -1
    behind = bisect_left(reader.paragraphs, reader.doc.nexts[paragraph])
    return reader.num_blocks[behind] if behind < len(reader.paragraphs) else len(reader.blocks)
