"""Vocabulary of JATS: what the reader does with every element, as `elements.yaml` says, and the scan's table of it.

A name that the file does not hold has a row all the same, without a name: the reader decides by its place.
"""

from importlib import resources
from typing import Final

import yaml

from corpus.ncbi.markup.document import Vocabulary
from corpus.ncbi.markup.formulas import MATHML

# Prefixes that the JATS DTDs declare themselves: by default for every element, so that files may leave them out.
NAMESPACES: Final = {
    "xlink": "http://www.w3.org/1999/xlink",
    "mml": "http://www.w3.org/1998/Math/MathML",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "ali": "http://www.niso.org/schemas/ali/1.0/",
    "xi": "http://www.w3.org/2001/XInclude",
    "oasis": "http://docs.oasis-open.org/ns/oasis-exchange/table",
}


def _read_decisions() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the names of every group of `elements.yaml`; a group without parts has the one part ""."""
    stated = yaml.safe_load(resources.files("corpus.ncbi.jats").joinpath("elements.yaml").read_text("utf-8"))
    return {
        group: {
            part: tuple(names.split()) for part, names in (parts if isinstance(parts, dict) else {"": parts}).items()
        }
        for group, parts in stated.items()
    }


DECISIONS: Final = _read_decisions()
_TRANSPARENT = DECISIONS["transparent"]
_WITH_ROW = [group for group in DECISIONS if group not in ("transparent", "opaque", "detailed", "sec_types")]

JATS: Final = Vocabulary(
    [*(name for group in _WITH_ROW for names in DECISIONS[group].values() for name in names), *MATHML],
    opaque=DECISIONS["opaque"][""],
    detailed=DECISIONS["detailed"][""],
    marks={
        "apart": _TRANSPARENT["apart"],
        "spaced": _TRANSPARENT["gap"],
        "raised": _TRANSPARENT["raised"],
        "lowered": _TRANSPARENT["lowered"],
        "link": DECISIONS["inline"]["link"],
        "plain": _TRANSPARENT["plain"],
    },
    closed=True,
)
