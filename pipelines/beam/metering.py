"""Counters that Beam shows beside a step, and CPU seconds of steps for `rehearse`.

A count is a Beam metric, so Dataflow and Flink show it too. Seconds are of one process, and counted here: Beam's own
are samples of wall time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.metrics.metric import Metrics, MetricsFilter

from corpus.stage.cpu_meter import is_metering, metered
from corpus.stage.workspace import Receipt

NAMESPACE = "corpuscle"  # of the counters
READ, KEPT, DROPPED = "records read", "records kept", "records dropped: "


def count(name: str, number: int) -> None:
    """Add to a counter: of rows, pairs or bytes that the step at work handled."""
    Metrics.counter(NAMESPACE, name).inc(int(number))


def count_books(receipt: Receipt) -> Receipt:
    """Add a task's books to the counters, as an engine's console shows them, and return its receipt."""
    books = receipt.books
    if books.read:
        count(READ, books.read)
        count(KEPT, books.kept)
    for reason, number in books.dropped.items():
        count(f"{DROPPED}{reason}", number)
    return receipt


def note_largest(name: str, number: int) -> None:
    """Take in one number of a kind whose largest is shown."""
    Metrics.distribution(NAMESPACE, name).update(int(number))


def counters_of(result: Any) -> dict[str, int]:
    """Return the counters of a pipeline that ended, by name, summed over its steps, and the largest of each kind."""
    counters: Counter[str] = Counter()
    metrics = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    for found in metrics["counters"]:
        counters[found.key.metric.name] += found.result or 0
    for found in metrics["distributions"]:
        name = found.key.metric.name
        counters[name] = max(counters[name], found.result.max or 0)
    return dict(counters)


def metered_step(step: beam.DoFn) -> beam.DoFn:
    """Return the step, or one that counts its seconds when a rehearsal is on."""
    return Metered(step) if is_metering() else step


class Metered(beam.DoFn):
    """Counts the seconds of another step under its name; those that know the sources of parts say which."""

    def __init__(self, step: beam.DoFn) -> None:
        self._step = step
        self._name = type(step).__name__

    def start_bundle(self) -> None:
        self._step.start_bundle()

    def process(self, element: Any, facts: Any = None, more: Any = None) -> Iterator[Any]:
        names, name = getattr(self._step, "part_names", None), self._name
        if names is not None:
            part = element if isinstance(element, int) else element[0]
            name = f"{name}, {'articles' if names[part].startswith('articles') else 'citations'}"
        given = [one for one in (facts, more) if one is not None]
        yield from self._counted(name, self._step.process(element, *given))

    def finish_bundle(self) -> Iterator[Any]:
        yield from self._counted(self._name, self._step.finish_bundle())

    def _counted(self, name: str, results: Iterable[Any] | None) -> Iterator[Any]:
        """Yield the results, with the time between two of them left to those that use them."""
        iterator, end = iter(results or ()), object()
        while True:
            with metered(name):
                found = next(iterator, end)
            if found is end:
                return
            yield found
