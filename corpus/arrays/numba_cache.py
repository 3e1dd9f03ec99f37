"""numba's on-disk cache, invalidated when any source that a kernel may be made of is newer.

numba looks at the age of the one file that a kernel stands in. The functions and constants that it compiles in from
other files are no part of that: after an update of the repository an old kernel would go on with old rules, without a
word. What a kernel is made of lies in its own folder or in this one, so the newest source of the two decides.
"""

from pathlib import Path

_SHARED = Path(__file__).parent  # hashes, which kernels of other rooms compile in


def forget_outdated(folder: Path) -> int:
    """Remove numba's cache files of a folder that are older than its newest source or a shared one; return how many.

    Files that another process removes meanwhile are no error, nor is a folder that cannot be written to.
    """
    cached = [*folder.glob("__pycache__/*.nbi")]
    if not cached:
        return 0
    newest = max(path.stat().st_mtime_ns for place in (folder, _SHARED) for path in place.glob("*.py"))
    removed = 0
    for path in cached:
        try:
            if path.stat().st_mtime_ns < newest:
                path.unlink()  # the index: without it the compiled code beside it is not found
                removed += 1
        except OSError:
            continue
    return removed
