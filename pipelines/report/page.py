"""HTML page of `report DIR`: the finished stages below a directory, to be opened offline.

Nothing is asked of a network (a content policy in the page forbids it, and scripts), text of the corpus is escaped, and
the page is a function of the stages alone: the same ones give the same bytes.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
from rich.filesize import decimal

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.store import STAGE as QUESTIONS
from corpus.stage.manifest import Manifest
from corpus.stage.progress import say
from corpus.storage import parquet
from corpus.storage.json_files import parse_numbers
from pipelines.inspection.qa_faults import EVALUATE, FINETUNE
from pipelines.inspection.stages import stages_below
from pipelines.inspection.summaries import PAGE, books_text, number, stage_text
from pipelines.report import plots
from pipelines.report.corpus_section import CorpusContents, corpus_contents
from pipelines.report.dedup_section import dedup_contents
from pipelines.report.elements import ReportFigure, ReportSection, ReportTable
from pipelines.report.legend import legend
from pipelines.report.qa_section import answer_contents, question_tables, questions_of
from pipelines.report.tiles import stage_tiles

TEMPLATE: Final = Path(__file__).with_name("page.html.j2")
OPEN_TABLES: Final = ("reasons", "splits", "tokens")  # the others are opened by their reader
LETTERS_SHOWN: Final = 12
LETTER_BYTES: Final = 300
_CONTENTS: Final = {"assemble": corpus_contents, "dedup": dedup_contents}
TIMING: Final = "timing.jsonl"  # of `train`, beside its manifest


def write_report(base: str, output: str | None = None) -> str:
    """Write the page about the stages below `base` (to `base`/report.html); return the line that says so.

    Raises UsageError when no finished stage is there.
    """
    stages = stages_below(base) if storage.exists(base) else []
    if not stages:
        raise UsageError(f"{base}: no finished stage here or below, so there is nothing to report; check the path")
    at = {found.fingerprint: _place(base, folder) for folder, found in stages}
    sections = [_section(_place(base, folder), folder, found, at) for folder, found in stages]
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    place = base.rstrip("/") if storage.is_remote(base) else os.path.abspath(base)  # "." is no title
    title = storage.readable_name(place) or base
    page = template.render(sections=sections, title=title, open_tables=OPEN_TABLES)
    path = output or storage.join(base, PAGE)
    with storage.write_atomic(path) as sink:
        sink.write(storage.readable(page).encode())
    num_figures = sum(len(section.figures) for section in sections)
    return f"report: {len(sections)} stages, {num_figures} figures, {decimal(storage.size(path))} in {path}"


def _place(base: str, folder: str) -> str:
    return base if folder == "." else storage.join(base, folder)


def _section(base: str, folder: str, manifest: Manifest, places: Mapping[str, str]) -> ReportSection:
    """Return what the page shows of a stage; every stage has its numbers, some have figures and texts.

    `places` are the folders of all stages, by fingerprint.
    """
    say(f"report: {manifest.stage} {folder}")
    tables = {"settings that make it what it is": _settings(manifest)}
    figures: Sequence[ReportFigure] = ()
    texts: Sequence[tuple[str, str]] = ()
    timings = _timings(base) if manifest.stage == "train" else []
    contents: CorpusContents | None = None
    if manifest.stage == "extract":
        tables |= _dead_letters(base, manifest)
    elif manifest.stage in _CONTENTS:
        contents = _CONTENTS[manifest.stage](base, manifest)
        figures, texts = contents.figures, contents.texts
        tables = {**contents.tables, **_dead_letters(base, manifest), **tables}
    elif manifest.stage == "train":
        figures = _training_figures(base, manifest, timings)
    elif manifest.stage in (FINETUNE, EVALUATE):
        figures, own = answer_contents(base, manifest, questions_of(manifest, places))
        tables = own | tables
    elif manifest.stage == QUESTIONS:
        tables = question_tables(manifest) | tables
    elif manifest.stage == "pack":
        tables = {"tokens": _tokens(manifest)} | tables
    if manifest.books.dropped:
        tables = {"reasons": legend(manifest.stage, manifest.books.dropped)} | tables
    return ReportSection(
        stage=manifest.stage,
        folder=folder,
        fingerprint=manifest.fingerprint[:16],
        tiles=contents.tiles if contents else stage_tiles(manifest, timings),
        line=books_text(manifest.books) if manifest.stage == "extract" else stage_text(manifest),
        figures=figures,
        tables=tables | {"numbers": _numbers(manifest)},
        texts=texts,
    )


def _settings(manifest: Manifest) -> ReportTable:
    rows = [(name, json.dumps(value, ensure_ascii=False)) for name, value in sorted(manifest.config.items())]
    inputs = [(f"input {item.name}", item.fingerprint[:16]) for item in manifest.inputs]
    return ReportTable(head=("setting", "value"), rows=[*rows, *inputs], text=True)


def _numbers(manifest: Manifest) -> ReportTable:
    rows = [(name, number(value)) for name, value in sorted(manifest.summary.items()) if isinstance(value, int | float)]
    return ReportTable(head=("what", "number"), rows=rows)


def _tokens(manifest: Manifest) -> ReportTable:
    rows = []
    for split, numbers in sorted(manifest.summary["splits"].items()):
        for source, tokens in sorted(numbers["tokens_by_source"].items()):
            share = f"{100 * tokens / numbers['tokens']:.1f} %"
            documents = numbers["documents_by_source"][source]
            rows.append((f"{split}, {source}", f"{documents:,}", f"{tokens:,}", share, f"{tokens / documents:,.0f}"))
    return ReportTable(head=("split, source", "documents", "tokens", "share", "tokens a document"), rows=rows)


def _dead_letters(base: str, manifest: Manifest) -> dict[str, ReportTable]:
    """Return the first dead letters, each with its place, reason and bytes."""
    rows: list[tuple[str, ...]] = []
    for letter in _letters(manifest.paths(base, "rejects")):
        if len(rows) == LETTERS_SHOWN:
            break
        raw = letter["raw"][:LETTER_BYTES].decode(errors="replace")
        rows.append(
            (letter["file"], f"{letter['offset']:,}", letter["doc_id"], letter["reason"], letter["detail"], raw)
        )
    total = sum(part.rows for part in manifest.parts if part.role == "rejects")
    head = ("file", "offset", "id", "reason", "detail", "bytes")
    return {f"dead letters ({total:,})": ReportTable(head=head, rows=rows, text=True)} if rows else {}


def _letters(paths: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for path in paths:
        for batch in parquet.iter_batches(path, batch_size=LETTERS_SHOWN):
            yield from batch.to_pylist()


def _timings(base: str) -> list[dict[str, Any]]:
    """Return the lines of a run's timing.jsonl, none where it has gone: it is no part of the result."""
    path = storage.join(base, TIMING)
    if not storage.exists(path):
        return []
    with storage.open_read(path) as source:
        return parse_numbers([line for line in source if line.endswith(b"\n")], path, "remove this line")


def _training_figures(base: str, manifest: Manifest, timings: Sequence[dict[str, Any]]) -> list[ReportFigure]:
    (path,) = manifest.paths(base, "metrics")
    with storage.open_read(path) as source:
        metrics = parse_numbers(source.read().splitlines(), path, "run `corpuscle verify` on the directory")
    figures = [ReportFigure(svg=plots.loss_figure(metrics)), ReportFigure(svg=plots.norm_figure(metrics))]
    if any("tokens_per_second" in line for line in timings):
        figures.append(ReportFigure(svg=plots.speed_figure(timings), caption="As timing.jsonl states it."))
    return figures
