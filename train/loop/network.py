"""Network that NCCL goes through, from what it says itself: InfiniBand, EFA, or sockets, at a fraction of the speed.

NCCL takes TCP sockets without an error where a container lacks InfiniBand's libraries or devices. It says so only when
asked (`NCCL_DEBUG=INFO`), so it is asked to write that into files, where the user has not asked otherwise.
"""

import glob
import os
import re

from corpus import storage

_USING = re.compile(r"NCCL INFO Using network (?P<name>[^\n]+)")
_FIRST = 1 << 20  # bytes of a log in which NCCL has chosen


def ask_nccl(folder: str) -> None:
    """Have NCCL, before its first use, write what it chooses into a folder; never over the user's values."""
    if "NCCL_DEBUG" in os.environ:
        return
    os.makedirs(folder, exist_ok=True)  # or NCCL writes to standard output
    os.environ["NCCL_DEBUG"] = "INFO"
    os.environ.setdefault("NCCL_DEBUG_SUBSYS", "INIT,NET")
    os.environ.setdefault("NCCL_DEBUG_FILE", storage.join(folder, "nccl-%h-%p.log"))


def network_used() -> tuple[str, ...]:
    """Return the networks that NCCL says it uses, in the files of this process and others; () where it says nothing."""
    if not (pattern := os.environ.get("NCCL_DEBUG_FILE")):
        return ()
    found: dict[str, None] = {}
    for path in sorted(glob.glob(re.sub(r"%[hp]", "*", glob.escape(pattern)))):
        with open(path, encoding="utf-8", errors="replace") as log:
            found |= dict.fromkeys(networks_in(log.read(_FIRST)))
    return tuple(found)


def networks_in(text: str) -> list[str]:
    """Return the networks that a log of NCCL says it uses, each once: IB, Socket, AWS Libfabric, …."""
    return list(dict.fromkeys(match["name"].strip() for match in _USING.finditer(text)))


def is_slow(networks: tuple[str, ...]) -> bool:
    """Say whether NCCL goes through TCP sockets between machines."""
    return "Socket" in networks


SLOW_ADVICE = (
    "give the container InfiniBand's libraries and devices (libibverbs1 and ibverbs-providers; --network=host "
    "--device=/dev/infiniband --ulimit memlock=-1), or on AWS the aws-ofi-nccl plugin; NCCL_IB_HCA names the adapters"
)
