"""Import of Beam without its connectors to clouds and databases, for stages that run on this machine.

They are a third of its import, and no stage here reaches a bucket through Beam: the project's own files go through
fsspec. Beam does without what is not installed; while it is imported these are as if they were not, and afterwards they
are what they were, for fsspec to import. With another runner (Beam's flags after `--`) nothing is left out.
"""

import gc
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Final

CONNECTORS: Final = (
    *("google.api_core", "google.auth", "google.cloud", "google.genai", "googleapiclient", "apitools", "vertexai"),
    *("boto3", "botocore", "pymongo", "apache_beam.io.gcp.bigquery"),
)


class _Absent(MetaPathFinder):
    """Finder, asked before all others, that no connector is found by."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: object = None) -> None:
        """Raise ModuleNotFoundError for a connector, as an import of what is not installed does."""
        if any(fullname == name or fullname.startswith(f"{name}.") for name in CONNECTORS):
            raise ModuleNotFoundError(f"No module named {fullname!r}: left out while Beam is imported", name=fullname)


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
        yield
    finally:
        if not connectors:
            sys.meta_path.remove(absent)
        root.removeHandler(silence)
        gc.freeze()
        if collects:
            gc.enable()
