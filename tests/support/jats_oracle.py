"""An oracle for JATS readers that shares no code with ours: the words and paragraphs of an article's XML.

It knows which elements end a word and which hold no running text, nothing else. `read_source` takes the XML apart,
`compare` holds any reader's text against it:

- *words* are those of abstracts, body and captions with their labels. Citations by number, the marks and texts of
  notes, formulas and the cells of tables are left out of the count, for readers may differ there by choice; so are
  brackets that only point to a citation by number (`jats_lead_ins`), the word "Abstract" above one, and at the end
  of one the notice of copyright and the article's own citation, by its volume and first page;
- a space before a script may be layout ("V <sub>T</sub>" is V_T), one behind it may be lost ("WO<sub>3</sub>films"),
  a raised o behind a number is a degree: such words are not counted, and either reading of them is allowed;
- an *invented* word is one in the output that the article has nowhere, neither as text between its block elements
  nor in a formula: "bodyThe", "105" for 10⁵, "therapy12"; a formula on a line may name what it cannot draw
  ("hat(AB)", "(n choose k)"), and says its lower script before its upper one;
- a *paragraph* is known by its first run of sixty characters without markup. It is lost when the output does not have
  it, misplaced when the output has it only before the paragraph that precedes it, repeated when the output has it more
  often than the article.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

from tests.benchmarks.peers_text import END, SCRIPT, tokens
from tests.support.jats_lead_ins import CITED, without_lead_ins, without_own_citation

Element = etree._Element

_NO_TEXT = """
ref-list sub-article response table fn fn-group table-wrap-foot object-id permissions sec-meta alternatives alt-text
long-desc graphic index-term institution-id glyph-data
"""
# Sections that say by their type that they are no running text (PMC's XML of 2026 has no back matter).
_FILED = re.compile(
    r"(?:kwd-group|ref-list|history|contrib-info|fn-group|ack|associated-data|data-availability|coi-statement|conflict"
    r"|competing-interests|disclosure|funding|author-contributions|disclaimer|ai-statement)(?:$|-)",
    re.IGNORECASE,
)
_FLOATS = "fig fig-group table-wrap table-wrap-group supplementary-material media"
_ENDS_A_WORD = (
    """
