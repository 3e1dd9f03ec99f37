"""Verb `qa results`: finished runs below a directory to tables beside the paper's, and a figure."""

from corpus import storage
from corpus.qa.result_figure import draw_results
from corpus.qa.result_pages import page
from corpus.qa.results import result_tables
from corpus.qa.runs import find_runs


def write_results(directory: str, output: str, *, figure: str | None = None, recorded: bool = True) -> str:
    """Write the tables to `output` (.md, .html or .tex) and a figure (.png or .svg); return a line that says so.

    Raises UsageError for another ending or a directory without runs, CorruptError for damaged predictions.
    """
    runs = find_runs(directory)
    tables = result_tables(runs, recorded=recorded)
    text = page(tables, output)
    if figure is not None:
        draw_results(tables, figure)
    with storage.write_atomic(output) as sink:
        sink.write(text.encode())
    rows = [row for table in tables for row in table.rows]
    ours = sum(row.ours for row in rows)
    places = output if figure is None else f"{output}, {figure}"
    return f"{len(tables)} tables, {ours} rows of {len(runs)} runs and {len(rows) - ours} recorded ones: {places}"
