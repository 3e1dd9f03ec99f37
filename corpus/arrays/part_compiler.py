"""How kernels and their parts are compiled: by numba, without what only other functions need.

numba optimises every function by itself and makes machine code of it, and a function that calls it has both done again,
with its own code around it: what stands three calls below a kernel, four times. Nobody calls a part but kernels, so
of a part LLVM's code is made, and what becomes of it is decided in the kernels that it goes into.

No kernel has a closure, a comprehension or arithmetic on whole arrays: the passes that look for them are left out.
"""

from typing import Any, Final

from numba import _dynfunc  # type: ignore[attr-defined]
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, Flags
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.environment import lookup_environment
from numba.core.typed_passes import NativeLowering, NopythonRewrites
from numba.core.untyped_passes import InlineClosureLikes

_LEFT_OUT: Final = (InlineClosureLikes, NopythonRewrites)
_ENVIRONMENT: Final = "_ZN08NumbaEnv"  # how the names begin that numba gives what a function knows of Python


class QuickFlags(Flags):
    """numba's options of a compilation, compared as they are before they are with defaults filled in.

    numba compares them for every operation in the source, a twelfth of the time that compiling takes.
    """

    def __hash__(self) -> int:
        return _HASH_OF_FLAGS

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, QuickFlags) and self._values == other._values) or bool(super().__eq__(other))


_HASH_OF_FLAGS: Final = hash(Flags())  # by the names of the options, so it is one for all


class KernelCompiler(Compiler):
    """numba's compiler with fewer passes."""

    def __init__(self, typingctx: Any, targetctx: Any, library: Any, args: Any, *more: Any) -> None:
        return_type, flags, local_types = more
        super().__init__(typingctx, targetctx, library, args, return_type, QuickFlags(flags), local_types)

    def define_pipelines(self) -> list[PassManager]:
        """Return numba's passes without those that find nothing."""
        return [self._changed(passes) for passes in super().define_pipelines()]

    def _changed(self, passes: PassManager) -> PassManager:
        passes.passes = [(self.instead(one), said) for one, said in passes.passes if one not in _LEFT_OUT]
        passes._finalized = False
        passes.finalize()
        return passes

    def instead(self, one: type) -> type:
        """Return the pass to run in place of one."""
        return one


class PartLibrary(JITCodeLibrary):
    """LLVM's code of a part and of what it calls, for kernels to link in."""

    def _optimize_final_module(self) -> None:
        """Leave it to the kernel's library."""

    def _finalize_final_module(self) -> None:
        """Make no machine code."""
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class PartLowering(NativeLowering):
    """From numba's typed code to LLVM's."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        """Do as numba does, without the machine code and the entry that other functions have."""
        name = state.func_id.func_qualname
        state.library = PartLibrary(state.targetctx.codegen(), name)
        state.library.enable_object_caching()
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        # numba knows a compiled function by its entry; this one leads nowhere.
        entry = _dynfunc.make_function(lowered.fndesc.lookup_module(), name, "", 0, lowered.env, (state.library,))
        state.targetctx.insert_user_function(entry, lowered.fndesc, [state.library])
        state["cr"] = lowered._replace(cfunc=entry)
        return True


class PartCompiler(KernelCompiler):
    """The same with another last step."""

    def instead(self, one: type) -> type:
        """Return the pass to run in place of one."""
        return PartLowering if one is NativeLowering else one


def set_environments(compiled: Any) -> None:
    """Tell a kernel what its parts know of Python, as numba does when it loads one from its cache."""
    library = compiled.library
    for variable in library._final_module.global_variables:
        known = lookup_environment(variable.name) if variable.name.startswith(_ENVIRONMENT) else None
        if known is not None:
            library.codegen.set_env(variable.name, known)
