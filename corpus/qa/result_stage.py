"""Verb `qa results` and the stage of that name: finished runs to tables beside the paper's, and a figure.

The verb writes one file that its user names; the stage, of `corpuscle run`, a directory with all forms, committed by a
manifest whose inputs are the runs.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from corpus import storage
from corpus.qa.references import reference_text
from corpus.qa.result_figure import draw_results
from corpus.qa.result_pages import page
from corpus.qa.results import ResultTable, result_tables
from corpus.qa.runs import find_runs
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest, read_manifest
from corpus.stage.progress import say
from corpus.stage.workspace import Receipt, plan_stage

STAGE: Final = "qa results"
REVISION: Final = 1  # raise it when the same input gives other bytes
PAGES: Final = ("results.md", "results.html", "results.tex")
FIGURE: Final = "results.svg"


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
    ours, others = _num_rows(tables)
    places = output if figure is None else f"{output}, {figure}"
    return f"{len(tables)} tables, {ours} rows of {len(runs)} runs and {others} recorded ones: {places}"


def commit_results(folders: Sequence[str], output: str, *, base: str, recorded: bool = True) -> Manifest:
    """Commit the tables in all forms and the figure of the finished runs in some folders; return the manifest.

    A run is named by its place below `base`. Raises what `write_results` raises.
    """
    found = [read_manifest(folder) for folder in folders]
    inputs = [Input(name=one.stage, fingerprint=one.fingerprint) for one in found]
    if recorded:
        digest = hashlib.sha256(reference_text().encode()).hexdigest()
        inputs.append(Input(name="references.yaml", fingerprint=digest))
    with running_stage(output):
        workspace, manifest = plan_stage(
            output, stage=STAGE, revision=REVISION, config={"recorded": recorded}, inputs=inputs
        )
        if manifest is not None:
            say(f"{output}: up to date ({STAGE}, {manifest.fingerprint[:12]})")
            return manifest
        runs = find_runs(base, among=folders)
        tables = result_tables(runs, recorded=recorded)
        for name in PAGES:
            with storage.write_atomic(workspace.path(name)) as sink:
                sink.write(page(tables, name).encode())
        draw_results(tables, workspace.path(FIGURE))
        rows = _num_rows(tables)
        roles = dict.fromkeys(PAGES, "tables") | {FIGURE: "figure"}
        parts = tuple(workspace.measure(name, role=role, rows=sum(rows)) for name, role in roles.items())
        summary = {"tables": len(tables), "runs": len(runs), "own_rows": rows[0], "recorded_rows": rows[1]}
        manifest = workspace.commit([workspace.finish(Receipt(task="results", parts=parts))], summary=summary)
        workspace.clean()
        return manifest


def _num_rows(tables: Sequence[ResultTable]) -> tuple[int, int]:
    """Return the rows of ours and the recorded ones."""
    rows = [row for table in tables for row in table.rows]
    ours = sum(row.ours for row in rows)
    return ours, len(rows) - ours
