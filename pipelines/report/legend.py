"""Legend of reasons: the words under which a stage dropped or rejected records, with what each means and its count.

The meaning of a reason is the comment on its line, as on the page `docs/data.md`. One word may stand for two things in
two stages: `no_text` is a record without one in `assemble`, and a line without the key of it in `dedup`.
"""

import inspect
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from corpus.foreign.rows import LineReject
from corpus.qa.silver.candidate import SilverDrop
from corpus.qa.sources import QuestionDrop
from corpus.reasons import DropReason, FetchDrop, PileDrop, RejectReason, TextDrop
from pipelines.report.elements import ReportTable

REASONS: Final[Mapping[str, tuple[type[StrEnum], ...]]] = {  # by stage; the first that has a word says what it means
    "fetch-pmc": (FetchDrop,),
    "extract": (RejectReason,),
    "assemble": (DropReason, PileDrop),
    "dedup": (LineReject, DropReason),
    "tokenizer": (TextDrop,),
    "pack": (TextDrop,),
    "publish": (DropReason,),
    "qa questions": (QuestionDrop,),
}
_MEMBER = re.compile(r'^ +[A-Z_0-9]+ = "(\w+)"  # (.+)$', re.MULTILINE)
_HEAD = ("reason", "records", "what it means")


def legend(stage: str, counts: Mapping[str, int]) -> ReportTable:
    """Return the reasons that occur in a stage's books, most frequent first."""
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ReportTable(head=_HEAD, rows=[(name, f"{count:,}", meaning(stage, name)) for name, count in rows], text=True)


def meaning(stage: str, reason: str) -> str:
    """Return what a reason means in a stage; "" where the stage has no such word.

    Reasons of silver questions stand behind their recipe: `title few_titles`.
    """
    recipe, _, word = reason.rpartition(" ")
    kinds = (SilverDrop,) if recipe else REASONS.get(stage, ())
    return next((found for kind in kinds if (found := meanings(kind).get(word))), "")


def meanings(kind: type[StrEnum]) -> dict[str, str]:
    """Return what each reason of a kind means; the page has no type for the marks of code."""
    return {name: text.replace("`", "") for name, text in _MEMBER.findall(inspect.getsource(kind))}
