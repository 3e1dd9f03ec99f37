"""Compiled kernels are forgotten when a source beside them is newer.

numba's cache looks at the age of the one file that a kernel stands in. The functions and constants that it compiles in
from other files are no part of that: after an update of the repository an old kernel would go on with old rules,
without a word. What a kernel is made of lies in its own folder, so the newest source of the folder decides.
"""

from pathlib import Path


def forget_outdated(folder: Path) -> int:
    """Remove numba's cache files of a folder that are older than its newest source; return how many.

    Files that another process removes meanwhile are no error, nor is a folder that cannot be written to.
    """
    cached = [*folder.glob("__pycache__/*.nbi")]
    if not cached:
        return 0
    newest = max(path.stat().st_mtime_ns for path in folder.glob("*.py"))
    removed = 0
    for path in cached:
        try:
            if path.stat().st_mtime_ns < newest:
                path.unlink()  # the index: without it the compiled code beside it is not found
                removed += 1
        except OSError:
            continue
    return removed