p title label sec list list-item def-item def term def-list disp-quote boxed-text caption break attrib speech
speaker statement preformat code verse-line hr td th entry array fn fn-group table tr row abstract trans-abstract body
ref-list ref element-citation mixed-citation citation nlm-citation name surname given-names
article-title source volume fpage lpage year kwd contrib aff disp-formula subtitle trans-title table-wrap-foot
sub-article response front-stub front back ack app glossary notes article-meta title-group journal-meta
institution-id
"""
    + _FLOATS
)
_AWAY, _FLOAT, _APART = (frozenset(names.split()) for names in (_NO_TEXT, _FLOATS, _ENDS_A_WORD))
_ABSTRACT = frozenset(
    ["abstract", "abstracts", "summary", "résumé", "resumen", "resumo", "riassunto", "zusammenfassung"]
)
_FORMULA = frozenset(["inline-formula", "disp-formula", "math", "tex-math", "chem-struct"])
SYMBOL = "ꙮ"  # a letter in place of a formula: a word that touches one is not counted
_FORMULAS = [f"{{*}}{name}" for name in sorted(_FORMULA)]
_VIEWS: tuple[dict[str, Any], ...] = (
    {"citations": True, "notes": " ", "formula": "math", "scripts": (SCRIPT, END)},
    {"citations": True, "notes": "", "formula": "tex-math", "scripts": (SCRIPT, END)},
    {"citations": False, "notes": " ", "formula": "math", "scripts": (" ", " ")},
)
_TEX_WRAPPER = re.compile(r"^.*\\begin\{document\}|\\end\{document\}.*$|\$", re.DOTALL)
_RUNS_ON = re.compile(r"[a-z]{2}")
_META = "{*}front/{*}article-meta/{*}"
_DEGREE = re.compile(rf"(?<=\d)\s*{SCRIPT}\s*[oO0º]\s*{END}")
_REGISTERED = re.compile(rf"\s*{SCRIPT}\s*\(r\)\s*{END}")
_NAMES_REFERENCE = re.compile(r"\b(?:refs?\b\.?|references?\b)", re.IGNORECASE)  # in the link: "ref. 5"
_LEAD_IN = re.compile(r"\s*[\[(][^\])]*$")  # "(see ", before a citation that may go with its brackets
_BREAK_BEHIND, _BREAK_BEFORE = re.compile(r"^[ \t\r]*\n\s*"), re.compile(r"[ \t\r]*\n\s*$")
_CLOSED_UP = re.compile(r"(?<![.,;:!?\s])[ \t\r]*\n\s*$")
_LEAD_OUT = re.compile(r"^[^()\[\]]{,40}[)\]]")  # ", p. 5)", behind one
_LAYOUT = re.compile(r"(?<=[(\[]) | (?=[)\],.])")
_OWN_DOI = re.compile(r"\s*(?i:doi)?:?\s*(?:https?://(?:dx\.)?doi\.org/)?10\.\d{4,9}/\S+\s*")
# What a line cannot draw.
_NAMED = frozenset(["acute", "bar", "breve", "check", "choose", "dot", "ddot", "grave", "hat", "tilde", "vec"])
_UPPER_FIRST = re.compile(r"(\^(?:\{[^{}]*\}|\w))\s*(_(?:\{[^{}]*\}|\w))")
_NOTES = ("fn", "author-notes", "corresp", "aff", "table-fn")
# A run has at least so many characters; these of them are looked for; so many must stand there again for a repetition.
_RUN, _PROBE, _LONG = 60, slice(10, 58), 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What an article's XML says, for `compare`."""

    words: Counter[str]
    allowed: frozenset[str]
    formulas: str
    runs: tuple[str, ...]  # the first long run of each paragraph, without markup
    lines: tuple[str, ...]  # all words, with and without citations by number


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Words of one article: in the XML, kept, and invented; then its paragraphs: all, lost, misplaced, repeated."""

    words: int
    kept: int
    invented: tuple[str, ...] = ()
    paragraphs: int
    lost: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()


def read_source(raw: bytes) -> Source:
    """Return what the XML (plain, not packed) of an article says."""
    root = etree.fromstring(raw, etree.XMLParser(remove_comments=True, remove_pis=True, huge_tree=True))
    article = next(element for element in root.iter() if _name(element) == "article")
    _close_up_scripts(article)
    for name in article.iter("{*}named-content"):  # genus and species touch in the XML, not in print
        following = name.getnext()
        if following is not None and _name(following) == "named-content" and not name.tail:
            name.tail = " "
    references = {str(ref.get("id")) for ref in article.iter("{*}ref")}
    words: Counter[str] = Counter()
    apart: set[str] = set()  # words beside a formula that touches them
    for place in _places(article):
        said = without_lead_ins("".join(_running(place, references)))
        if _name(place) in ("abstract", "trans-abstract"):
            volume, page = (article.findtext(f"{_META}{name}") or "" for name in ("volume", "fpage"))
            said = without_own_citation(said, volume=volume, page=page)
        running = _of_either_reading(_REGISTERED.sub(" ", said), f"{SYMBOL}{SCRIPT}", f"{END}{SYMBOL}", SYMBOL)
        words.update(word for word in tokens(running) if SYMBOL not in word)
        apart.update(tokens(running.replace(SYMBOL, " ")))
    maths = ["".join(_strings(math)) for math in article.iter(*_FORMULAS)]
    # A reader may keep a note's mark or not, and may take either form of a formula.
    views = [_View(references, **view) for view in _VIEWS]
    written = [view.text(root) for view in views]
    texts = [tokens(text) for text in written]
    others = [tokens(_of_either_reading(text, SCRIPT, f"{END} ", "°")) for text in written if SCRIPT in text]
    maths += [_UPPER_FIRST.sub(r"\2\1", math) for math in maths if _UPPER_FIRST.search(math)]
    formulas = "".join("".join(tokens(math)) + "".join(tokens("".join(math.split()))) for math in maths)
    return Source(
        words=words,
        allowed=frozenset(word for text in [*texts, *others, apart, _addresses(article)] for word in text),
        formulas=formulas + _without_accents(formulas),
        runs=tuple(_first_runs(article)),
        lines=(_line(texts[0]), _line(texts[-1])),
    )


def compare(source: Source, *, text: str, body: str) -> Score:
    """Compare a reader's text with the XML; `body` is the part of it that has an order, SYMBOL stands for formulas."""
    said = tokens(text)
    have = Counter(word for word in said if SYMBOL not in word)
    line, ordered, position = _line(said), _flat(body), 0
    lost, misplaced, repeated = [], [], []
    for run in source.runs:
        probe = run[_PROBE].strip()
        place = ordered.find(probe, position)
        if place >= 0:
            position = place
        else:
            (misplaced if probe in ordered else lost).append(probe)
        key = _line(tokens(run[:_LONG])[1:-1])  # the run may begin and end within a word
        if line.count(key) > max(own.count(key) for own in source.lines):
            repeated.append(probe)
    return Score(
        words=source.words.total(),
        kept=(source.words & have).total(),
        invented=tuple(
            word
            for word in have
            if word not in source.allowed
            and word not in source.formulas
            and _without_accents(word) not in source.formulas
            and not (word in _NAMED and source.formulas)
        ),
        paragraphs=len(source.runs),
        lost=tuple(lost),
        misplaced=tuple(misplaced),
        repeated=tuple(repeated),
    )


