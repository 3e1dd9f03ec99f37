"""What is kept while a pipeline is built changes nothing of it: the same graph, the same options, fewer questions."""

import copy
import inspect
import pickle
from collections import Counter
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DebugOptions, DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.typehints import decorators

from corpus.assemble.config import AssembleConfig
from corpus.assemble.inputs import StoredParts
from corpus.stage.workspace import open_workspace
from pipelines.assemble.pipeline import build
from pipelines.assemble.steps import Plan
from pipelines.beam.lean_build import KeptOptions, signatures_kept

FLAGS = ["--direct_num_workers=3", "--experiments=a,b"]


def built() -> beam.Pipeline:
    workspace = open_workspace("memory://x", stage="assemble", revision=1, config={}, inputs=())
    parts = StoredParts(paths=("a.parquet", "b.parquet"), digests=("", ""))
    plan = Plan(workspace=workspace, config=AssembleConfig(), records=parts, ranks=(0, 1), num_partitions=1)
    pipeline = beam.Pipeline(runner=FnApiRunner())
    build(pipeline, plan, "spill")
    return pipeline


def graph() -> Any:
    made = built().to_runner_api()
    for one in made.components.transforms.values():
        if one.unique_name.endswith("/MaybeReshuffle"):  # a class of Beam's own that is made anew and pickled by value
            one.spec.payload = b""
    return made


def test_the_graph_is_the_same_with_fewer_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[str] = Counter()
    usual = inspect.signature

    def signature(function: Any, **more: Any) -> inspect.Signature:
        asked["now"] += 1
        return usual(function, **more)

    monkeypatch.setattr(inspect, "signature", signature)
    plain, many = graph(), asked.pop("now")
    with signatures_kept():
        kept, few = graph(), asked.pop("now")
    assert kept == plain
    assert 0 < 3 * few < many
    assert decorators.get_signature.__module__ == decorators.__name__, "what is kept goes with the block"


class Adds:
    def __init__(self, number: int) -> None:
        self.number = number

    def add(self, value: int, times: int = 1) -> int:
        return value + times * self.number


class WithoutHash:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, value: str) -> str:
        return value


def test_signatures_are_those_of_the_function_asked_about() -> None:
    functions: list[Any] = [Adds(1).add, Adds(2).add, Adds.add, lambda x, y: x, str.upper, len, WithoutHash(), Adds]
    expected = [decorators.get_signature(one) for one in functions]
    with signatures_kept():
        for _ in range(2):
            assert [decorators.get_signature(one) for one in functions] == expected
    assert expected[0] != expected[2]


def test_the_views_of_options_are_made_once_and_share_their_values() -> None:
    options, plain = KeptOptions(FLAGS), PipelineOptions(FLAGS)
    assert options.view_as(DirectOptions) is options.view_as(DirectOptions)
    assert options.view_as(DirectOptions).direct_num_workers == 3
    assert options.view_as(DebugOptions).experiments == plain.view_as(DebugOptions).experiments
    options.view_as(StandardOptions).streaming = True
    assert options.view_as(StandardOptions).streaming is True
    assert plain.view_as(StandardOptions).streaming is False
    for copied in (copy.deepcopy(options), pickle.loads(pickle.dumps(options))):
        assert copied.view_as(StandardOptions) is not options.view_as(StandardOptions)
        assert copied.view_as(StandardOptions).streaming is True
        copied.view_as(DirectOptions).direct_num_workers = 7
        assert copied.view_as(DirectOptions).direct_num_workers == 7
        assert options.view_as(DirectOptions).direct_num_workers == 3
    plain.view_as(StandardOptions).streaming = True
    assert options.get_all_options() == plain.get_all_options()
    assert options.to_runner_api() == plain.to_runner_api()
