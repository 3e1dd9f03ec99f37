"""An OpenAI-compatible server that lies, breaks and dawdles by plan, and counts what it was asked.

Each request body meets its faults one after the other, and then gets its right answer.
"""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[str, dict[str, Any]], dict[str, Any]]  # path and request to the right answer


class FaultyServer(ThreadingHTTPServer):
    """The server; `faults` is what each body meets first: a status, or cut, garbled, empty, drop, slow."""

    daemon_threads = True

    def __init__(self, answer: Answer, faults: Sequence[int | str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.faults = answer, faults
        self.met: Counter[str] = Counter()
        self.again: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.headers: dict[str, str] = {}  # sent with a status that is a fault
        self.error: dict[str, Any] = {"message": "try later"}
        self.guard = threading.Lock()

    @property
    def base(self) -> str:
        """The address to give to `qa evaluate`."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that did not wait."""

    def next_fault(self, body: bytes) -> int | str | None:
        """Return what this request meets now; None for its answer."""
        with self.guard:
            self.asked.append(json.loads(body))
            met = self.met[body.decode()]
            self.met[body.decode()] += 1
            if met:
                self.again[body.decode()].set()
        return self.faults[met] if met < len(self.faults) else None


class _Handler(BaseHTTPRequestHandler):
    server: FaultyServer

    def do_POST(self) -> None:
        """Answer as planned."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers.get("Authorization"))
        fault = self.server.next_fault(body)
        right = json.dumps(self.server.answer(self.path, json.loads(body))).encode()
        if fault == "drop":
            self.close_connection = True
        elif fault == "slow":
            self.server.again[body.decode()].wait(60)  # until the client has given this one up
            self._send(200, right)
        elif fault == "cut":
            self._send(200, right[: len(right) // 2])
        elif fault == "cut-in-flight":
            self._send(200, right[: len(right) // 2], length=len(right))
            self.close_connection = True
        elif fault == "garbled":
            self._send(200, b"<html>busy</html>")
        elif fault == "empty":
            self._send(200, b'{"choices": []}')
        elif isinstance(fault, int):
            self._send(fault, json.dumps({"error": self.server.error}).encode(), self.server.headers)
        else:
            self._send(200, right)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def faulty_server(answer: Answer, faults: Sequence[int | str] = ()) -> Iterator[FaultyServer]:
    """Yield a running server."""
    server = FaultyServer(answer, faults)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
