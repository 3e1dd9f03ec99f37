"""Tables of formulas on one line: matrices, cases, and equations that are only aligned, by what they hold."""

import re
from collections.abc import Sequence
from typing import Final

FENCES: Final = frozenset("([{|‖⟨⌈⌊〈❲⟦") | {"||"}
_RELATIONS: Final = tuple("=<>≤≥≈≠∼≡∝∈→⇒⇔⟹≔≜≅≃⩽⩾≪≫:")
_OPERATORS: Final = tuple("+−-±×·⋅*∗/")
_EQUALS: Final = re.compile("[=<>≤≥≈≅≃∼≡∝∈→⇒]")


def lines_of(rows: Sequence[Sequence[str]], labels: Sequence[str], *, fenced: bool) -> str:
    """Return the rows of a table, each with its label behind it.

    Between fences a table is a matrix: `, ` parts cells, and an empty one keeps its place. Elsewhere a cell that
    begins or ends with a relation or an operator is no cell but a part of an equation that was cut to be aligned.
    """
    aligned = not fenced and any(_is_cut(cell) for row in rows for cell in row)
    columns = [
        index for index in range(max(map(len, rows), default=0)) if any(len(row) > index and row[index] for row in rows)
    ]
    text = before = ""  # the row before; one with a label ends its equation
    for row, label in zip(rows, labels, strict=True):
        cells = [row[index] if index < len(row) else "" for index in columns]
        line = _one_line(cells) if aligned else _parted(cells if fenced else list(filter(None, cells)))
        if not any(cells) and not label:
            continue
        goes_on = bool(before) and _EQUALS.match(line) and not _EQUALS.search(before)  # the row before is a left side
        cut = line.startswith(_OPERATORS) or text.endswith((*_OPERATORS, *_RELATIONS))
        continues = aligned and bool(text) and (cut or goes_on)
        text += ("" if continues or not text else "; ") + line + (f" {label}" if label else "")
        before = "" if label else line
    return text


def _parted(cells: Sequence[str]) -> str:
    """Return cells with commas between them; those of a relation that was cut are one, and commas stand once."""
    text = ""
    for index, cell in enumerate(cells):
        glued = cell.startswith(_RELATIONS) or text.endswith(_RELATIONS)
        text += ("" if glued or not index else " " if text.endswith((",", ";")) else ", ") + cell
    return text


def _is_cut(cell: str) -> bool:
    return cell.startswith(_RELATIONS) or cell.endswith((*_RELATIONS, *_OPERATORS)) or cell in _OPERATORS


def _one_line(cells: Sequence[str]) -> str:
    """Return the parts of an equation side by side, words apart."""
    text = ""
    for cell in filter(None, cells):
        apart = (text[-1:].isalnum() and cell[0].isalnum()) or text[-1:] in (",", ";") or (text[-1:] + cell[0] == ")(")
        text += (" " if apart else "") + cell
    return text
