"""Recipes: one paper to the question of a kind, or the reason why it gives none. Pure functions of its record.

`conclusion` and `statement` follow PubMedQA's PQA-U and PQA-A (Jin et al. 2019, section 3): titles that ask, or that
state, over structured abstracts with a conclusion; the context is what stands before the conclusion, as in PubMedQA
itself without labels and joined by spaces. `title` asks which title an abstract has.
"""

import re
from dataclasses import dataclass
from typing import Final

from corpus.qa.silver.candidate import Candidate, SilverDrop, SilverKind, order_of
from corpus.qa.silver.statements import is_balanced, statement_question
from corpus.records import AbstractPart, Kind, Record
from corpus.text.abstracts import printed_parts
from corpus.text.letters import tidy_letters
from corpus.text.render import plain_lines

MIN_TITLE_WORDS, MIN_ABSTRACT_WORDS, MIN_QUESTION_WORDS = 5, 30, 4
PAPERS: Final = (Kind.CITATION, Kind.ARTICLE)
_CONCLUSION: Final = re.compile(r"conclu[ds]|interpretation|bottom line|implications", re.IGNORECASE)
_MIXED: Final = re.compile(r"result|finding|method|background|objective|observation", re.IGNORECASE)
_NLM: Final = "CONCLUSIONS"  # its category
_ASKS: Final = re.compile(
    r"(?:.*[:.,–—-]\s)?(?:is|are|was|were|does|do|did|can|could|should|will|would|has|have|may|might|must)\s",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """What the recipes read of a record: its title as one line, its abstract in parts."""

    record: Record
    cluster: str
    title: str  # without brackets of a translation and the full stop
    parts: tuple[AbstractPart, ...]  # with text, letters tidied

    @property
    def abstract(self) -> str:
        """Texts of all parts, as PubMedQA joins them."""
        return " ".join(part.text for part in self.parts)


def paper_of(record: Record, cluster: str) -> Paper | SilverDrop:
    """Return a record as a paper, or why it is none."""
    if record.kind not in PAPERS:
        return SilverDrop.NO_PAPER
    title = _title(record.title)
    if not title or record.title_language not in ("", "en"):
        return SilverDrop.NO_TITLE
    parts = [(part, " ".join(plain_lines(part.text).split())) for part in printed_parts(record.abstracts)]
    kept = tuple(
        AbstractPart(label=part.label, category=part.category, text=text) for part, text in parts if text.strip()
    )
    return Paper(record=record, cluster=cluster, title=title, parts=kept) if kept else SilverDrop.NO_ABSTRACT


def make_candidate(paper: Paper, kind: SilverKind, *, seed: int) -> Candidate | SilverDrop:
    """Return what a paper gives by a recipe."""
    if kind == SilverKind.TITLE:
        return _of_title(paper, seed)
    return _of_conclusion(paper, kind, seed)


def _title(title: str) -> str:
    line = " ".join(tidy_letters(title).split()).rstrip(".").strip()
    if line.startswith("[") and line.endswith("]"):  # NLM's mark of a translation
        line = line[1:-1].strip().rstrip(".")
    return line


def _of_title(paper: Paper, seed: int) -> Candidate | SilverDrop:
    if len(paper.title.split()) < MIN_TITLE_WORDS:
        return SilverDrop.TITLE_TOO_SHORT
    abstract = paper.abstract
    if len(abstract.split()) < MIN_ABSTRACT_WORDS:
        return SilverDrop.ABSTRACT_TOO_SHORT
    if _letters(paper.title) in _letters(abstract):
        return SilverDrop.TITLE_IN_ABSTRACT
    subject = paper.record.journal
    return _candidate(paper, SilverKind.TITLE, seed, text=abstract, answer=paper.title, subject=subject)


def _of_conclusion(paper: Paper, kind: SilverKind, seed: int) -> Candidate | SilverDrop:
    asked, affirmed = _question(paper.title), None
    if kind == SilverKind.STATEMENT:
        made = statement_question(paper.title, paper.abstract)
        asked, affirmed = (made.text, made.affirmed) if made else (None, None)
    if asked is None:
        return SilverDrop.NO_QUESTION if kind == SilverKind.CONCLUSION else SilverDrop.NO_STATEMENT
    if "protocol" in paper.title.casefold():
        return SilverDrop.PROTOCOL
    at = next((place for place, part in enumerate(paper.parts) if _is_conclusion(part)), None)
    if at is None:
        return SilverDrop.NO_CONCLUSION
    if at == 0:
        return SilverDrop.NO_CONTEXT
    return _candidate(
        paper,
        kind,
        seed,
        text=asked,
        context=" ".join(part.text for part in paper.parts[:at]),
        answer=paper.parts[at].text,
        label=affirmed,
        subject="" if kind == SilverKind.STATEMENT else "yes-no" if _asks_yes_no(asked) else "open",
    )


def _question(title: str) -> str | None:
    """Return the title up to its only question mark: what follows is a subtitle."""
    asked, mark, behind = title.partition("?")
    if not mark or "?" in behind or len(asked.split()) < MIN_QUESTION_WORDS:
        return None
    if behind[:1].isalnum():  # a letter that was lost on the way
        return None
    asked = asked.strip()
    return f"{asked}?" if is_balanced(asked) and asked.count('"') % 2 == 0 else None


def _asks_yes_no(asked: str) -> bool:
    """Say whether a question begins as those of yes or no do and offers no alternatives (PQA-U's rule)."""
    return _ASKS.match(asked) is not None and " or " not in asked.lower()


def _is_conclusion(part: AbstractPart) -> bool:
    """Say whether a part of an abstract is the conclusion, and nothing else with it."""
    stated = part.category.upper() == _NLM or _CONCLUSION.search(part.label) is not None
    return stated and _MIXED.search(part.label) is None


def _letters(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _candidate(paper: Paper, kind: SilverKind, seed: int, *, text: str, answer: str, subject: str,
               context: str = "", label: bool | None = None) -> Candidate:  # fmt: skip
    record = paper.record
    return Candidate(
        kind=kind,
        doc_id=record.doc_id,
        cluster=paper.cluster,
        journal=record.journal,
        order=order_of(seed, record.doc_id),
        text=text,
        context=context,
        answer=answer,
        label=label,
        subject=subject,
        pmid=record.pmid,
        file=record.file,
        position=record.position,
    )
