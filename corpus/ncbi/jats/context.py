"""Reader by context: elements that are a block among blocks and running text in a sentence, unknown ones among them."""

from typing import Final

from corpus.ncbi.jats.accounts import Accounts
from corpus.ncbi.jats.forms import ALTERNATIVES
from corpus.ncbi.jats.sections import SectionReader
from corpus.ncbi.jats.vocabulary import DECISIONS
from corpus.ncbi.markup.document import Markup

# Elements with running text in them: what stands there is part of a sentence.
_PHRASES: Final = frozenset(
    [
        *(name for part in ("paragraph", "title", "label", "term", "term_head") for name in DECISIONS["blocks"][part]),
        *DECISIONS["blocks"]["formula"],
        *("td", "th", "entry", "xref", "verse-line", "kwd", "article-title", "trans-title", "styled-content"),
    ]
) - {"author-comment", "question-preamble"}

_MOST_UNKNOWN, _LONGEST_NAME = 100, 80  # what is kept of a hostile article: names, and characters of one
_NEAR: Final = 40  # characters before an abbreviation within which its meaning may end: "… Organization (WHO"


class ContextReader(SectionReader):
    """The walk over one article with the rules that depend on what stands around an element."""

    def __init__(self, doc: Markup, accounts: Accounts) -> None:
        super().__init__(doc, accounts)
        self._blocks_inside: dict[int, bool] = {}  # by element: whether all text in it is that of its children
        self._unknown_end = -1  # where the last unknown element in running text ended

    def _among_blocks(self, element: int) -> bool:
        """Say whether an element stands among blocks, not in running text."""
        doc, parent = self.doc, self.doc.parents[element]
        if parent < 0 or doc.tag_names[parent] in _PHRASES:
            return False
        if parent not in self._blocks_inside:
            around = doc.tag_names[parent]
            block = (bool(around) and around not in ALTERNATIVES) or self._among_blocks(parent)
            self._blocks_inside[parent] = block and doc.solid(parent) == sum(map(doc.solid, doc.children(parent)))
        return self._blocks_inside[parent]

    def _by_place(self, element: int) -> None:
        if self._among_blocks(element):
            self._container(element)
            return
        if self.doc.starts[element] == self._unknown_end:  # the words of two unknown elements are not one
            self._buffer.append(" ")
        self._content(element)
        if not self.doc.tag_names[element] and self.doc.solid(element):
            self._unknown_end = self.doc.ends[element]

    def _unknown(self, element: int) -> None:
        if len(self.unknown) < _MOST_UNKNOWN:
            self.unknown.add(self.doc.written_name(element)[:_LONGEST_NAME])
        self._by_place(element)

    def _code(self, element: int) -> None:
        """Read code: in a sentence as its words, unless it has lines; else as a block."""
        doc, parent = self.doc, self.doc.parents[element]
        while parent >= 0 and doc.tag_names[parent] in ALTERNATIVES:
            parent = doc.parents[parent]
        alone = parent < 0 or doc.solid(parent) == doc.solid(element)
        if alone or self._among_blocks(element) or "\n" in doc.verbatim(element).strip():
            self._preformat(element)
        else:
            self._content(element)

    def _definition(self, element: int) -> None:
        """Read what an item of a list or an abbreviation in a sentence means; the latter stands in brackets."""
        doc, parent = self.doc, self.doc.parents[element]
        if parent < 0 or doc.tag_names[parent] == "def-item":
            self._spaced(element)
            return
        start, meaning = doc.starts[element], doc.own_text(element).strip().casefold()
        if meaning in doc.text[max(doc.starts[parent], start - len(meaning) - _NEAR) : start].casefold():
            self.assign(element, "duplicate_forms")
        elif text := self.line(element):
            self._buffer.append(f" ({text})")
            self.accounts.write(len("()"))

    def _address(self, element: int) -> None:
        """Read an address as one block, its parts side by side, or as part of a sentence."""
        if not self._among_blocks(element):
            self._spaced(element)
            return
        self._paragraph(element)

    def _term_head(self, element: int) -> None:
        """Read the heads of a list's two columns as one line; without the second, the first is a line."""
        if self._head_of_meanings(element) >= 0:
            self._term(element)
        else:
            self._paragraph(element)

    def _head_of_meanings(self, element: int) -> int:
        parent = self.doc.parents[element]
        return self.doc.find(parent, "def-head") if parent >= 0 else -1
