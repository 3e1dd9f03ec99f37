"""Beam steps whose CPU seconds are counted, for `rehearse`: all else of the pipeline stays as it is."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from corpus.stage.cpu_meter import Meter


def metered_step(step: beam.DoFn) -> beam.DoFn:
    """Return the step, or one that counts its seconds when a rehearsal is on."""
    return Metered(step) if Meter.on else step


class Metered(beam.DoFn):
    """Counts the seconds of another step under its name; those that know the sources of parts say which."""

    def __init__(self, step: beam.DoFn) -> None:
        self._step = step
        self._name = type(step).__name__

    def start_bundle(self) -> None:
        self._step.start_bundle()

    def process(self, element: Any, facts: Any = None) -> Iterator[Any]:
        names, name = getattr(self._step, "part_names", None), self._name
        if names is not None:
            part = element if isinstance(element, int) else element[0]
            name = f"{name}, {'articles' if names[part].startswith('articles') else 'citations'}"
        arguments = (element,) if facts is None else (element, facts)
        yield from self._counted(name, self._step.process(*arguments))

    def finish_bundle(self) -> Iterator[Any]:
        yield from self._counted(self._name, self._step.finish_bundle())

    def _counted(self, name: str, results: Iterable[Any] | None) -> Iterator[Any]:
        """Yield the results, with the time between two of them left to those that use them."""
        iterator, end = iter(results or ()), object()
        while True:
            before = Meter.switch(name)
            try:
                found = next(iterator, end)
            finally:
                Meter.switch(before)
            if found is end:
                return
            yield found
