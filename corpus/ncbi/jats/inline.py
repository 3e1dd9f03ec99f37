"""Inline reader: running text of JATS with its scripts, links, formulas and citations.

`InlineReader` gathers the text of mixed content in a buffer, one rule a tag; `corpus.ncbi.jats.rules` adds the rules of
blocks. Elements without a rule are inline markup: their text stays, and they never add or remove a space; those outside
the vocabulary are not even visited, for their text is part of the slice around them. Scripts, citations and marks of
notes travel as control characters and are decided in `corpus.ncbi.jats.lines`, when a line is whole.
"""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, ClassVar, Final

from corpus.ncbi.jats.accounts import Accounts, solid
from corpus.ncbi.jats.citations import CLOSE, GONE, OPEN
from corpus.ncbi.jats.forms import choose, is_beside_math, surplus
from corpus.ncbi.jats.reference_labels import author_years
from corpus.ncbi.jats.vocabulary import DECISIONS
from corpus.ncbi.markup.document import Markup
from corpus.ncbi.markup.formulas import PICTURE, linear_math, linear_tex, set_apart, stated_math, tex_source

InlineRule = Callable[[Any, int], None]
Rules = Mapping[Any, InlineRule]
_PICTURES: Final = frozenset(["graphic", "inline-graphic", "media", "inline-media"])
_WORDS_OF_PICTURES: Final = frozenset(["caption", "label", "p", "attrib"])
# Links that are buttons of reference lists, whose target no reader sees.
_BUTTONS: Final = frozenset(
    ["google-scholar", "webcite", "pmid", "pubmed", "pmcid", "isi", "scopus", "cas", "medline", "ads"]
)
_BEFORE_PICTURE: Final = frozenset("([,;")
_BEHIND_PICTURE: Final = frozenset(")],;:")
_AS_WORDS: Final = "text."  # ids of empty links that print as words of a sentence (Copernicus; natbib's \\citet)
_NEIGHBOUR: Final = 16  # characters beside a formula that say whether it touches a word

_OVERLINE: Final = "\u0305"  # combines with the letter before it
_MOST_OVERLINED: Final = 12  # characters; a line over more is layout
_STRUCK: Final = re.compile("strike|line-through")
# Small capitals that are capitals: a unit or a form (m<sc>m</sc>, <sc>l</sc>-lysine), an acronym; longer runs are show.
_CAPITAL: Final = re.compile(r"\s*[a-z]\s*")
_ACRONYM: Final = re.compile(r"\s*(?!(?:and|at|by|for|from|in|of|or|the|to|with)\b)[a-z][a-z.]{1,6}[-,;]?\s*")


