"""How the scans of this room are compiled, and what they read by the word.

They are made of parts (`corpus.arrays.kernel`), and make no arrays.
"""

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from corpus.arrays.kernel import PART, part

# For what is called for every tag: a third faster, and longer to compile.
inlined: Any = njit(**PART, forceinline=True)

WORD = 8
_intrinsic: Any = intrinsic  # its stub does not know that the first argument is numba's


@_intrinsic
def word_at(typing_context, raw, i):  # type: ignore[no-untyped-def]
    """Return the eight bytes at an index as one uint64, the first the lowest; all of them must be there."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = cgutils.gep_inbounds(builder, array.data, arguments[1])
        return builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(raw, types.int64), generate


@_intrinsic
def put_word(typing_context, text, i, word):  # type: ignore[no-untyped-def]
    """Write a word as `word_at` reads it."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = cgutils.gep_inbounds(builder, array.data, arguments[1])
        builder.store(arguments[2], builder.bitcast(place, ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(text, types.int64, types.uint64), generate


@part
def mask_of(size):  # type: ignore[no-untyped-def]
    """Return the word that keeps the first `size` bytes of another, all of them from eight on; `size` is not 0."""
    return ~np.uint64(0) >> np.uint64(max(WORD - size, 0) * 8)


@part
def is_same(raw, i, begin, size):  # type: ignore[no-untyped-def]
    """Say whether as many bytes are the same at two places."""
    for j in range(0, size, WORD):  # noqa: SIM110  numba compiles a loop faster
        if (word_at(raw, i + j) ^ word_at(raw, begin + j)) & mask_of(size - j):
            return False
    return True
