"""Size of a job's graph, as an engine gets it: Dataflow takes 10 MB, and its console shows no larger one."""

from collections.abc import Callable

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner


def graph_bytes(build: Callable[[beam.Pipeline], None]) -> int:
    """Return the bytes of a pipeline's graph in Beam's portable form, all that its steps hold included."""
    pipeline = beam.Pipeline(runner=FnApiRunner())
    build(pipeline)
    return len(pipeline.to_runner_api().SerializeToString())
