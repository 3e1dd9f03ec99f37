"""Numbers mixed until they look random: by values alone, the same on every machine, for orders and splits."""

from typing import Final

import numpy as np
import numpy.typing as npt

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)

Words = npt.NDArray[np.uint64]


def mix(values: Words) -> Words:
    """Mix 64 bits as splitmix64 does (Steele, Lea and Flood, OOPSLA 2014): a bijection."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)
