"""The local directory into which the embedded runner's exchanges spill."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from corpus.stage.workspace import WORK, Workspace
from corpus.storage.files import is_remote, remove_tree
from pipelines.beam.flags import is_embedded


@contextmanager
def spill_folder(workspace: Workspace, beam_args: Sequence[str]) -> Iterator[str | None]:
    """Yield an empty local directory for the shuffle of the embedded runner, None for engines with their own."""
    if not is_embedded(beam_args):
        yield None
    elif is_remote(workspace.output):
        with TemporaryDirectory(prefix="corpuscle-") as folder:
            yield folder
    else:
        folder = workspace.path(f"{WORK}/spill")
        remove_tree(folder)  # of a run that was killed
        yield folder