def _of_either_reading(text: str, before: str, behind: str, degree: str) -> str:
    """Return a text with other marks where a reader may close a gap at a script, open one, or see a degree."""
    first, *rest = _DEGREE.sub(degree, text).split(SCRIPT)
    pieces = [first]
    for piece in rest:  # white space before a script or behind its start goes, with the start
        left, right = pieces[-1].rstrip(), piece.lstrip()
        apart = len(left) < len(pieces[-1]) or len(right) < len(piece)
        pieces[-1:] = [left, before if apart else SCRIPT, right]
    first, *rest = "".join(pieces).split(END)
    pieces = [first]
    for piece in rest:  # a word runs on behind the script
        runs_on = _RUNS_ON.match(piece) is not None
        pieces[-1:] = [pieces[-1].rstrip() if runs_on else pieces[-1], behind if runs_on else END, piece]
    return "".join(pieces)


def _without_accents(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))


def _places(article: Element) -> Iterator[Element]:
    """Yield abstracts, body and floats that stand outside it."""
    for front in _children(article, "front"):
        for meta in _children(front, "article-meta"):
            yield from _children(meta, "abstract", "trans-abstract")
    yield from _children(article, "body", "floats-group", "floats-wrap")


def _running(element: Element, references: set[str]) -> Iterator[str]:
    """Yield the running text of an element; of a float, label and caption."""
    name = _name(element)
    if name == "p" and _OWN_DOI.fullmatch("".join(_strings(element))):  # of a figure or an abstract: an id, no text
        return
    if name in _FORMULA:
        yield SYMBOL
        return
    if name == "inline-graphic" or (name == "xref" and _cites_by_number(element, references)):
        yield f" {CITED} "  # what only leads to a picture goes, too
        return
    if (
        name in _AWAY
        or _is_filed(element)
        or (name == "strike" and any(map(str.isalnum, "".join(_strings(element)))))  # a mark alone is not struck out
        or (name == "title" and _names_an_abstract(element))
        or (name == "xref" and _marks_a_note(element))
    ):
        yield " " if name in _APART or name == "xref" else ""
        return
    before, after = (SCRIPT, END) if name in ("sup", "sub") else (" ", " ") if name in _APART else ("", "")
    yield before
    if name in _FLOAT:
        for child in element:
            if _name(child) in (*_FLOAT, "label", "caption"):
                yield from _running(child, references)
    else:
        yield element.text or ""
        for child in element:
            yield from _running(child, references)
            yield child.tail or ""
    yield after


class _View:
    """All text of an article in one of the forms that a reader may give it."""

    def __init__(
        self, references: set[str], *, citations: bool, notes: str, formula: str, scripts: tuple[str, str]
    ) -> None:
        self.references, self.citations, self.notes = references, citations, notes
        self.formula, self.scripts = formula, scripts

    def text(self, root: Element) -> str:
        """Return all text below an element."""
        pieces: list[str] = []
        self.read(root, pieces)
        return "".join(pieces)

    def read(self, element: Element, into: list[str]) -> None:
        """Add the text of an element; a block, a raised run and a reference's number stand apart."""
        name = _name(element)
        before, after = self.scripts if name in ("sup", "sub") else (" ", " ") if name in _APART else ("", "")
        if name == "xref" and _cites_by_number(element, self.references):
            if not self.citations:
                into.append(" ")
                return
            before = after = " "
        elif name == "xref" and _marks_a_note(element):
            before = after = self.notes
        into.append(before)
        forms = _children(element, self.formula) if name == "alternatives" else []
        if forms:
            self.read(forms[0], into)
        elif name == "tex-math":
            into.append(_TEX_WRAPPER.sub("", "".join(_strings(element))))
        elif name == "math":
            into.extend(_mathml(element))
        else:
            into.append(element.text or "")
            for child in element:
                self.read(child, into)
                into.append(child.tail or "")
        into.append(after)


