"""Memory and cores of this machine, or what its container may use, asked without a library."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

# Where Linux says what a container may use, by the second and the first version of control groups.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
NO_LIMIT = 1 << 60  # what the first version says where none is set is as large


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A limit on memory that somebody set: how much, and what set it."""

    bytes: int
    by: str


def address_limit() -> MemoryLimit | None:
    """Return the limit on the addresses of each process here, mapped libraries too; None where there is none."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY or soft >= NO_LIMIT else MemoryLimit(soft, "`ulimit -v`")


def container_limit() -> MemoryLimit | None:
    """Return the limit on the memory of all processes here together; None where there is none."""
    for path in LIMITS:
        try:
            found = int(path.read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such file, or "max"
            continue
        if found < NO_LIMIT:
            return MemoryLimit(found, f"the container ({path})")
    return None


def memory_bytes() -> int | None:
    """Return the bytes of memory that processes here can have: a container's limit, where it has a smaller one.

    None where the system does not say.
    """
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    there, limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), container_limit()
    return there if limit is None else min(there, limit.bytes)


def usable_cores() -> int:
    """Return the processor cores that this process may use; where the system does not say (macOS), all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
