"""Dataflow's job service as a submission sees it: takes a job, says how it ends, and records every request.

Beam speaks REST to `--dataflow_endpoint=http://localhost:PORT` and asks three things: to create a job, its state, its
messages. What a job does is not done here.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JOB = "2026-11-30_00_00_00-1234567890"


@dataclass(kw_only=True)
class JobEnd:
    """How the service answers: the state that a job is in, what it said, and the HTTP status of a refusal."""

    state: str = "JOB_STATE_DONE"
    message: str = ""
    refusal: int = 0


@dataclass(kw_only=True)
class RecordedService:
    """The service's port, and its requests: method, path, and the body's JSON."""

    port: int
    requests: list[tuple[str, str, Any]] = field(default_factory=list)

    def job(self) -> Any:
        """Return the one job that was submitted."""
        (body,) = [body for method, _, body in self.requests if method == "POST"]
        return body

    def flags(self) -> list[str]:
        """Return Beam's flags that send a job here."""
        return [
            "--runner=DataflowRunner", "--no_auth", f"--dataflow_endpoint=http://localhost:{self.port}",
            "--project=a-project", "--region=europe-west4",
        ]  # fmt: skip


@contextmanager
def dataflow_service(end: JobEnd) -> Iterator[RecordedService]:
    """Serve until the block ends."""
    server = _JobServer(("localhost", 0), _JobHandler)
    service = RecordedService(port=server.server_port)
    server.end, server.recorded = end, service.requests
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _JobServer(ThreadingHTTPServer):
    end: JobEnd
    recorded: list[tuple[str, str, Any]]


class _JobHandler(BaseHTTPRequestHandler):
    server: _JobServer

    def do_POST(self) -> None:
        body = self._recorded()
        if self.server.end.refusal:
            error = {"code": self.server.end.refusal, "message": self.server.end.message, "status": "REFUSED"}
            return self._answer({"error": error}, status=self.server.end.refusal)
        return self._answer({**body, "id": JOB, "currentState": "JOB_STATE_PENDING"})

    def do_PUT(self) -> None:
        self._recorded()
        self.server.end.state = "JOB_STATE_CANCELLED"
        self._answer({"id": JOB, "currentState": self.server.end.state})

    def do_GET(self) -> None:
        self._recorded()
        if "/messages" in self.path:
            said = {"id": "1", "time": "2026-11-30T00:00:00Z", "messageText": self.server.end.message}
            self._answer(
                {"jobMessages": [said | {"messageImportance": "JOB_MESSAGE_ERROR"}] if self.server.end.message else []}
            )
        else:
            self._answer({"id": JOB, "currentState": self.server.end.state})

    def _recorded(self) -> Any:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(text) if text else None
        self.server.recorded.append((self.command, self.path, body))
        return body

    def _answer(self, content: Any, status: int = 200) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
