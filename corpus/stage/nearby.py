"""Finished stages near a directory, by their manifests: where the stages before one lie whose path nobody said."""

import os
from glob import glob
from pathlib import Path

from corpus.errors import CorpuscleError
from corpus.stage.manifest import MANIFEST, Manifest, has_manifest, read_manifest


def manifests_near(*places: str) -> list[tuple[str, Manifest]]:
    """Return the readable manifests beside some directories, two levels up and down, with their directories."""
    above = {str(parent) for place in places for parent in list(Path(os.path.abspath(place)).parents)[:2]}
    patterns = (MANIFEST, f"*/{MANIFEST}", f"*/*/{MANIFEST}")
    # Not pathlib's: this one passes over what cannot be listed or vanishes meanwhile.
    files = {
        os.path.join(parent, file) for parent in above for name in patterns for file in glob(name, root_dir=parent)
    }
    read = ((folder, readable_manifest(folder)) for folder in sorted(map(os.path.dirname, files)))
    return [(folder, found) for folder, found in read if found is not None]


def readable_manifest(folder: str) -> Manifest | None:
    """Return a directory's manifest; None when there is none, or a damaged one, which `verify` is there to say."""
    try:
        return read_manifest(folder) if has_manifest(folder) else None
    except (CorpuscleError, OSError):
        return None
