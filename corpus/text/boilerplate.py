"""Boilerplate that `clean` leaves out: sections about the paper's making, stock paragraphs, empty headings.

Publishers put declarations into the body as well as behind it: of 2,400 real articles, 387 have a body section
"Competing interests", about 600 "Authors' contributions", 186 "Pre-publication history"; 490 headings ("Supporting
information", "Additional files") stand over nothing, for what they announce is a file. A record keeps all of it;
`clean` leaves it out. Statements on where the data are stay: they name accessions.
"""

import re
from collections.abc import Sequence
from typing import Final

from corpus.records import Block, BlockKind

MAX_SECTION_CHARACTERS: Final = 2_000  # a longer section under such a heading says more than a declaration: it stays

HEADINGS: Final = frozenset(
    " ".join(heading.split())
    for heading in """
    additional file | additional files | additional information | author contribution | author contribution statement
    author contributions | author contributions statement | author details | author information | author's contribution
    author's contributions | authors contribution | authors contributions | authors' contribution
    authors' contributions | authors' information | competing interest | competing interests
    competing interests statement | conflict of interest | conflict of interest statement | conflict of interests
    conflicts of interest | consent for publication | contributors | contributorship statement | credit author statement
    credit authorship contribution statement | declaration of competing interest | declaration of conflicting interests
    declaration of interest | declaration of interests | declarations | declarations of interest | disclosure
    disclosure statement | disclosures | electronic supplementary material | financial disclosure | financial support
    financial support and sponsorship | financial/nonfinancial disclosures | funding | funding information
    funding sources | funding statement | funding/support | grant support | online supplementary material | peer review
    pre-publication history | prepublication history | provenance and peer review | publisher's note
    statement of interest | supplemental data | supplemental information | supplemental material | supplementary data
    supplementary file | supplementary files | supplementary information | supplementary material
    supplementary materials | supporting information
    """.replace("\n    ", " | ").split("|")
    if heading.strip()
)

# Springer's stock paragraph, which is the whole abstract of some citations.
_STOCK = re.compile(
    r"(?:electronic supplementary material[.:]? ?)?(?:the )?online version of this article.{0,160}?"
    r"contains supplementary material(?:, which is available to authorized users)?\.?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"^(?:\d+(?:\.\d+)*|[IVX]+)[.)]?\s+")


def is_stock(text: str) -> bool:
    """Say whether a paragraph is a publisher's stock sentence and nothing else."""
    return _STOCK.fullmatch(text) is not None


def is_administrative(heading: str) -> bool:
    """Say whether a section's heading, whatever its number and case, announces a declaration about the paper."""
    plain = _NUMBER.sub("", heading.strip()).rstrip(" :.").replace("’", "'").replace("‘", "'").casefold()
    return " ".join(plain.split()) in HEADINGS


def left_out(body: Sequence[Block]) -> set[int]:
    """Return the indices of the blocks of administrative sections.

    A section ends before the next heading that is not nested in it.
    """
    gone: set[int] = set()
    for start, block in enumerate(body):
        if start in gone or block.kind is not BlockKind.HEADING or not is_administrative(block.text):
            continue
        end = start + 1
        while end < len(body) and not (body[end].kind is BlockKind.HEADING and body[end].depth <= block.depth):
            end += 1
        if sum(len(body[index].text) for index in range(start + 1, end)) <= MAX_SECTION_CHARACTERS:
            gone.update(range(start, end))
    return gone
