"""A Hub on this machine: as much of Hugging Face's protocol as an upload by `huggingface_hub` speaks.

Repositories are made, large files come as LFS objects, small ones inside the commit; what was received is kept by its
SHA-256. `refuse` is how many LFS objects are taken before one is refused, once.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(kw_only=True)
class Hub:
    """What the server was sent."""

    url: str = ""
    refuse: int | None = None
    made: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)  # LFS, by SHA-256
    files: dict[str, str] = field(default_factory=dict)  # SHA-256 by path, of the last commit
    uploads: int = 0
    tokens: set[str] = field(default_factory=set)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer({"sha": "0" * 40, "siblings": [], "id": "org/name"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.tokens.add(self.headers.get("Authorization", ""))
        if self.path.endswith("/api/repos/create"):
            self.hub.made.append(json.loads(body))
            self._answer({"url": f"{self.hub.url}/datasets/org/name", "name": "org/name"})
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            self._answer(
                {
                    "files": [
                        {"path": one["path"], "uploadMode": _mode(one["path"]), "shouldIgnore": False} for one in asked
                    ]
                }
            )
        elif self.path.endswith("/info/lfs/objects/batch"):
            self._answer({"transfer": "basic", "objects": [self._object(one) for one in json.loads(body)["objects"]]})
        elif "/commit/" in self.path:
            self._commit(body)
        else:
            self._answer({})

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.hub.refuse is not None and len(self.hub.objects) >= self.hub.refuse:
            self._answer({"error": "refused for once"}, code=400)
            return
        self.hub.uploads += 1
        self.hub.objects[hashlib.sha256(content).hexdigest()] = content
        self._answer({})

    def _object(self, one: dict[str, Any]) -> dict[str, Any]:
        known = {"oid": one["oid"], "size": one["size"]}
        if one["oid"] in self.hub.objects:  # which needs no upload
            return known
        return known | {"actions": {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}", "header": {}}}}

    def _commit(self, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.hub.files[value["path"]] = hashlib.sha256(base64.b64decode(value["content"])).hexdigest()
            elif line["key"] == "lfsFile":
                assert value["oid"] in self.hub.objects
                self.hub.files[value["path"]] = value["oid"]
        self._answer(
            {"commitUrl": f"{self.hub.url}/datasets/org/name/commit/{0:040}", "commitOid": "0" * 40, "hookOutput": ""}
        )

    def _answer(self, content: Any, *, code: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _mode(path: str) -> str:
    return "lfs" if path.endswith((".parquet", ".safetensors")) else "regular"


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Yield a Hub that listens on this machine."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
