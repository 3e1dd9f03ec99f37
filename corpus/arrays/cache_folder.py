"""Folders for what can be made again: compiled code, and what other libraries keep below a user's home.

In a container the user is often a bare number: its home does not exist or cannot be written, and no list of users knows
it. Then a private folder below the temporary one serves, by a name that the same user finds again.
"""

import getpass
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

# What says where libraries keep their caches, and the name of the folder when they cannot have one below the home.
LIBRARIES: Final = {
    "HF_HOME": "huggingface",
    "MPLCONFIGDIR": "matplotlib",
    "TORCHINDUCTOR_CACHE_DIR": "torchinductor",
    "TRITON_CACHE_DIR": "triton",
}


def cache_folder(name: str) -> Path | None:
    """Return a folder below the user's caches that can be written, or a private temporary one, or None.

    It is made if it is not there; `name` is its name below the folder of all our caches.
    """
    for find in (_of_the_user, _temporary):
        if (root := find()) is not None and is_writable(root / name):
            return root / name
    return None


def without_home() -> dict[str, str]:
    """Return environment variables for libraries that would fail, or complain, at a home that cannot be written.

    Empty for a usual user. torch asks for the user's name, too, and fails where no list knows one.
    """
    found: dict[str, str] = {}
    caches = user_caches()
    if (caches is None or not _may_be_written(caches)) and (root := _temporary()) is not None:
        found = {variable: str(root / name) for variable, name in LIBRARIES.items()}
    try:
        getpass.getuser()
    except (KeyError, OSError):
        found["USER"] = str(os.getuid())
    return found


def _may_be_written(folder: Path) -> bool:
    """Say whether the folder, or the one that it can be made in, may be written, without a trace."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def is_writable(folder: Path) -> bool:
    """Say whether a file can be made in the folder, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def user_caches() -> Path | None:
    """Return where this user's programs keep their caches, or None where the user has no home at all."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) if os.path.isabs(base) else None  # "~" stays what it is for a user that no list knows


def _of_the_user() -> Path | None:
    caches = user_caches()
    return None if caches is None else caches / "corpuscle"


def _temporary() -> Path | None:
    """Return a folder below the temporary one that this user owns and nobody else can open: caches hold code."""
    with suppress(OSError):
        folder = Path(tempfile.gettempdir(), f"corpuscle-{os.getuid()}")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = os.lstat(folder)  # of a link: the link's own, which is no folder
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
            return folder
    return None
