"""Sections of a report about question answering: questions, fine-tunings and evaluations to figures and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from corpus import storage
from corpus.qa.overview import SplitOverview
from corpus.qa.question import Question
from corpus.qa.runs import runs_of
from corpus.qa.store import STAGE as QUESTIONS
from corpus.qa.store import read_questions
from corpus.stage.manifest import Manifest
from corpus.storage.json_files import parse_numbers
from pipelines.report import qa_plots
from pipelines.report.elements import ReportFigure, ReportTable
from pipelines.report.measure_qa import AnsweredGroup, answered_groups

GROUPS_DRAWN = 6  # of the groups of a stage, those that have figures of their own; all are in the tables
WITHOUT_READING = ("majority", "longest", "random")
AskedQuestions = Mapping[tuple[str, str], Question]  # by task and id


def questions_of(manifest: Manifest, folders: Mapping[str, str]) -> dict[tuple[str, str], Question]:
    """Return the questions that a stage was made from; folders by fingerprint. Empty when they do not lie there."""
    made_of = [one.fingerprint for one in manifest.inputs if one.name == QUESTIONS]
    place = next((folders[one] for one in made_of if one in folders), None)
    return {} if place is None else {(one.task, one.id): one for one in read_questions(place)}


def question_tables(manifest: Manifest) -> dict[str, ReportTable]:
    """Return the splits of question sets: sizes, labels, and what can be had without reading."""
    rows = []
    for one in (msgspec.convert(item, SplitOverview) for item in manifest.summary.get("splits", ())):
        base = one.baselines
        known = ["" if base is None else f"{100 * getattr(base, name):.1f}" for name in WITHOUT_READING]
        labels = ", ".join(f"{label} {count:,}" for label, count in one.labels.items())
        sizes = (f"{one.questions:,}", f"{one.repeated:,}", f"{one.words.mean:,}")
        rows.append((f"{one.task} {one.split}", *sizes, *known, labels))
    head = ("set", "questions", "repeated", "words, mean", "majority, %", "longest, %", "random, %", "labels")
    return {"question sets": ReportTable(head=head, rows=rows)}


def answer_contents(
    base: str, manifest: Manifest, asked: AskedQuestions
) -> tuple[list[ReportFigure], dict[str, ReportTable]]:
    """Return the figures and tables of the answers of a stage, and the learning curves of a fine-tuning."""
    figures = [ReportFigure(svg=svg) for svg in _curves(base, manifest)]
    groups = [group for run in runs_of(base, base, manifest) for group in answered_groups(run, asked)]
    if groups:
        figures.append(ReportFigure(svg=qa_plots.scores_figure(groups), caption=_caption(groups)))
    for group in groups[:GROUPS_DRAWN]:
        if group.bins:
            answers = f"{group.bins[0].answers:,} answers a point; the line is what a calibrated model has."
            figures.append(ReportFigure(svg=qa_plots.calibration_figure(group), caption=answers))
        figures.append(ReportFigure(svg=qa_plots.position_figure(group)))
    tables = {"scores": _score_table(groups)}
    tables |= {f"subjects: {group.name}": _subject_table(group) for group in groups if group.subjects}
    return figures, tables


def _curves(base: str, manifest: Manifest) -> list[str]:
    runs: dict[str, Sequence[Mapping[str, Any]]] = {}
    for part in manifest.parts:
        if part.role == "metrics":
            path = storage.join(base, part.path)
            with storage.open_read(path) as source:
                runs[part.path.partition("/")[0]] = parse_numbers(
                    source.read().splitlines(), path, "run `corpuscle verify` on the directory"
                )
    return qa_plots.curves_figures(runs) if runs else []


def _caption(groups: Sequence[AnsweredGroup]) -> str:
    seeds = max(group.seeds for group in groups)
    over = f"Means of {seeds} seeds; intervals draw items and seeds." if seeds > 1 else "Wilson's intervals."
    return f"{over} Marks: what can be had without reading."


def _score_table(groups: Sequence[AnsweredGroup]) -> ReportTable:
    rows = []
    for one in groups:
        spread = f" ± {100 * one.deviation:.1f}" if one.seeds > 1 else ""
        without = [_percent(one.baselines.get(name)) for name in WITHOUT_READING]
        brier = "" if one.brier is None else f"{one.brier:.3f}"
        rows.append(
            (one.name, f"{one.items:,}", f"{one.seeds}", f"{100 * one.accuracy:.1f}{spread}",
             f"{100 * one.low:.1f}–{100 * one.high:.1f}", *without, _percent(one.macro_f1), _percent(one.auroc),
             brier, _percent(one.calibration_error))
        )  # fmt: skip
    head = (
        *("task, format", "items", "seeds", "accuracy, %", "95 %", "majority", "longest", "random"),
        *("macro-F1", "AUROC", "Brier", "calibration error"),
    )
    return ReportTable(head=head, rows=rows)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _subject_table(group: AnsweredGroup) -> ReportTable:
    rows = [
        (one.subject, f"{one.items:,}", f"{100 * one.accuracy:.1f}", f"{100 * one.low:.1f}–{100 * one.high:.1f}")
        for one in group.subjects
    ]
    return ReportTable(head=("subject", "items", "accuracy, %", "95 %"), rows=rows)
