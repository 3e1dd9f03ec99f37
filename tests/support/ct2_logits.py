"""CTranslate2 in a process of its own: python -m tests.support.ct2_logits MODEL_DIR IDS.npy LOGITS.npy

Which instructions its matrix libraries use is read from the environment, once, when they are first called.
`INSTRUCTIONS` names what they can be told to use on any x86 CPU; what a CPU lacks is left out by the libraries, so
there is no CPU on which one of them may not be named.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# On Intel's CPUs CTranslate2 calls MKL, on others oneDNN. VNNI came after the AVX-512 that is named here.
INSTRUCTIONS = {
    "mkl-sse4": {"CT2_USE_MKL": "1", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    "mkl-avx2": {"CT2_USE_MKL": "1", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "mkl-avx512": {"CT2_USE_MKL": "1", "MKL_ENABLE_INSTRUCTIONS": "AVX512"},
    "onednn-avx2": {"CT2_USE_MKL": "0", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "onednn-avx512": {"CT2_USE_MKL": "0", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "onednn-best": {"CT2_USE_MKL": "0", "ONEDNN_MAX_CPU_ISA": "ALL"},
}


def logits_with(instructions: str, model: Path, ids: NDArray[np.int64], folder: Path) -> NDArray[np.float32]:
    """Return the logits (rows, tokens, vocabulary) of rows of ids, computed with these instructions."""
    folder.mkdir(parents=True, exist_ok=True)
    asked, answered = folder / "ids.npy", folder / "logits.npy"
    np.save(asked, ids)
    command = [sys.executable, "-m", "tests.support.ct2_logits", str(model), str(asked), str(answered)]
    subprocess.run(command, check=True, env=os.environ | INSTRUCTIONS[instructions])
    found: NDArray[np.float32] = np.load(answered)
    return found


def main(model: str, ids: str, logits: str) -> None:
    """Run the model on the rows and write what it gives."""
    sys.modules["torch"] = None  # type: ignore[assignment]  # for its converters alone, and seconds to import
    import ctranslate2

    generator = ctranslate2.Generator(model, device="cpu", intra_threads=1, inter_threads=1)
    np.save(logits, np.array(generator.forward_batch(np.load(ids).tolist())))


if __name__ == "__main__":
    main(*sys.argv[1:])
