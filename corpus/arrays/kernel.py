"""Kernels: functions that numba compiles to machine code, once on a machine for all processes and commands.

What is compiled is kept (`corpus.arrays.numba_cache` says where). numba finds it again by the content of the one file
that the kernel stands in. The functions and constants that it compiles in from other files are no part of that: after
an update an old kernel would go on with old rules, without a word. What a kernel is made of lies in its own folder or
in this one, so the sources of the two decide.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError  # nosec B403
from typing import Any, TypeVar, cast

from llvmlite.binding import add_symbol  # type: ignore[import-untyped]
from numba import njit
from numba.core import entrypoints
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.runtime import _nrt_python  # type: ignore[attr-defined]

from corpus.arrays.numba_cache import LOCK
from corpus.arrays.part_compiler import KernelCompiler, PartCompiler, set_environments

Function = TypeVar("Function", bound=Callable[..., Any])
# A function that takes arrays counts references to them, by an atomic addition each time, unless it is told to have no
# part in that (`_nrt`, and then it may make no array): in scans that call a function for every tag, the counts were
# three quarters of the time. Without an entry from Python there is less to compile.
PART: Any = {
    "nogil": True,
    "_nrt": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "pipeline_class": PartCompiler,
}
WHOLE: Any = {"nogil": True, "no_cfunc_wrapper": True, "pipeline_class": KernelCompiler}  # of a kernel
# numba asks every package installed for types of its own, once; kernels take arrays and numbers, and what answers is
# `awkward`, a sixth of a second, or a package of the user's that is broken.
entrypoints._already_initialized = True


@contextmanager
def _hidden(name: str) -> Iterator[bool]:
    """Have an import in the block find no module of this name; gives whether it would have found one."""
    there = name not in sys.modules and find_spec(name.partition(".")[0]) is not None
    if there:
        sys.modules[name] = None  # type: ignore[assignment]  # what Python takes for "there is none"
    try:
        yield there
    finally:
        if there:
            del sys.modules[name]


def _import_numba() -> None:
    """Import what numba knows of arrays, but not what it looks for beside: 0.12 s.

    Kernels multiply no matrices (scipy.linalg, for its BLAS; a function of somebody else's that does has numba look
    again), and they call no function of C (cffi, which makes a parser of C first).
    """
    with _hidden("scipy.linalg") as hidden:
        from numba.np import arraymath
    arraymath._HAVE_BLAS = arraymath._HAVE_BLAS or hidden
    with _hidden("cffi"):
        import numba.core.typing.cffi_utils  # noqa: F401


_import_numba()
DAMAGED = (OSError, EOFError, UnpicklingError)  # of the cache, which numba pickles and unpickles itself


def kernel(function: Function) -> Function:
    """Return a function that runs compiled, without Python's lock, for the types of each call."""
    compiled: Any = njit(**WHOLE)(function)
    if compiled is not function:  # as it is where numba is switched off
        compiled._cache = _cache_of(function)  # what `cache=True` sets, to a class of numba's
        compiled.compile = LOCK.let_go_behind()(compiled.compile)  # a compilation that raises keeps nothing
    return cast(Function, compiled)


def part(function: Function) -> Function:
    """Return a function that is compiled into the kernels that call it, makes no array, and cannot be called else."""
    return cast(Function, njit(**PART)(function))


def _cache_of(function: Callable[..., Any]) -> NullCache | FunctionCache:
    try:
        return KernelCache(function) if LOCK.folder is not None else NoKernelCache()
    except RuntimeError:  # numba has no folder for this very file
        return NoKernelCache()


class KernelCache(FunctionCache):
    """numba's cache of one function, for several processes and for kernels of several files.

    A cache that cannot be read or written is no reason to stop.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = sources_stamp(Path(inspect.getfile(function)).parent)
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the kernel for these types; None to have it compiled, by this process alone until it is saved."""
        found = self._loaded(sig, target_context)
        if found is None:
            LOCK.acquire()
            found = self._loaded(sig, target_context)
            if found is None:
                LOCK.announce()
            else:
                LOCK.release()
        return found

    def _loaded(self, sig: Any, target_context: Any) -> Any:
        """Return what is kept, without all that numba knows of types and functions: it is for compiling, 0.3 s."""
        _let_find_helpers()
        try:
            return self._load_overload(sig, target_context)
        except DAMAGED:
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the kernel, and let other processes compile theirs."""
        set_environments(data)
        try:
            super().save_overload(sig, data)
        except DAMAGED:
            with suppress(*DAMAGED):
                self.flush()  # of an index that cannot be read, nothing can be kept
                super().save_overload(sig, data)
        finally:
            LOCK.release()


class NoKernelCache(NullCache):
    """No cache, where nothing can be kept: says that it compiles."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        """Return nothing."""
        LOCK.announce()

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep nothing."""
        set_environments(data)


@cache
def _let_find_helpers() -> None:
    """Tell LLVM where numba's functions in C are, which kernels take and give arrays by."""
    for name, address in _nrt_python.c_helpers.items():
        add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


@cache
def sources_stamp(folder: Path) -> str:
    """Return a hash of all the sources that the kernels of a folder may be made of."""
    digest = hashlib.sha256()
    for place in (folder, Path(__file__).parent):
        for path in sorted(place.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
