"""A pool of workers on a machine of its own, as far as the kernel gives one: nothing is shared but a network.

The pool has a network namespace, tied by one cable (a veth pair) to this one, and namespaces of its own for mounts,
host name and processes; folders of this machine are hidden from it or replaced. Prism tells its workers that it is at
`localhost`, so a relay of this module's stands there. Tests skip, with the reason, where the kernel permits none of it.
"""

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import SHUT_WR, create_connection, create_server, socket

import pytest

from tests.conftest import REPOSITORY
from tests.support.engines import free_port, kill_group, wait_for

SECONDS = 20  # for a command that makes or removes a namespace


@dataclass(frozen=True, kw_only=True)
class Cable:
    """The network between this machine and the workers' one."""

    name: str  # of the workers' network namespace
    here: str  # address of this end
    there: str


@dataclass(frozen=True, kw_only=True)
class OtherMachine:
    """What is different on the workers' machine."""

    hidden: tuple[Path, ...] = ()  # folders that are empty there
    replaced: Mapping[Path, Path] = field(default_factory=dict)  # folders that hold what another one does here
    variables: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def cable() -> Iterator[Cable]:
    """Make the network of a machine apart until the block ends; skips where that is not permitted."""
    for program in ("ip", "unshare", "mount"):
        if shutil.which(program) is None:
            pytest.skip(f"workers on a machine apart need the program {program} (iproute2, util-linux)")
    number = os.getpid() % 16_000
    name, ends = f"corpuscle{number}", (f"cpa{number}", f"cpb{number}")
    here, there = (f"10.213.{number // 64}.{number % 64 * 4 + side}" for side in (1, 2))
    inside = ("ip", "netns", "exec", name)
    try:
        for words in (
            ("ip", "netns", "add", name),
            ("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1]),
            ("ip", "link", "set", ends[1], "netns", name),
            ("ip", "address", "add", f"{here}/30", "dev", ends[0]),
            ("ip", "link", "set", ends[0], "up"),
            (*inside, "ip", "address", "add", f"{there}/30", "dev", ends[1]),
            (*inside, "ip", "link", "set", ends[1], "up"),
            (*inside, "ip", "link", "set", "lo", "up"),
            (*inside, *_UNSHARED, "true"),
        ):
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
            if done.returncode:
                pytest.skip(f"workers on a machine apart are not permitted: {shlex.join(words)}: {done.stderr.strip()}")
        yield Cable(name=name, here=here, there=there)
    finally:
        for words in (("ip", "link", "delete", ends[0]), ("ip", "netns", "delete", name)):
            subprocess.run(words, capture_output=True, check=False, timeout=SECONDS)


_UNSHARED = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")


@contextmanager
def pool_apart(cable: Cable, jobs: int, machine: OtherMachine) -> Iterator[str]:
    """Run Beam's external pool of workers on the other machine until the block ends; yields its address."""
    port = free_port()
    script = ["set -e", "hostname elsewhere"]
    script += [f"mount -t tmpfs none {shlex.quote(str(folder))}" for folder in machine.hidden]
    script += [f"mount --bind {shlex.quote(str(new))} {shlex.quote(str(old))}" for old, new in machine.replaced.items()]
    script.append(f"{sys.executable} -m tests.support.apart {cable.here} {jobs} &")
    script.append(f"exec {sys.executable} -m apache_beam.runners.worker.worker_pool_main --service_port={port}")
    words = ["ip", "netns", "exec", cable.name, *_UNSHARED, "sh", "-c", "\n".join(script)]
    variables = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # the pool starts `python`
        "PYTHONPATH": str(REPOSITORY),
        "HOME": os.environ.get("HOME", "/"),  # what numba compiled is kept there
        "LC_ALL": "C",
        "TZ": "Pacific/Kiritimati",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    process = subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**variables, **machine.variables},
        start_new_session=True,
    )
    try:
        wait_for(port, cable.there)
        yield f"{cable.there}:{port}"
    finally:
        kill_group(process)


def relay(host: str, port: int) -> None:
    """Serve a port of this machine's loopback by handing all on to the same port of another one, for ever."""
    with create_server(("127.0.0.1", port)) as server:
        while True:
            near, _ = server.accept()
            far = create_connection((host, port))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _copy(source: socket, sink: socket) -> None:
    with suppress(OSError):
        while block := source.recv(1 << 16):
            sink.sendall(block)
        sink.shutdown(SHUT_WR)


if __name__ == "__main__":
    relay(sys.argv[1], int(sys.argv[2]))
