"""Section reader: what `sec-type` says that a section is: keywords, references, notes, thanks, a statement on data, …

PMC's XML of 2026 has no back matter: all of it stands in `<body>`, as sections of these types; "associated-data" says
once more what a section of the article said.
"""

import re
from functools import lru_cache

from corpus.ncbi.jats.accounts import DROPPED, Accounts, solid
from corpus.ncbi.jats.body import BodyReader
from corpus.ncbi.jats.vocabulary import DECISIONS
from corpus.ncbi.markup.document import Markup
from corpus.records import BackPart, BlockKind

_DECISIONS = {name: decision for decision, names in DECISIONS["sec_types"].items() for name in names}
_KEYWORDS_LABEL = re.compile(
    r"\s*(?:key\s?-?words?|key\s?phrases?|index terms)(?:\s+(?:and|&)\s+\w+)?\s*[:.—–-]*\s*", re.I
)
_SEPARATORS = (";", "•", "·", "|", ",")  # the first that a line holds parts its keywords


class SectionReader(BodyReader):
    """The walk over one article with the rule of sections."""

    def __init__(self, doc: Markup, accounts: Accounts) -> None:
        super().__init__(doc, accounts)
        self._paragraph_of: dict[str, int] | None = None

    def _section(self, element: int) -> None:
        if self._buffer:
            self._close()
        if self._label:
            self._close_label()
        if b"sec-type" in self.doc.start_tag(element) and self.file_away(element):
            return
        self._depth += 1
        self.read(element)
        self._depth -= 1

    def file_away(self, section: int) -> bool:
        """Put a section where its `sec-type` says that it belongs; False when that is where it stands."""
        kind = kind_of(self.doc, section)
        decision = _DECISIONS.get(kind, "")
        if decision == "once" and not self._is_repeated(section):
            return False
        if decision == "keywords":
            self._keywords(section)
        elif decision in DROPPED:
            self.assign(section, decision)
        elif decision and self._is_repeated(section):
            self.assign(section, "duplicate_forms")
        elif decision:
            outer = self.enter(section, "back")
            if decision != "footnotes" or not self._are_notes(section):
                place = len(self.notes)
                self.notes[place:place] = self.back_part(section, kind)
            self.accounts.leave(outer)
        return bool(decision)

    def _first_paragraphs(self) -> dict[str, int]:
        """Return the first paragraph of every text."""
        if self._paragraph_of is None:
            doc, self._paragraph_of = self.doc, {}
            for row, name in enumerate(doc.tag_names):
                if name == "p":
                    self._paragraph_of.setdefault(doc.own_text(row).strip(), row)
        return self._paragraph_of

    def _is_repeated(self, section: int) -> bool:
        """Say whether every paragraph of a section stands in the article before it, word for word."""
        doc = self.doc
        paragraphs = [text for one in doc.descendants(section, "p") if (text := doc.own_text(one).strip())]
        return bool(paragraphs) and all(self._first_paragraphs()[text] < section for text in paragraphs)

    def _are_notes(self, section: int) -> bool:
        """Take the notes of a section that holds nothing else; False for another."""
        doc = self.doc
        rest = (doc.find(section, "title"), doc.find(section, "fn-group", "title"))
        notes = [*doc.descendants(section, "fn"), *filter(lambda title: title >= 0, rest)]
        if doc.solid(section) != sum(map(doc.solid, notes)):
            return False
        self.footnotes(section)
        return True

    def _keywords(self, element: int) -> None:
        """Take the keywords that stand in the text: a group, or a section with a line of them."""
        accounts = self.accounts
        before, written = accounts.counts["keywords"], accounts.written["keywords"]
        outer = self.enter(element, "keywords")
        found = self.doc.descendants(element, "kwd", "compound-kwd")
        if found:
            words = [*filter(None, map(self.line, found))]
        else:
            lines = [block.text for block in self.capture(element) if block.kind is not BlockKind.HEADING]
            words = [word for line in lines for word in split_keywords(line)]
        new = [word for word in dict.fromkeys(words) if word not in self.keywords]
        self.keywords += new
        read = sum(map(solid, new)) - (accounts.written["keywords"] - written)
        accounts.move("drawn_marks", accounts.counts["keywords"] - before - read)
        accounts.leave(outer)

    def back_part(self, element: int, kind: str) -> list[BackPart]:
        """Return an element as a part of the back matter, titled by its first heading; none when it says nothing."""
        title = ""
        lines: list[str] = []
        titled = self.doc.find(element, "title") >= 0
        for block in self.capture(element):
            if not title and not lines and block.kind is BlockKind.HEADING and titled:
                title = block.text
            else:
                lines.append(block.text)
        return [BackPart(kind=kind, title=title, text="\n".join(lines))] if title or lines else []


@lru_cache(maxsize=1 << 10)
def _known(start_tag: bytes) -> str:
    stated = re.search(rb"\ssec-type\s*=\s*[\"']([^\"']*)", start_tag)
    kind = stated[1].decode().strip().casefold() if stated else ""
    return next((name for name in _DECISIONS if kind == name or kind.startswith(f"{name}-")), "")


def kind_of(doc: Markup, section: int) -> str:
    """Return the known `sec-type` that a section's own is or begins with, "" for others."""
    start_tag = doc.start_tag(section)
    return _known(start_tag) if b"sec-type" in start_tag else ""


def split_keywords(line: str) -> list[str]:
    """Return the keywords of one line, without the words "Keywords:" before them."""
    label = _KEYWORDS_LABEL.match(line)
    line = line[label.end() :] if label else line
    separator = next((mark for mark in _SEPARATORS if mark in line), ",")
    return [word for part in line.split(separator) if (word := part.strip(" ."))]
