"""Build of a pipeline without questions that Beam asks again and again, for the embedded runner.

Beam parses its flags anew for each view of its options, some sixty times a pipeline, and asks for the signature of a
step's methods whenever it wants to know whether the step has state, some ten times each. Both answers stay the same
while one pipeline is built and run: they are kept for as long. Together they were a tenth of a small run.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import core, ptransform, util
from apache_beam.typehints import decorators

_ASKED = "get_signature"  # of Beam's modules, each of which has it by this name


class KeptOptions(PipelineOptions):
    """Options that make a view of each kind once; all views share their values, as Beam's do."""

    def view_as(self, cls: type[Any]) -> Any:
        """Return the view of a kind."""
        views = self.__dict__.setdefault("_views", {})  # Beam's own `__setattr__` takes options only
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the views out of a copy, which makes its own."""
        return {name: value for name, value in super().__getstate__().items() if name != "_views"}


@contextmanager
def signatures_kept() -> Iterator[None]:
    """Answer Beam's question for the signature of a function once, while the block runs."""
    usual: Callable[[Any], inspect.Signature] = decorators.get_signature
    kept: dict[Any, inspect.Signature] = {}

    def get_signature(func: Any) -> inspect.Signature:
        # A method has the same signature whichever object it is bound to.
        key = (func.__func__, True) if isinstance(func, MethodType) else (func, False)
        try:
            found = kept.get(key)
        except TypeError:  # a callable object that has no hash
            return usual(func)
        if found is None:
            found = kept[key] = usual(func)
        return found

    holders = [module for module in (decorators, core, ptransform, util) if getattr(module, _ASKED, None) is usual]
    for module in holders:
        setattr(module, _ASKED, get_signature)
    try:
        yield
    finally:
        for module in holders:
            setattr(module, _ASKED, usual)