def _mathml(element: Element) -> Iterator[str]:
    """Yield the tokens of a formula side by side, its scripts marked, those before a base where they are read."""
    scripts = _name(element).startswith(("msu", "mun", "mov"))
    yield (element.text or "").strip()
    children = list(element)
    edge = next((index for index, child in enumerate(children) if _name(child) == "mprescripts"), 0)
    for index, child in enumerate([*children[edge:], *children[:edge]] if edge else children):
        if _name(child) not in ("annotation", "annotation-xml"):
            yield SCRIPT if scripts and index else ""
            yield from _mathml(child)
            yield END if scripts and index else ""


def _first_runs(article: Element) -> Iterator[str]:
    """Yield the first long run of every paragraph of the body that has one, in the order of the runs."""
    seen: set[Element] = set()
    for paragraph, run in (found for body in _children(article, "body") for found in _runs(body, None)):
        run = _flat(_LEAD_OUT.sub("", _LEAD_IN.sub("", run)))
        if paragraph is not None and paragraph not in seen and len(run) > _RUN:
            seen.add(paragraph)
            yield run


def _runs(element: Element, paragraph: Element | None) -> Iterator[tuple[Element | None, str]]:
    """Yield the texts of a body outside its floats and notes, each with the paragraph it is directly in."""
    name = _name(element)
    if name in _AWAY or name in _FLOAT or name in _FORMULA or _is_filed(element):
        return
    inner = element if name == "p" else None
    yield inner, element.text or ""
    for child in element:
        yield from _runs(child, inner)
        yield inner, child.tail or ""


def _names_an_abstract(title: Element) -> bool:
    """Say whether a title stands above a whole abstract and says that it is one: no words of the article."""
    parent = title.getparent()
    above = parent is not None and _name(parent) in ("abstract", "trans-abstract")
    return above and "".join(_strings(title)).strip(" .:\n").casefold() in _ABSTRACT


def _is_filed(element: Element) -> bool:
    return _name(element) == "sec" and _FILED.match((element.get("sec-type") or "").strip()) is not None


def _close_up_scripts(article: Element) -> None:
    """Take the line breaks away that serializers put before scripts and inside them; isotopes keep theirs."""
    for script in article.iter("{*}sup", "{*}sub"):
        inner = script
        inner.text = _BREAK_BEHIND.sub("", inner.text or "")
        while not inner.text and len(inner):
            inner = inner[0]
            inner.text = _BREAK_BEHIND.sub("", inner.text or "")
        last = script[-1] if len(script) else None
        if last is None:
            script.text = _BREAK_BEFORE.sub("", script.text or "")
        else:
            last.tail = _BREAK_BEFORE.sub("", last.tail or "")
        isotope = _name(script) == "sup" and (script.text or "")[:1].isdecimal() and (script.tail or "")[:1].isupper()
        previous, parent = script.getprevious(), script.getparent()
        if isotope:
            continue
        if previous is not None and _name(previous) in ("break", "hr") and not (previous.tail or "").strip():
            continue
        if previous is not None:
            previous.tail = _CLOSED_UP.sub("", previous.tail or "")
        elif parent is not None:
            parent.text = _CLOSED_UP.sub("", parent.text or "")


def _cites_by_number(link: Element, references: set[str]) -> bool:
    kind = link.get("ref-type")
    cites = kind in ("bibr", "ref") or (not kind and link.get("rid") in references)
    said = _NAMES_REFERENCE.sub("", "".join(_strings(link)))
    return cites and not re.search(r"[^\W\d_]{3}|\b(1[89]|20)\d\d", said)


def _marks_a_note(link: Element) -> bool:
    return link.get("ref-type") in _NOTES and len("".join(_strings(link)).strip()) <= 3


def _flat(text: str) -> str:
    """Return a text on one line, without layout inside its brackets and before its punctuation."""
    return _LAYOUT.sub("", " ".join(text.split()))


def _addresses(article: Element) -> list[str]:
    """Return the words of all links' addresses, which a reader may write out."""
    return tokens(" ".join(str(link) for link in article.xpath("//@*[local-name() = 'href']")))


def _line(words: list[str]) -> str:
    return f" {' '.join(words)} "


def _strings(element: Element) -> list[str]:
    return [str(piece) for piece in element.itertext()]


def _children(element: Element, *names: str) -> list[Element]:
    return [child for child in element if _name(child) in names]


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
