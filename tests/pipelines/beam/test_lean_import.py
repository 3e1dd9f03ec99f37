"""Beam's import: without clients of clouds where a stage runs here, with all for Beam's own paths, in silence."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

STAGES = "import pipelines.assemble.pipeline, pipelines.extract, pipelines.pack"
LOADED = "{name for name in sys.modules if name.startswith(('google.cloud.', 'google.auth', 'boto', 'pymongo'))}"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_stage_here_loads_no_client_of_a_cloud_and_others_still_can() -> None:
    code = f"""
import gc, logging, sys
from pipelines.cli.arguments import import_beam
import_beam()
{STAGES}
print({LOADED}, gc.isenabled(), "_Absent" in str(sys.meta_path), logging.getLogger().handlers)
for name in ("google.auth", "boto3"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        assert "left out" not in str(error), error
"""
    done = run(code)
    assert (done.stdout, done.stderr, done.returncode) == ("set() True False []\n", "", 0)


@pytest.mark.slow
def test_what_beam_needs_and_a_stage_here_does_not_is_loaded_when_it_is_asked() -> None:
    code = f"""
import sys
from pipelines.cli.arguments import import_beam
import_beam()
{STAGES}
print({{"httplib2", "beartype", "bson", "cffi"}} & {{*sys.modules}})
from apache_beam.internal.http_client import get_new_http
from apache_beam.typehints import typehints
from typing import Generic, List, Sequence, TypeVar
print(type(get_new_http()).__name__, "httplib2.auth" in sys.modules)
pairs = [(bool, int), (int, bool), (int, str), (List[int], Sequence[int]), (Sequence[int], List[int])]
print(*(typehints.is_consistent_with(*pair) for pair in pairs))
print(typehints.is_subhint(int, int), "beartype" in sys.modules, typehints.is_subhint(List[int], Sequence[int]))
try:
    typehints.is_subhint(0, "?")
except typehints.BeartypeDoorException:
    print("caught")
import beartype.door, beartype.roar
assert beartype.door.is_subhint is not typehints.is_subhint
"""
    done = run(code)
    bare = "from apache_beam.typehints import typehints; from typing import List, Sequence; print(*(typehints." + (
        "is_consistent_with(*pair) for pair in [(bool, int), (int, bool), (int, str), (List[int], Sequence[int]), "
        "(Sequence[int], List[int])]))"
    )
    answers = run(bare).stdout.strip()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["set()", "Http True", answers, "True True True", "caught"]


@pytest.mark.slow
def test_states_and_timers_of_steps_are_what_beam_reads() -> None:
    code = f"""
from pipelines.cli.arguments import import_beam
import_beam()
{STAGES}
import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.transforms import core, userstate
from pipelines.assemble import shard_steps, steps
ours = userstate.get_dofn_specs
bare = dict(zip(ours.__code__.co_freevars, ours.__closure__))["read"].cell_contents
assert bare.__module__ == userstate.__name__

class Stateful(beam.DoFn):
    held, late = userstate.ReadModifyWriteStateSpec("held", VarIntCoder()), userstate.TimerSpec("late", "WATERMARK")

    def process(self, element, held=beam.DoFn.StateParam(held), late=beam.DoFn.TimerParam(late)):
        yield element

def counted(element, held=beam.DoFn.StateParam(Stateful.held)):
    return [element]

own = Stateful()
own.process = steps.FoldState().process
asked = [Stateful(), own, core.CallableWrapperDoFn(counted), core.CallableWrapperDoFn(len), steps.FoldState()]
asked += [steps.ReadKeys.__new__(steps.ReadKeys), shard_steps.Place.__new__(shard_steps.Place)]
for step in asked * 2:
    assert ours(step) == bare(step), step
print(*(len(states) + len(timers) for states, timers in map(ours, asked)))
ours(asked[0])[0].clear()
print(len(ours(asked[0])[0]), userstate.is_stateful_dofn(asked[0]), userstate.is_stateful_dofn(asked[4]))
"""
    done = run(code)
    assert (done.stderr, done.stdout) == ("", "2 0 0 0 0 0 0\n1 True False\n")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("apitools") is None, reason="the extra gcp is not installed here")
def test_for_another_runner_beam_knows_buckets() -> None:
    code = """
from pipelines.cli.arguments import import_beam
import_beam(["--runner=DataflowRunner"])
from apache_beam.io.filesystems import FileSystems
print(type(FileSystems.get_filesystem("gs://bucket/name")).__name__)
"""
    done = run(code)
    assert (done.stdout, done.returncode) == ("GCSFileSystem\n", 0), done.stderr


@pytest.mark.slow
def test_what_is_not_installed_is_no_news() -> None:
    """As with no extra `gcp`: Beam itself prints a line for what it lacks, and whatever anything warns of after it."""
    code = f"""
import sys
sys.modules["apitools"] = sys.modules["google.cloud"] = sys.modules["pymongo"] = None
from pipelines.cli.arguments import import_beam
import_beam(["--runner=DirectRunner"])
{STAGES}
import logging
logging.getLogger("apache_beam.x").info("a word")
"""
    done = run(code)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
