"""What a run of benchmarks printed, kept as JSON, and what is another figure than in the last one.

A line is known by its words: the same line with other numbers is a change. Words with a digit in them (`ZeRO-1`,
`2.7B`) are words.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from corpus.errors import UsageError
from corpus.storage.json_files import BadJsonError, build

_NUMBER: Final = re.compile(r"(?<![\w.,-])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """One benchmark that ran to its end: its command, what it took, and what it printed."""

    name: str
    command: str
    cpu_seconds: float  # of all its processes
    peak_mb: int  # of all its processes together [10^6 bytes]
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """A run of benchmarks: the machine, the versions, and what each printed."""

    machine: str
    versions: tuple[str, ...]
    ran: tuple[Ran, ...]


def read_figures(path: Path) -> Figures:
    """Return a run that was kept; raises UsageError for a file that is none."""
    try:
        return build(Figures, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, BadJsonError) as error:
        raise UsageError(f"{path}: not a table that `--save` wrote ({error}); write one with --save FILE") from error


def write_figures(path: Path, figures: Figures, before: Figures | None) -> None:
    """Keep a run; what did not run now stays as it was before."""
    now = {one.name for one in figures.ran}
    kept = [one for one in before.ran if one.name not in now] if before else []
    ran = sorted([*kept, *figures.ran], key=lambda one: one.name)
    content = {**asdict(figures), "ran": [asdict(one) for one in ran]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def changes(before: Ran, now: Ran, *, least: float) -> Iterator[str]:
    """Yield a line for each figure that differs by this share or more, and for lines that are new or gone."""
    yield from _changed("CPU seconds", [before.cpu_seconds], [now.cpu_seconds], least)
    yield from _changed("peak MB", [before.peak_mb], [now.peak_mb], least)
    old, new = _by_words(before.lines), _by_words(now.lines)
    for words in [*old, *(words for words in new if words not in old)]:
        pairs = list(zip(old[words], new[words], strict=False)) if words in old and words in new else []
        for one, other in pairs:
            yield from _changed(words, one, other, least)
        gone, added = len(old.get(words, ())) - len(pairs), len(new.get(words, ())) - len(pairs)
        if gone > 0 and _NUMBER.search(words.replace("#", "1")):
            yield f"gone: {words}"
        if added > 0 and _NUMBER.search(words.replace("#", "1")):
            yield f"new: {words}"


def _by_words(lines: Sequence[str]) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = defaultdict(list)
    for line in lines:
        numbers = [float(number.replace(",", "")) for number in _NUMBER.findall(line)]
        if words := " ".join(_NUMBER.sub("#", line).split()):
            found[words].append(numbers)
    return dict(found)


def _changed(words: str, before: Sequence[float], now: Sequence[float], least: float) -> Iterator[str]:
    pairs = [
        (one, other) for one, other in zip(before, now, strict=True) if _share(one, other) >= least and one != other
    ]
    if pairs:
        told = ", ".join(f"{one:g} → {other:g}" + (f" ({other / one:.2f} ×)" if one else "") for one, other in pairs)
        yield f"{words}: {told}"


def _share(one: float, other: float) -> float:
    return abs(other - one) / max(abs(one), abs(other), 1e-12)
