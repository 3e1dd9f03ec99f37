"""Ranks meet: rank 0 keeps the store that they find each other by, and says who has not come.

torch waits for half an hour without a word, and ends in stack traces of C++. A rank that waits says so within a minute,
and which are missing; the wait ends after MEET_SECONDS. Below torchrun its agents have met already.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined,unused-ignore]

from corpus.errors import CorpuscleError

MEET_SECONDS = 600.0  # machines that read Python and torch from a cold network disk need minutes
SAY_SECONDS = 30.0  # then twice as long, and so on
POLL_SECONDS = 0.2
_SHOWN = 8  # ranks that a line names
_ALL = "all"


def meet(say: Callable[[str], None], *, patience: timedelta) -> Store | None:
    """Return the store of all ranks, once all are there; None below torchrun.

    `say` tells a user, of any rank. Raises CorpuscleError, on the ranks that came, when one does not come.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return None
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    with _saying(say, f"rank {rank} waits for rank 0 at {host}:{port}" if rank else None):
        store = _connected(host, port, rank, ranks)
        store.set(f"here/{rank}", socket.gethostname())
        if rank == 0:
            _wait_for_all(store, ranks, f"{host}:{port}", say)
            store.set(_ALL, "")
        else:
            _wait_for_word(store, rank, f"{host}:{port}")
    store.set_timeout(patience)
    return PrefixStore("ranks", store)


def _connected(host: str, port: int, rank: int, ranks: int) -> TCPStore:
    """Return rank 0's store, made by it, reached by the others."""
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise CorpuscleError(
            f"rank {rank}, on {socket.gethostname()}: {host}, the machine of rank 0, is a name that is not known here "
            f"({error}); put it into the DNS or /etc/hosts, or give MASTER_ADDR an address"
        ) from error
    limit = timedelta(seconds=MEET_SECONDS)
    try:
        return TCPStore(host, port, ranks, is_master=rank == 0, timeout=limit, wait_for_workers=False)
    except RuntimeError as error:
        reason = (str(error).splitlines() or [repr(error)])[0][:300]
        what = f"cannot listen at {host}:{port}" if rank == 0 else f"does not reach rank 0 at {host}:{port}"
        raise CorpuscleError(
            f"rank {rank}, on {socket.gethostname()}, {what}: {reason}. Is rank 0 there, is the port (MASTER_PORT) "
            "free, and open between the machines?"
        ) from error


def _wait_for_all(store: TCPStore, ranks: int, place: str, say: Callable[[str], None]) -> None:
    """Wait until every rank has signed; says who is missing meanwhile."""
    began, next_word = time.monotonic(), SAY_SECONDS
    missing = [*range(ranks)]
    while missing := [rank for rank in missing if not store.check([f"here/{rank}"])]:
        waited = time.monotonic() - began
        if waited > MEET_SECONDS:
            raise CorpuscleError(
                f"{_named(missing)} of {ranks} did not come to {place} within {MEET_SECONDS:,.0f} s; see the logs of "
                "their machines, and whether these reach that address"
            )
        if waited > next_word:
            say(f"waiting for {_named(missing)} of {ranks} at {place}, {waited:.0f} s")
            next_word *= 2
        time.sleep(POLL_SECONDS)


def _wait_for_word(store: TCPStore, rank: int, place: str) -> None:
    """Wait until rank 0 has seen all."""
    try:
        store.wait([_ALL], timedelta(seconds=MEET_SECONDS + SAY_SECONDS))
    except RuntimeError as error:  # rank 0 gave up, and says why
        raise CorpuscleError(f"rank {rank}: rank 0 at {place} went away before all ranks were there") from error


def _named(ranks: list[int]) -> str:
    shown = ", ".join(map(str, ranks[:_SHOWN])) + (", …" if len(ranks) > _SHOWN else "")
    return f"rank{'s' * (len(ranks) > 1)} {shown}"


@contextmanager
def _saying(say: Callable[[str], None], text: str | None) -> Iterator[None]:
    """Say, after SAY_SECONDS in the block, what it waits for; nothing where there is no text."""
    if text is None:
        yield
        return
    timer = threading.Timer(SAY_SECONDS, lambda: say(f"{text}, {SAY_SECONDS:.0f} s"))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