class InlineReader:
    """Gathers the text of mixed content; `in_cell` says that a table cell is being read."""

    RULES: ClassVar[Rules] = {}

    def __init__(self, doc: Markup, accounts: Accounts) -> None:
        self.doc, self.accounts = doc, accounts
        self.trace: list[tuple[int, str]] = []  # which element went to which account, the last word counts
        self.in_cell = False
        self._buffer: list[str] = []
        self._surplus: set[int] = set()  # forms of a formula that another form beside them says
        self._last_math = -1
        self._reference_ids: frozenset[str] | None = None
        self._reference_names: dict[str, str] | None = None

    def _references(self) -> frozenset[str]:
        """Return the ids of the reference list, for links that do not say what they link to."""
        if self._reference_ids is None:
            lists = [row for row, name in enumerate(self.doc.tag_names) if name == "ref-list"]
            self._reference_ids = frozenset([found for row in lists for found in self.doc.ids_inside(row, b"ref")])
        return self._reference_ids

    def _names(self) -> dict[str, str]:
        """Return how a sentence names each reference, for links that print its label."""
        if self._reference_names is None:
            self._reference_names = author_years(self.doc)
        return self._reference_names

    def _content(self, element: int, rules: Rules | None = None) -> None:
        """Add the content of an element to the buffer, without its own tail; `rules` are those for its children."""
        doc, append, find_rule = self.doc, self._buffer.append, (rules or self.RULES).get
        text, names = doc.text, doc.tag_names
        starts, ends, nexts = doc.starts, doc.ends, doc.nexts
        pos, child, stop = starts[element], element + 1, nexts[element]
        while child < stop:
            if pos < (start := starts[child]):
                append(text[pos:start])
            if (rule := find_rule(names[child])) is not None:
                rule(self, child)
            elif nexts[child] > child + 1:
                self._content(child)
            else:
                append(text[starts[child] : ends[child]])
            pos, child = ends[child], nexts[child]
        if pos < (end := ends[element]):
            append(text[pos:end])

    def _spaced(self, element: int) -> None:
        self._buffer.append(" ")
        self._content(element)
        self._buffer.append(" ")

    def assign(self, element: int, account: str) -> None:
        """Count an element's text for an account of its own."""
        self.trace.append((element, account))
        if characters := self.doc.solid(element):
            self.accounts.move(account, characters)

    def enter(self, element: int, account: str) -> str:
        """Count an element's text for an account, and make that the current one; return the one to leave to."""
        self.trace.append((element, account))
        return self.accounts.enter(account, self.doc.solid(element))

    def _run(self, element: int) -> str:
        """Return the raw text of an inline element."""
        if self.doc.nexts[element] == element + 1:
            return self.doc.own_text(element)
        start = len(self._buffer)
        self._content(element)
        run = "".join(self._buffer[start:])
        del self._buffer[start:]
        return run

    def _xref(self, element: int) -> None:
        """Read a link that does not say what it links to, or cites and is empty; others are marked by the scan."""
        attributes = self.doc.attributes(element)
        cited = (attributes.get("rid") or "").split()
        cites = attributes.get("ref-type") in ("bibr", "ref") or not self._references().isdisjoint(cited)
        if cites and attributes.get("id", "").startswith(_AS_WORDS):
            names = "; ".join(filter(None, map(self._names().get, cited)))
            self.accounts.write(solid(names))
            self._buffer.append(names)
        self._buffer.append(OPEN if cites else "")
        self._content(element)
        self._buffer.append(CLOSE if cites else "")

    def _link(self, element: int) -> None:
        """Read a link to an address; one without text is read as the address."""
        doc, first = self.doc, len(self._buffer)
        self._content(element)
        if len(self._buffer) < first or "".join(self._buffer[first:]).strip():
            return
        del self._buffer[first:]
        attributes = doc.attributes(element)
        address = attributes.get("href", "").strip().removeprefix("mailto:")
        if not address or address[0] == "#" or attributes.get("ext-link-type") in _BUTTONS:
            return
        start, end = doc.starts[element], doc.ends[element]
        before = " " if doc.text[:start][-1:].isalnum() else ""
        after = " " if doc.text[end : end + 1].isalnum() else ""
        self._buffer.append(f"{before}{address}{after}")
        self.accounts.write(solid(address))

    def _graphic(self, element: int) -> None:
        """Read what a picture says in words: its caption, not its description."""
        doc = self.doc
        inside = range(element + 1, doc.nexts[element])  # mostly nothing
        if inside and any(doc.tag_names[child] in _WORDS_OF_PICTURES for child in inside):
            self._content(element)
        else:
            self.assign(element, "alt_text")

    def _small_picture(self, element: int) -> None:
        """Leave a picture in a sentence out, and the brackets or commas around nothing else: "IP6 (<picture>); DON"."""
        text, start, end = self.doc.text, self.doc.starts[element], self.doc.ends[element]
        before, after = text[max(start - 2, 0) : start].rstrip()[-1:], text[end : end + 2].lstrip()[:1]
        parent = self.doc.parents[element]
        held = parent >= 0 and self.doc.tag_names[parent] in _SPEAKING
        if before in _BEFORE_PICTURE and after in _BEHIND_PICTURE and not held:
            self._buffer.append(GONE)
        self.assign(element, "alt_text")

    def _math(self, element: int) -> None:
        if self._is_surplus(element):
            return
        doc, accounts = self.doc, self.accounts
        shown, before = linear_math(doc, element), accounts.counts[accounts.current]
        text = shown if shown.strip() else stated_math(doc, element)
        self._last_math = element if text else self._last_math
        parent = doc.parents[element]
        held = parent >= 0 and doc.tag_names[parent] in _FORMULAS
        self._buffer.append(text if held else self._set_apart(text, element))
        for inner in range(element + 1, doc.nexts[element]):
            if text == shown and doc.tag_names[inner] in ("annotation", "annotation-xml", "mphantom"):
                self.assign(inner, "duplicate_forms")
        moved = before - accounts.counts[accounts.current]
        accounts.write(solid(text) - doc.solid(element) + moved)

    def _tex(self, element: int) -> None:
        if self._is_surplus(element, beside_math=True):
            return
        source = self.doc.own_text(element)
        text = linear_tex(self.doc.verbatim(element) if "%" in source else source)
        kept = tex_source(source) if text else ""
        self.accounts.move("tex_preamble", solid(source) - solid(kept))
        self.accounts.write(solid(text) - solid(kept))
        self._buffer.append(text)

    def _inline_formula(self, element: int) -> None:
        """Read a formula in a sentence; one that is only a picture leaves a mark."""
        self._mark_surplus(element)
        text = self._run(element)
        if not text.strip():
            text = self._mark_of_picture(element)
        self._buffer.append(self._set_apart(text, element))

    def _mark_of_picture(self, element: int) -> str:
        """Return what stands for a formula without text: nothing, unless there is a picture of it and no TeX."""
        names = self.doc.tag_names[element + 1 : self.doc.nexts[element]]
        has_tex = "tex-math" in names and any(map(self.doc.solid, self.doc.descendants(element, "tex-math")))
        mark = PICTURE if _PICTURES.intersection(names) and not has_tex else ""
        self.accounts.write(solid(mark))
        return mark

    def _set_apart(self, text: str, element: int) -> str:
        before = next((piece for piece in reversed(self._buffer) if piece), "")
        end = self.doc.ends[element]
        return set_apart(text, before[-_NEIGHBOUR:], self.doc.text[end : end + _NEIGHBOUR])

    def _textual_form(self, element: int) -> None:
        if not self._is_surplus(element):
            self._content(element)

    def _mark_surplus(self, formula: int) -> None:
        if self.doc.nexts[formula] > formula + 2:  # more than one element in it
            self._surplus.update(surplus(self.doc, formula))

    def _is_surplus(self, form: int, *, beside_math: bool = False) -> bool:
        """Say whether a form is not to be read, and account for it."""
        parent = self.doc.parents[form]
        bare = beside_math and parent >= 0 and self.doc.tag_names[parent] not in _FORMULAS
        if form not in self._surplus and not (bare and is_beside_math(self.doc, form, self._last_math)):
            return False
        self.assign(form, "duplicate_forms")
        return True

    def _alternatives(self, element: int) -> None:
        """Read one of several forms of the same: MathML, else TeX, else a table, else the first with text."""
        if self._is_surplus(element):
            return
        doc, chosen = self.doc, choose(self.doc, element)
        if chosen < 0:  # pictures; or text that no form holds
            self._content(element)
            return
        self.trace += [(element, "duplicate_forms"), (chosen, self.accounts.current)]
        self.accounts.move("duplicate_forms", doc.solid(element) - doc.solid(chosen))
        if (rule := self.RULES.get(doc.tag_names[chosen])) is not None:
            rule(self, chosen)
        else:
            self._buffer.append(self._run(chosen))

    def _struck(self, element: int) -> None:
        """Leave struck text out, but not a mark alone: "12" and "12" are no 1212."""
        if any(letter.isalnum() for letter in self.doc.own_text(element)):
            self.assign(element, "struck_text")
        else:
            self._content(element)

    def _styled(self, element: int) -> None:
        attributes = self.doc.attributes(element)
        struck = any(name.startswith("style") and _STRUCK.search(value) for name, value in attributes.items())
        (self._struck if struck else self._content)(element)

    def _overline(self, element: int) -> None:
        """Read overlined characters, a line over each: P1̅ is no P1."""
        run, level, letters = self._run(element), 0, []
        for letter in run:
            level += (letter in "\x04\x06") - (letter in "\x05\x07")
            letters.append(letter + _OVERLINE if letter.isalnum() and not level else letter)
        text = "".join(letters) if solid(run) <= _MOST_OVERLINED else run
        self.accounts.write(len(text) - len(run))
        self._buffer.append(text)

    def _small_caps(self, element: int) -> None:
        """Read small capitals as print shows them, where they stand for capitals: 5 mM, D-glucose, ANOVA."""
        run, end = self._run(element), self.doc.ends[element]
        before = next((piece[-1] for piece in reversed(self._buffer) if piece), "")
        if _CAPITAL.fullmatch(run):
            capitals = not self.doc.text[end : end + 1].isalpha()
        else:
            capitals = not before.isalnum() and _ACRONYM.fullmatch(run) is not None
        self._buffer.append(run.upper() if capitals else run)

    def _reading(self, element: int) -> None:
        """Read how a ruby base is spoken, in brackets, unless `rp` brings them."""
        bracketed = self.doc.text[max(self.doc.starts[element] - 2, 0) : self.doc.starts[element]].rstrip()[-1:] in (
            "(",
            "（",
        )
        self._buffer.append("" if bracketed else " (")
        self._content(element)
        self._buffer.append("" if bracketed else ")")
        self.accounts.write(0 if bracketed else len("()"))

    def _reference(self, element: int) -> None:
        """Read a reference inside a paragraph; its parts may stand without anything between them."""
        doc = self.doc
        if doc.tag_names[element] == "citation-alternatives":
            element = self._one_citation(element)
        inside = range(element + 1, doc.nexts[element])
        bounds = {doc.starts[element], doc.ends[element]}
        bounds.update(doc.starts[row] for row in inside)
        bounds.update(doc.ends[row] for row in inside)
        places = sorted(bounds)
        self._buffer.append(" ".join(doc.text[a:b] for a, b in pairwise(places)))

    def _one_citation(self, element: int) -> int:
        """Return the form of a reference to read: the one that is written as people read it, else the first."""
        doc, forms = self.doc, self.doc.children(element)
        chosen = min(forms, key=lambda form: doc.tag_names[form] != "mixed-citation", default=element)
        self.accounts.move("duplicate_forms", doc.solid(element) - doc.solid(chosen))
        return chosen


