"""Elements of a report's page: figures, tables, and the section of one stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportFigure:
    """Figure of a page: an SVG element and the words below it."""

    svg: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportTable:
    """Table of a page; the first column is text, the others are numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: bool = False  # all columns are text


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportTile:
    """Number of a page that is seen first: how much, of what, and a word on it."""

    number: str
    label: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportSection:
    """Section of a page: what it shows of one stage."""

    stage: str
    folder: str
    fingerprint: str
    line: str
    tiles: Sequence[ReportTile] = ()
    figures: Sequence[ReportFigure] = ()
    tables: Mapping[str, ReportTable] | None = None
    texts: Sequence[tuple[str, str]] = ()  # (heading, text) of documents to read
