"""Loading of the compiled readers: Python's import finds them before the sources, or none of them.

Called before any module of `corpus.ncbi` is imported, in every process: workers and ranks have what their command has.
What cannot be loaded is left to the sources without a word; `corpuscle doctor` says which are used, and why.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from corpus.compiled.builds import LIBRARY, MODULES, ReaderBuild, file_of, find_build, is_switched_off


class CompiledFinder:
    """Finds the modules of a build and no others, for `sys.meta_path`; the base class for that takes long to import."""

    def __init__(self, folder: Path) -> None:
        self._paths = {name: str(folder / file_of(name)) for name in (LIBRARY, *MODULES)}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a compiled module lies, None for any other."""
        if (place := self._paths.get(fullname)) is None:
            return None
        return spec_from_file_location(fullname, place, loader=ExtensionFileLoader(fullname, place))


def use_compiled() -> ReaderBuild:
    """Have the readers imported from their build, if there is one of these very sources; return what was found."""
    if is_switched_off():
        return ReaderBuild(folder=None, found="switched off by CORPUSCLE_PURE")
    found = find_build()
    if found.folder is None:
        return found
    if not sys.modules.keys().isdisjoint(MODULES):
        return ReaderBuild(folder=None, found="not used, their sources were imported before")
    finder = CompiledFinder(found.folder)
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module(LIBRARY)
    except ImportError as error:
        sys.meta_path.remove(finder)
        return ReaderBuild(folder=None, found=f"not used, {error}")
    return found
