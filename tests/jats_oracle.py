"""An oracle for the JATS reader that shares no code with it: the words of an article's XML, block by block.

It knows which elements end a word and which hold no running text, nothing else; citations by number, formulas and
floats are left out, so the words of abstracts and body remain.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from lxml import etree

from corpus.records import BlockKind, Record

Element = etree._Element

_NO_RUNNING_TEXT = """
ref-list sub-article response fig fig-group table-wrap table-wrap-group table supplementary-material media fn
fn-group object-id permissions sec-meta inline-formula disp-formula math tex-math alternatives alt-text
long-desc array graphic chem-struct index-term
"""
_ENDS_A_WORD = """
p title label sec list list-item def def-item term def-list disp-quote boxed-text caption break attrib speech
speaker statement preformat sup sub element-citation citation name surname given-names verse-line hr
"""
_AWAY, _APART = frozenset(_NO_RUNNING_TEXT.split()), frozenset(_ENDS_A_WORD.split())
_SCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ]+|[₀₁₂₃₄₅₆₇₈₉₊₋₍₎]+")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Words of one article: in the XML, kept, and in the record but nowhere in the XML; then its paragraphs."""

    words: int
    kept: int
    glued: tuple[str, ...]
    paragraphs: int
    misplaced: int


def words(text: str) -> list[str]:
    """Return the words of a text, with raised and lowered digits as words of their own."""
    text = _SCRIPTS.sub(lambda found: f" {unicodedata.normalize('NFKC', found[0])} ", text)
    return _WORD.findall(re.sub(r"(\d)\s*(st|nd|rd|th)\b", r"\1 \2", text))


def score(raw: bytes, record: Record) -> Score:
    """Compare a record with the XML (plain, not packed) it was made from."""
    root = etree.fromstring(raw, etree.XMLParser(remove_comments=True, remove_pis=True))
    article = next(element for element in root.iter() if _name(element) == "article")
    references = {str(ref.get("id")) for ref in article.iter("{*}ref")}
    body = _children(article, "body")
    places = [
        place
        for front in _children(article, "front")
        for meta in _children(front, "article-meta")
        for place in [*_children(meta, "abstract"), *_children(meta, "trans-abstract")]
    ] + body
    pieces: list[str] = []
    for place in places:
        _collect(place, pieces, references)
        pieces.append(" ")
    want = Counter(words("".join(pieces)))
    texts = [line for part in record.abstracts for line in (part.label, part.text)]
    have = Counter(words("\n".join([*texts, *(block.text for block in record.body)])))
    everything: list[str] = []
    _collect(article, everything, set(), away=frozenset())
    anywhere = {*words("".join(everything)), *words(" ".join(_strings(article))), *words("".join(_strings(article)))}
    formulas = "".join("".join("".join(_strings(math)).split()) for math in article.iter("{*}math", "{*}tex-math"))
    formulas += "".join(block.text for block in record.body if block.kind is BlockKind.FORMULA)
    glued = [word for word in have if word not in anywhere and word not in formulas]
    paragraphs, misplaced = _order(body, record)
    return Score(
        words=want.total(),
        kept=(want & have).total(),
        glued=tuple(glued),
        paragraphs=paragraphs,
        misplaced=misplaced,
    )


def _order(body: list[Element], record: Record) -> tuple[int, int]:
    """Return the number of paragraphs with a long first run of text, and how many of them come too late or never."""
    flat, position, found, misplaced = " ".join(block.text for block in record.body), 0, 0, 0
    for paragraph in (paragraph for place in body for paragraph in place.iter("{*}p")):
        if any(_name(outer) in _AWAY for outer in paragraph.iterancestors()):
            continue
        runs = (" ".join((run or "").split()) for run in [paragraph.text, *(child.tail for child in paragraph)])
        run = next((run for run in runs if len(run) > 60), None)
        if run is not None:
            found += 1
            place = flat.find(run[10:58], position)
            misplaced += place < 0
            position = max(position, place)
    return found, misplaced


def _collect(element: Element, pieces: list[str], references: set[str], away: frozenset[str] = _AWAY) -> None:
    name = _name(element)
    if name in away or (name == "xref" and away and _is_number(element, references)):
        return
    apart = " " if name in _APART else ""
    pieces += [apart, element.text or ""]
    for child in element:
        _collect(child, pieces, references, away)
        pieces.append(child.tail or "")
    pieces.append(apart)


def _is_number(element: Element, references: set[str]) -> bool:
    kind = element.get("ref-type")
    cites = kind in ("bibr", "ref") or (not kind and element.get("rid") in references)
    text = "".join(_strings(element))
    note = kind in ("fn", "author-notes", "corresp", "aff") and len(text.strip()) <= 3
    return note or (cites and not re.search(r"[A-Za-z]{3}|\b(1[89]|20)\d\d", text))


def _strings(element: Element) -> list[str]:
    return [str(piece) for piece in element.itertext()]


def _children(element: Element, name: str) -> list[Element]:
    return [child for child in element if _name(child) == name]


def _name(element: Element) -> str:
    return etree.QName(element).localname
