"""Tables of results as Markdown, HTML or LaTeX, from the same cells."""

import html
from collections.abc import Callable, Sequence
from typing import Final

from corpus.errors import UsageError
from corpus.qa.results import ResultRow, ResultTable

HEADER: Final = ("model", "parameters", "method", "weights", "accuracy", "95 %", "note", "source")
_TEX: Final = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "−": r"$-$", "–": "--",
}  # fmt: skip
_STYLE: Final = (
    "body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color-scheme:light dark}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .7em;text-align:left;border-bottom:1px solid #8884}"
    "tr.ours{font-weight:bold}"
)


def page(tables: Sequence[ResultTable], path: str) -> str:
    """Return the tables in the form that a file's name asks for; raises UsageError for another ending."""
    forms: dict[str, Callable[[Sequence[ResultTable]], str]] = {
        "md": as_markdown,
        "html": as_html,
        "tex": as_latex,
    }
    ending = path.rpartition(".")[2].lower()
    if ending not in forms:
        raise UsageError(f"{path}: which form is this? Give a name that ends in .md, .html or .tex")
    return forms[ending](tables)


def cells(row: ResultRow) -> tuple[str, ...]:
    """Return a row's cells, in the order of `HEADER`."""
    weights = {None: "ours", True: "open", False: "closed"}[row.open_weights]
    between = f"{100 * row.low:.1f}–{100 * row.high:.1f}"
    return row.model, size_text(row.parameters), row.method, weights, row.value, between, row.note, row.source


def size_text(parameters: float | None) -> str:
    """Return a number of parameters for reading: 2.7B, 110M; "?" where it is not known."""
    if parameters is None:
        return "?"
    for unit, size in (("B", 1e9), ("M", 1e6)):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return f"{parameters:.0f}"


def as_markdown(tables: Sequence[ResultTable]) -> str:
    """Return the tables as Markdown; rows of ours in bold."""
    parts = ["# Results"]
    for table in tables:
        lines = [_pipes(HEADER), _pipes(["---"] * len(HEADER))]
        for row in table.rows:
            plain = [cell.replace("|", "\\|") for cell in cells(row)]
            lines.append(_pipes([f"**{cell}**" if row.ours and cell else cell for cell in plain]))
        parts += [f"## {table.title}", "\n".join(lines)]
        parts += ["\n".join(f"- {line}" for line in table.remarks)] if table.remarks else []
    return "\n\n".join(parts) + "\n"


def _pipes(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def as_html(tables: Sequence[ResultTable]) -> str:
    """Return the tables as one page without scripts or other files."""
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Results</title><style>{_STYLE}</style>']
    parts.append("<h1>Results</h1>")
    for table in tables:
        head = "".join(f"<th>{name}</th>" for name in HEADER)
        body = [_html_row(row) for row in table.rows]
        parts.append(f"<h2>{html.escape(table.title)}</h2>")
        parts.append("\n".join([f"<table><tr>{head}</tr>", *body, "</table>"]))
        parts += [f"<p>{html.escape(line)}</p>" for line in table.remarks]
    return "\n".join([*parts, "</html>"]) + "\n"


def _html_row(row: ResultRow) -> str:
    marked = " class=ours" if row.ours else ""
    return f"<tr{marked}>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells(row))}</tr>"


def as_latex(tables: Sequence[ResultTable]) -> str:
    """Return the tables as LaTeX, to be read by \\input in a document that uses booktabs; rows of ours in bold."""
    parts = []
    for table in tables:
        lines = [r"\begin{table}\centering\small", rf"\caption{{{_tex(table.title)}}}"]
        lines += [rf"\begin{{tabular}}{{{'l' * 6}}}\toprule", rf"{' & '.join(map(_tex, HEADER[:6]))} \\\midrule"]
        for row in table.rows:
            plain = [_tex(cell) for cell in cells(row)[:6]]
            lines.append(" & ".join(rf"\textbf{{{cell}}}" if row.ours else cell for cell in plain) + r" \\")
        notes = [f"{row.model} {row.value}: {row.note}" for row in table.rows if row.note]
        lines += [r"\bottomrule\end{tabular}", *(rf"\par {_tex(line)}" for line in (*notes, *table.remarks))]
        parts.append("\n".join([*lines, r"\end{table}"]))
    return "\n\n".join(parts) + "\n"


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)
