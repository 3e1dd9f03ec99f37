"""Boilerplate that `clean` leaves out: sections about the paper's making, stock paragraphs, empty headings.

Publishers put declarations into the body as well as behind it: of 2,400 real articles, 387 have a body section
"Competing interests", about 600 "Authors' contributions", 186 "Pre-publication history"; 490 headings ("Supporting
information", "Additional files") stand over nothing, for what they announce is a file. A record keeps all of it;
`clean` leaves it out. `corpus.text.headings` says what a heading announces; ethics statements, registrations and lists
of abbreviations are options.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

from corpus.notices import without_notices
from corpus.records import Block, BlockKind
from corpus.text.headings import CAPS, OPTIONAL, kind_of
from corpus.text.section_kinds import UNCAPPED, section_kind

DEFAULT_KEPT: Final = frozenset({"registration", "abbreviations"})

# How a stock paragraph begins, in small letters: only such a text is looked at.
STOCK_BEGINNINGS: Final = (
    *("electronic s", "the online v", "online version", "online suppl", "supplement", "supporting", "additional su"),
    *(
        "video abs",
        "visual abs",
        "graphical abs",
        "a video abs",
        "see video",
        "this article is",
        "part of",
        "copyright",
    ),
    *(
        "©",
        "crown copy",
        "all rights",
        "published by",
        "psycinfo",
        "(psycinfo",
        "doi",
        "https://d",
        "http://d",
        "contact",
    ),
    *("correspond", "*correspond", "* correspond", "email", "e-mail", "*email", "* email", "how to cite", "cite this"),
    *("please cite", "guest ed", "i have read this sub", "i confirm that i have", "we confirm that we have"),
    *(
        "we have read this sub",
        "in the interests of tr",
        "elife posts",
        "elife includes",
        "elife publ",
        "below is the link",
    ),
    *(
        "the pre-pub",
        "further information and requests",
        "click here",
        "publisher's note",
        "publisher’s note",
        "view this",
        "keyword",
        "key word",
        "key-word",
        "[figure",
        "[this ",
        "this corrects",
        "this retracts",
    ),
    *("funding", "financial disc", "conflict", "competing int", "declaration of", "author contrib", "authors' contrib"),
    *("authors’ contrib", "contributors:", "disclosure", "potential conf", "data availab", "availability of data"),
)
# A heading set as the first words of its paragraph, of kinds that such a paragraph may be about.
_RUN_IN: Final = re.compile(r"([^.:;!?\n]{4,80})[:.]\s(?=\S)")
_RUN_IN_KINDS: Final = frozenset(["conflicts of interest", "funding", "contributions", "data availability"])
_MOST_RUN_IN: Final = 1_000  # characters; a longer paragraph says more than its heading
# Who says it or what it is about: "Funding: primary care is paid by the state" says none of these.
_MAKING: Final = re.compile(
    r"\b(?:none|no (?:conflict|competing|funding|specific)|the authors?|authors? (?:declare|state|have)|declared?"
    r"|certif\w*|support(?:ed)? by|funded (?:by|in)|grants?|sponsor\w*|full access|wrote|drafted|designed|available"
    r"|this (?:study|work|research|manuscript|project|trial)|the (?:study|work|research|trial) was|employees?)\b",
    re.IGNORECASE,
)
# Sentences that publishers print in every paper, and those that they ask of every reviewer.
_STOCK: Final = re.compile(
    r"(?:electronic supplementary material[.:]? ?)?(?:the )?online version of this article.{0,160}?"
    r"contains supplementary material(?:, which is available to authorized users)?\.?"
    r"|below is the link to the electronic supplementary material\.?"
    r"|the pre-?publication history for this (?:paper|article) can be accessed here:?(?: ?http\S+)?"
    r"|(?:i|we) (?:have read this submission\b|confirm that (?:i|we) have read this submission\b).{0,400}"
    r"|in the interests of transparency,? elife (?:includes|publishes|posts)\b.{0,500}"
    r"|elife (?:posts|includes|publishes) the editorial decision letter\b.{0,600}"
    r"|further information and requests for (?:resources|reagents|resources and reagents)\b.{0,300}"
    r"|click here (?:for|to view)\b.{0,100}"
    r"|publisher['’]s note:? ?springer nature remains neutral\b.{0,120}"
    r"|\*? ?(?:e-?mails?(?: address(?:es)?)?|correspond(?:ence|ing authors?)(?: to| address)?)\b"
    r".{0,200}\S@\S+\.\w+[.;]?",
    re.IGNORECASE,
)


def is_stock(text: str) -> bool:
    """Say whether a paragraph is a publisher's stock sentence and nothing else."""
    if not text.lower().startswith(STOCK_BEGINNINGS):
        return False
    return _STOCK.fullmatch(text) is not None or _is_run_in(text) or not without_notices(text)[0]


def _is_run_in(text: str) -> bool:
    """Say whether a paragraph is a declaration under a heading that is set as its first words: "Funding: None."."""
    found = _RUN_IN.match(text, 0, 100) if len(text) <= _MOST_RUN_IN else None
    if found is None or kind_of(found[1]) not in _RUN_IN_KINDS:
        return False
    return _MAKING.search(text, found.end()) is not None


def cap_of(heading: str, kept: Collection[str]) -> int:
    """Return how long a section under a heading, or a part under a label, may be to be left out; 0: it always stays.

    kept: the kinds among `headings.OPTIONAL` that stay. What is longer says more than a declaration.
    """
    kind = kind_of(heading)
    return CAPS[kind] if kind and kind not in kept else 0


def part_cap(label: str, kept: Collection[str]) -> int:
    """Return the same of a part of an abstract: "Ethics and dissemination" says something there."""
    return cap_of(label, kept) if label and kind_of(label) != "ethics" else 0


def body_cap(heading: str, depth: int, kept: Collection[str], without: Collection[str] = ()) -> int:
    """Return `cap_of` a heading of a body, depth: its own; without: kinds of sections that are not asked for."""
    if without and depth <= 1 and section_kind(heading) in without:
        return UNCAPPED
    return cap_of(heading, kept)


def left_out(
    body: Sequence[Block], kept: Collection[str] = DEFAULT_KEPT, without: Collection[str] = ()
) -> dict[int, str]:
    """Return the blocks of sections about the paper's making, and of kinds that are not asked for: index → its kind.

    A section ends before the next heading that is not nested in it.
    """
    assert set(kept) <= set(OPTIONAL)
    gone: dict[int, str] = {}
    for start, block in enumerate(body):
        if (
            start in gone
            or block.kind is not BlockKind.HEADING
            or not (cap := body_cap(block.text, block.depth, kept, without))
        ):
            continue
        end = start + 1
        while end < len(body) and not (body[end].kind is BlockKind.HEADING and body[end].depth <= block.depth):
            end += 1
        if sum(len(body[index].text) for index in range(start + 1, end)) <= cap:
            kind = section_kind(block.text) if cap == UNCAPPED else kind_of(block.text)
            gone.update(dict.fromkeys(range(start, end), kind))
    return gone
