"""Import of Beam without its connectors to clouds and databases, for stages that run on this machine.

They are a third of its import, and no stage here reaches a bucket through Beam: the project's own files go through
fsspec. Beam does without what is not installed; while it is imported these are as if they were not, and afterwards they
are what they were, for fsspec to import. With another runner (Beam's flags after `--`) nothing is left out.

Of two that Beam cannot be imported without, a stage here uses nothing, or one answer: httplib2, with its parser of
headers, is loaded when somebody asks it for anything, and beartype, which compares types, when a class is none of
another's subclasses. They are 0.11 of the 0.77 CPU s of Beam's import.

A step is asked for its states and timers, from the signatures of its 30 methods, a dozen times a run: 10,000 signatures
in `assemble`. Of each class they are read once here.
"""

import gc
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.abc import MetaPathFinder
from types import MethodType, ModuleType
from typing import Any, Final

CONNECTORS: Final = (
    *("google.api_core", "google.auth", "google.cloud", "google.genai", "googleapiclient", "apitools", "vertexai"),
    *("boto3", "botocore", "pymongo", "bson", "apache_beam.io.gcp.bigquery"),
)
LATER: Final = "httplib2"
TYPES: Final = ("beartype", "beartype.door", "beartype.roar")


class _Absent(MetaPathFinder):
    """Finder, asked before all others, that no connector is found by."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: object = None) -> None:
        """Raise ModuleNotFoundError for a connector, as an import of what is not installed does."""
        if any(fullname == name or fullname.startswith(f"{name}.") for name in CONNECTORS):
            raise ModuleNotFoundError(f"No module named {fullname!r}: left out while Beam is imported", name=fullname)


class _DoorError(Exception):
    """Stands for BeartypeDoorException, which is Beam's to catch."""


def _is_subhint(sub: Any, base: Any) -> bool:
    """Say whether a type is part of another, as beartype does: it is asked where the two are no class and its base."""
    if type(sub) is type and type(base) is type and issubclass(sub, base):
        return True
    from beartype.door import is_subhint
    from beartype.roar import BeartypeDoorException

    try:
        return bool(is_subhint(sub, base))
    except BeartypeDoorException as error:
        raise _DoorError(str(error)) from error


def _later(name: str) -> ModuleType:
    """Return a module that imports the one of this name, which it is not, when it is asked for something."""
    module = ModuleType(name)
    module.__getattr__ = lambda asked: getattr(import_module(name), asked)  # type: ignore[method-assign]
    return module


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Give whoever imports httplib2 or beartype in the block ours instead; they are what they were afterwards."""
    package, door, roar = map(ModuleType, TYPES)
    package.__path__ = []
    door.is_subhint, roar.BeartypeDoorException = _is_subhint, _DoorError  # type: ignore[attr-defined]
    ours = {LATER: _later(LATER)} | dict(zip(TYPES, (package, door, roar), strict=True))
    if LATER in sys.modules or TYPES[0] in sys.modules:
        ours = {}
    sys.modules.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del sys.modules[name]


@contextmanager
def beam_import(*, connectors: bool) -> Iterator[None]:
    """Import Beam in the block: with all that it may use, or without its connectors; in silence, and uncollected.

    Beam warns of connectors that are not installed, by a function that also makes every later warning visible.
    """
    root, silence, absent = logging.getLogger(), logging.NullHandler(), _Absent()
    collects = gc.isenabled()
    gc.disable()  # 50,000 new objects after another, none of which goes away
    root.addHandler(silence)
    if not connectors:
        sys.meta_path.insert(0, absent)
    try:
        with nullcontext() if connectors else _stand_ins():
            yield
        if not connectors:
            _remember_specs()
    finally:
        if not connectors:
            sys.meta_path.remove(absent)
        root.removeHandler(silence)
        gc.freeze()
        if collects:
            gc.enable()


def _remember_specs() -> None:
    """Have Beam read the states and timers of each class of steps once.

    Those of an object with a method of its own, or of a function that asks for some, are read each time, as they are
    without us.
    """
    from apache_beam.transforms import userstate
    from apache_beam.transforms.core import _DoFnParam

    read, known = userstate.get_dofn_specs, {}
    if getattr(read, "__module__", "") == __name__:
        return

    def get_dofn_specs(dofn: Any) -> tuple[set[Any], set[Any]]:
        asked = dofn._inspect_process()[1] if hasattr(dofn, "_inspect_process") else ()
        if any(isinstance(one, _DoFnParam) for one in asked) or MethodType in map(type, vars(dofn).values()):
            return read(dofn)
        if type(dofn) not in known:
            known[type(dofn)] = read(dofn)
        states, timers = known[type(dofn)]
        return set(states), set(timers)

    userstate.get_dofn_specs = get_dofn_specs
