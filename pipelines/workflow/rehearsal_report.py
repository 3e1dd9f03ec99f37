"""Report of a rehearsal: its cost step by step, and that of all of PubMed and PMC by the same figures."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from corpus.synthetic.rehearsal.statistics import FULL_ARTICLES, FULL_CITATIONS, FULL_UPDATES
from pipelines.beam.exchange import LARGEST, SHUFFLED

MAKING: Final = "make up"  # not part of assemble
_TITLES: Final = {"rest": "Beam, grouping, planning"}

# What the seconds of a step grow with; the steps that read parts are counted by the source of the part.
_CITATIONS, _ARTICLES, _RECORDS = "citation records", "articles", "records"
_BUCKET_ROWS, _TEXT, _VERIFIED = "bucket rows", "text bytes in shards", "documents verified"
_UNITS: Final = {
    "FindCandidates": _BUCKET_ROWS,
    "Spill": SHUFFLED,
    "Verify": _VERIFIED,
    "WriteShard": _TEXT,
    "Place": _TEXT,  # what is left of it: cutting the documents by shard
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """Result of a rehearsal: how many documents, and what `assemble` took for them."""

    documents: int
    articles: int
    records: int  # with those of update files
    citation_records: int
    kept: int
    dropped: Mapping[str, int]
    seconds: Mapping[str, float]  # CPU seconds by step, most first
    counts: Mapping[str, int]  # bucket rows, bytes shuffled, …
    reading: Mapping[str, float]  # CPU seconds to read one stored record of each source
    peak_bytes: int
    peak_by_step: Mapping[str, int]
    disk_bytes: int  # of the intermediate files and the spill files
    wall: float
    shards: int
    graph_bytes: tuple[int, int]  # of a job on an engine, with as many parts as here, and as all of PubMed and PMC has

    def facts(self) -> dict[str, Any]:
        """Return all of it, with the projection, JSON-ready."""
        return {**asdict(self), "core_hours": self.core_hours(), "units": self._units()}

    def total_seconds(self) -> float:
        """Return the CPU seconds of all steps of `assemble`, the reading of stored records included."""
        return sum(self._steps().values())

    def core_hours(self) -> float:
        """Return the core-hours of `assemble` for all of PubMed and PMC, every step growing with its unit."""
        return sum(self._projected().values()) / 3600

    def text(self, *, price: float | None = None) -> str:
        """Return the report as lines for a person; with the price of a vCPU-hour, the cost too."""
        return "\n".join([*self._lines(), *([] if price is None else self._cost_lines(price))])

    def _cost_lines(self, price: float) -> Iterator[str]:
        hours = self.core_hours()
        yield ""
        cost = f"at {price:g} a vCPU-hour {hours * price:,.2f}"
        yield f"{hours:,.2f} vCPU-hours of assemble for all of PubMed and PMC; {cost}"
        yield from _OF_THE_COST

    def _steps(self) -> dict[str, float]:
        steps = {step: seconds for step, seconds in self.seconds.items() if step != MAKING}
        steps["read records, citations"] = self.reading["citations"] * self.citation_records
        steps["read records, articles"] = self.reading["articles"] * self.articles
        return steps

    def _units(self) -> dict[str, tuple[float, float]]:
        """Return (number here, number in all of PubMed and PMC) of each thing that seconds grow with."""
        citations = FULL_CITATIONS * (1 + FULL_UPDATES)
        by_citation = citations / self.citation_records
        articles = FULL_ARTICLES / max(1, self.articles)
        # An article brings as many bucket rows as a citation, and as much text as thirty.
        records = (citations + FULL_ARTICLES) / self.records
        text = self.counts.get(_TEXT, 0)
        article_text = min(text, self.articles * ARTICLE_TEXT_BYTES)
        full_text = (text - article_text) * by_citation + article_text * articles
        spill = self.counts.get(SHUFFLED, 0)
        text_share = full_text / text if text else records
        return {
            _CITATIONS: (self.citation_records, citations),
            _ARTICLES: (self.articles, FULL_ARTICLES),
            _RECORDS: (self.records, self.records * records),
            _BUCKET_ROWS: (self.counts.get(_BUCKET_ROWS, 0), self.counts.get(_BUCKET_ROWS, 0) * records),
            _VERIFIED: (self.counts.get(_VERIFIED, 0), self.counts.get(_VERIFIED, 0) * records),
            SHUFFLED: (spill, spill * max(records, text_share)),
            _TEXT: (text, full_text),
        }

    def _projected(self) -> dict[str, float]:
        units = self._units()
        projected = {}
        for step, seconds in self._steps().items():
            here, full = units[_unit(step)]
            projected[step] = seconds * full / here if here else 0.0
        return projected

    def _lines(self) -> Iterator[str]:
        yield f"{self.documents:,} documents ({self.articles:,} articles), {self.records:,} records with updates"
        lost = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items())
        yield f"kept {self.kept:,} in {self.shards} shards; dropped {lost}"
        yield ""
        full = f"{FULL_CITATIONS / 1e6:.0f} M + {FULL_ARTICLES / 1e6:.0f} M"
        yield f"{'step':28}{'CPU s':>10}{'µs/document':>13}{'peak MB':>9}   grows with{'':16}{full + ', h':>14}"
        projected = self._projected()
        for step, seconds in sorted(self._steps().items(), key=lambda item: -item[1]):
            peak = self.peak_by_step.get(step, 0) / 1e6
            each = seconds / self.documents * 1e6
            unit, hours = _unit(step), projected[step] / 3600
            yield f"{_TITLES.get(step, step):28}{seconds:10.1f}{each:13.2f}{peak:9.0f}   {unit:26}{hours:14.3f}"
        total = self.total_seconds()
        yield f"{'assemble':28}{total:10.1f}{total / self.documents * 1e6:13.2f}{'':38}{self.core_hours():14.2f}"
        yield f"{'(making up the records)':28}{self.seconds.get(MAKING, 0):10.1f}"
        yield ""
        yield f"peak memory of the process {self.peak_bytes / 1e6:,.0f} MB; wall {self.wall:,.0f} s"
        spill = self.counts.get(SHUFFLED, 0)
        yield f"spilled {spill / 1e6:,.0f} MB; intermediate and spill files together {self.disk_bytes / 1e6:,.0f} MB"
        graph, full_graph = (size / 1e6 for size in self.graph_bytes)
        largest = self.counts.get(LARGEST, 0) / 1e6
        yield (
            f"on an engine: job graph {graph:.2f} MB, of all of PubMed and PMC {full_graph:.1f} MB; "
            f"{spill / 1e6:,.0f} MB shuffled, and the kept text with a remote output; largest element {largest:.2f} MB"
        )
        yield "counted: " + ", ".join(f"{count:,} {name}" for name, count in sorted(self.counts.items()))
        yield from _ASSUMPTIONS


ARTICLE_TEXT_BYTES: Final = 32_000
_ASSUMPTIONS: Final = (
    "",
    "The projection takes each step's seconds per unit as they are here: a straight line; compare two sizes to see",
    "whether it is straight. It assumes the lengths, copies and updates of rehearsal/statistics.py, 40 M",
    "citations with 12 % of updates, 8 M articles of 30 kB, one core, and that reading stored records costs what one",
    "part of each source cost. Made-up words compress worse than real text and have fewer chance likenesses.",
)


_OF_THE_COST: Final = (
    "(vCPUs as fast as this core and always at work; start of machines, memory, disks, shuffle and storage are priced",
    "apart; extract is not in it: it reads some 15 MB of XML a CPU second, docs/benchmarks.md)",
)


def _unit(step: str) -> str:
    if step.endswith(", citations"):
        return _CITATIONS
    if step.endswith(", articles"):
        return _ARTICLES
    return _UNITS.get(step, _RECORDS)
