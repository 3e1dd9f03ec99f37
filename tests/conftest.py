"""Fixtures that all tests share: where the real NCBI files lie, and where this repository lies.

Real data is read, never copied into the repository. Tests that need it ask for `real_data` and carry the
mark of the same name; they are skipped, with the reason, where the files are missing.
"""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real NCBI files, or skip: `CORPUSCLE_DATA`, else `../shared/data` beside the repository."""
    folder = Path(os.environ.get("CORPUSCLE_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "pubmed").is_dir() or not (folder / "pmc").is_dir():
        pytest.skip(f"no real data: {folder} has no pubmed/ and pmc/; set CORPUSCLE_DATA to a folder that has")
    return folder