def skip(reason: str) -> InlineRule:
    """Return the rule of an element that is left out for a reason."""
    return lambda reader, element: reader.assign(element, reason)


_FORMULAS: Final = frozenset(
    [*DECISIONS["forms"]["inline_formula"], *DECISIONS["forms"]["alternatives"], *DECISIONS["blocks"]["formula"]]
)
_SPEAKING: Final = _FORMULAS | {"ext-link", "uri", "email"}  # they have words for a picture
SKIPS: dict[Any, InlineRule] = {
    name: skip(account) for account, names in DECISIONS["dropped"].items() for name in names
}
NAMES: Final = {**DECISIONS["forms"], **DECISIONS["inline"]}
_RULES: Final[Mapping[str, InlineRule]] = {
    "alternatives": InlineReader._alternatives,
    "inline_formula": InlineReader._inline_formula,
    "textual_form": InlineReader._textual_form,
    "struck": InlineReader._struck,
    "styled": InlineReader._styled,
    "spaced": InlineReader._spaced,
    "reference": InlineReader._reference,
    "link": InlineReader._xref,
    "math": InlineReader._math,
    "tex": InlineReader._tex,
    "overline": InlineReader._overline,
    "small_caps": InlineReader._small_caps,
    "reading": InlineReader._reading,
    "picture": InlineReader._graphic,
    "small_picture": InlineReader._small_picture,
    "web_link": InlineReader._link,
}
INLINE_RULES: dict[Any, InlineRule] = {
    **SKIPS,
    **{name: rule for part, rule in _RULES.items() for name in NAMES[part]},
}
