"""The shared real question sets, which tests read where they lie beside the repository."""

import os
from pathlib import Path

import pytest

from tests.support.house import REPOSITORY

QA_DATA = Path(os.environ.get("CORPUSCLE_DATA") or REPOSITORY.parent / "shared" / "data") / "qa"
needs_qa_data = pytest.mark.skipif(not QA_DATA.is_dir(), reason=f"{QA_DATA} is missing")
