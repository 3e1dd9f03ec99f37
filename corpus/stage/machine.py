"""Memory and cores of this machine, or what its container may use, asked without a library."""

import os
from pathlib import Path

# Where Linux says what a container may use, by the second and the first version of control groups.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bytes() -> int | None:
    """Return the bytes of memory that processes here can have: a container's limit, where it has a smaller one.

    None where the system does not say.
    """
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    known = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in LIMITS:
        try:
            known.append(int(limit.read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return min(known)


def usable_cores() -> int:
    """Return the processor cores that this process may use; where the system does not say (macOS), all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
