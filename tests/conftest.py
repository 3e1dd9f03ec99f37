"""Fixtures that all tests share: where the real NCBI files lie, and where this repository lies.

Real data is read, never copied into the repository. Tests that need it ask for `real_data` and carry the
mark of the same name; they are skipped, with the reason, where the files are missing.
"""

import os
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# What a shell starts in the background ignores Ctrl-C, below nohup SIGHUP too, and so would all that the tests strike.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(number, usual)

# Tests put other functions into the readers, which calls within compiled code would not meet.
os.environ.setdefault("CORPUSCLE_PURE", "1")

REPOSITORY = Path(__file__).resolve().parent.parent
# What a test finds depends on no clock: on a busy machine an example takes as long as it takes.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


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
