"""Other versions of a library over the packages that are installed here: a folder each, put first on Python's path.

torch and what else is large is shared; transformers comes with the tokenizers, huggingface-hub and safetensors that
the version asks for. A folder that was made is used again.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement

# What a version is particular about and is small; all else it shares with what is installed here. A library that is not
# named here comes with all that it requires.
OWN = {
    "transformers": ("tokenizers", "huggingface-hub", "safetensors"),
    "xllamacpp": (),
    "ctranslate2": (),
    "megatron-core": (),
    "datatrove": ("loguru", "humanize"),
}
MADE = ".made"


def environment(folder: Path, library: str, wanted: str, *, beside: Sequence[str] = ()) -> dict[str, str]:
    """Return the environment variables of a process that is to have a version; installs it below `folder`.

    `beside` limits what it requires. Raises SystemExit with what pip says when it cannot be installed.
    """
    # Nothing is fetched when models are read, no matter what a version asks for.
    variables = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if next((one.version for one in distributions(name=library)), None) == wanted:
        return variables
    place = folder / f"{library}-{wanted}"
    if not (place / MADE).exists():
        install(place, f"{library}=={wanted}", *(("--no-deps",) if library in OWN else beside))
        small = [need for need in needs(place, library) if need.name in OWN.get(library, ())]
        if small:
            install(place, *map(str, small), "--no-deps")
        (place / MADE).touch()
    return variables | {"PYTHONPATH": str(place)}


def install(place: Path, *words: str) -> None:
    """Run pip for a folder; raises SystemExit with what it says."""
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(place))
    done = subprocess.run([*pip, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pip install {' '.join(words)}: {done.stderr.strip()}")


def needs(place: Path, library: str) -> list[Requirement]:
    """Return what a library in a folder requires here, without its extras."""
    found = next(one for one in distributions(path=[str(place)]) if one.name == library)
    stated = map(Requirement, found.requires or ())
    return [need for need in stated if need.marker is None or need.marker.evaluate({"extra": ""})]
