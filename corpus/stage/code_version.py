"""Version of the code at work: what a worker of another machine is held against before it does anything.

A worker gets the steps of a pipeline by the names of their classes, and runs what its own installation has under those
names. The version of the package alone does not tell a checkout from the next one, so the source is hashed too.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from corpus.errors import UsageError
from corpus.stage.manifest import PACKAGE, package_version

ROOMS: Final = ("corpus", "pipelines", "tokenizer")  # whose code runs on workers
SHOWN: Final = 10  # digits of the hash


@cache
def code_version() -> str:
    """Return the version of the package and a hash of its source: `0.1.0 (code 3fa9c1d2e0)`."""
    digest, root = hashlib.sha256(), Path(__file__).parents[2]
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{package_version()} (code {digest.hexdigest()[:SHOWN]})"


def check_code(sent_by: str) -> None:
    """Raise UsageError where this process runs other code than the one that sent it some work."""
    if sent_by != code_version():
        raise UsageError(
            f"a worker has another {PACKAGE} than this command: {code_version()} there, {sent_by} here; give the "
            "image or the environment of the workers the same one, then run the same command again"
        )
