"""Legend of reasons: the words under which records were dropped or rejected, with what each means and its count.

The meaning of a reason is the comment on its line of `corpus/reasons.py`, as on the page `docs/data.md`.
"""

import inspect
import re
from collections.abc import Mapping
from enum import StrEnum

from corpus.reasons import DropReason, PileDrop, RejectReason
from pipelines.report.elements import ReportTable

_MEMBER = re.compile(r'^ +[A-Z_]+ = "(\w+)"  # (.+)$', re.MULTILINE)
_HEAD = ("reason", "records", "what it means")


def legend(counts: Mapping[str, int]) -> ReportTable:
    """Return the reasons that occur, most frequent first."""
    meant = {name: text for kind in (RejectReason, DropReason, PileDrop) for name, text in meanings(kind).items()}
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ReportTable(head=_HEAD, rows=[(name, f"{count:,}", meant.get(name, "")) for name, count in rows], text=True)


def meanings(kind: type[StrEnum]) -> dict[str, str]:
    """Return what each reason of a kind means; the page has no type for the marks of code."""
    return {name: text.replace("`", "") for name, text in _MEMBER.findall(inspect.getsource(kind))}
