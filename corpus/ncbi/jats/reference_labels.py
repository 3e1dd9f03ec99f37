"""How a sentence names a reference whose link is empty: by the author and year of its label in the reference list.

Copernicus leaves links of citations empty and prints what BibTeX made: `<label>Alm et al.(2019)Alm, Berg, and
Clau</label>` is "Alm et al. (2019)" in a sentence.
"""

import re

from corpus.ncbi.markup.attributes import attribute_value
from corpus.ncbi.markup.document import Markup

_PIECE = re.compile(rb"<ref(?:\s([^<>]*))?>|<label[^<>]*>([^<]*)</label>")
_ID = re.compile(rb"(?:^|\s)id\s*=\s*[\"']([^\"']*)")
_AUTHOR_YEAR = re.compile(r"\s*([^()\d]{2,200}?)\s*\((\d{4}[a-z]?)\)")


def author_years(doc: Markup) -> dict[str, str]:
    """Return "Alm et al. (2019)" by the id of each reference whose label begins so; numbers are no names."""
    named: dict[str, str] = {}
    for row in doc.descendants(0, "ref-list"):
        reference = ""
        for found in _PIECE.finditer(doc.source(row)):
            if found[2] is None:
                identity = _ID.search(found[1] or b"")
                reference = attribute_value(identity[1]) if identity else ""
            elif reference and (label := _AUTHOR_YEAR.match(attribute_value(found[2]))):
                named.setdefault(reference, f"{' '.join(label[1].split())} ({label[2]})")
    return named
