"""A proxy between client and server that spoils answers: what a network, a cache and a busy server do to a download.

`FaultProxy` listens on loopback and asks the real server behind it. A rule gets each request and names the fault to
commit, or None. Connections are counted, and every request is kept as it came.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from urllib.parse import urlsplit

ERROR_PAGE = b"<html><body><h1>Service temporarily unavailable</h1></body></html>"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request: `turn` counts those for the same path, from 0."""

    path: str
    headers: dict[str, str]
    turn: int
    raw: bytes


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer that may be spoiled; `cut` is the byte of the whole answer behind which the connection ends."""

    status: bytes
    headers: dict[str, str]
    body: bytes
    cut: int | None = None
    slowly: float = 0.0  # seconds for each byte
    late: float = 0.0  # seconds before the answer
    silent: bool = False

    def spoiled(self) -> bytes:
        lines = [self.status, *(f"{name}: {value}".encode("latin-1") for name, value in self.headers.items())]
        whole = b"\r\n".join([*lines, b"", b""]) + self.body
        return whole if self.cut is None else whole[: self.cut]

    def without(self, *names: str) -> "Reply":
        lower = {name.lower() for name in names}
        return replace(self, headers={name: value for name, value in self.headers.items() if name.lower() not in lower})

    def with_body(self, body: bytes) -> "Reply":
        fresh = self.without("Content-Length")
        return replace(fresh, body=body, headers={**fresh.headers, "Content-Length": str(len(body))})


Fault = Callable[[Reply], Reply]
Rule = Callable[[Request], "Fault | None"]


def cut(at: float) -> Fault:
    """End the connection behind a byte of the body: a number, or a share of it."""

    def spoil(reply: Reply) -> Reply:
        head = len(reply.spoiled()) - len(reply.body)
        where = int(at * len(reply.body)) if isinstance(at, float) else int(at)
        return replace(reply, cut=head + min(where, len(reply.body)))

    return spoil


def cut_without_length(at: float) -> Fault:
    """The same, and no Content-Length, so that nothing in HTTP tells it from the end."""
    return lambda reply: cut(at)(reply.without("Content-Length"))


def no_length(reply: Reply) -> Reply:
    return reply.without("Content-Length")


def flip(reply: Reply) -> Reply:
    """Change one byte in the middle of the body."""
    middle = len(reply.body) // 2
    return replace(reply, body=reply.body[:middle] + bytes([reply.body[middle] ^ 1]) + reply.body[middle + 1 :])


def error_page(reply: Reply) -> Reply:
    """An HTML page with status 200."""
    return replace(reply.with_body(ERROR_PAGE), status=b"HTTP/1.1 200 OK")


def slow_down(reply: Reply) -> Reply:
    body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
    return replace(reply.with_body(body), status=b"HTTP/1.1 503 Slow Down")


def not_found(reply: Reply) -> Reply:
    return replace(reply.with_body(b"<Error><Code>NoSuchKey</Code></Error>"), status=b"HTTP/1.1 404 Not Found")


def loris(reply: Reply) -> Reply:
    return replace(reply, slowly=0.02)


def mute(reply: Reply) -> Reply:
    return replace(reply, silent=True)


def redirect(to: str) -> Fault:
    def spoil(reply: Reply) -> Reply:
        fresh = reply.with_body(b"")
        return replace(fresh, status=b"HTTP/1.1 302 Found", headers={**fresh.headers, "Location": to})

    return spoil


@dataclass
class FaultProxy:
    """A proxy in front of `upstream` (an address with a path); `base` is the same path through the proxy."""

    upstream: str
    rule: Rule = field(default=lambda request: None)

    def __enter__(self) -> "FaultProxy":
        self.requests: list[Request] = []
        self.committed: list[str] = []
        self.open = self.most_open = 0
        self.sent = 0  # bytes of all answers, with their heads
        self._turns: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._port}{urlsplit(self.upstream).path}"

    def asked(self, part: str) -> list[str]:
        """Return the paths asked for that hold some text."""
        return [request.path for request in self.requests if part in request.path]

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:  # type: ignore[arg-type]
            task.cancel()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            request = self._note(head)
            fault = self.rule(request)
            if fault is not None:
                self.committed.append(request.path)
            reply = await self._ask(request)
            reply = fault(reply) if fault is not None else reply
            self.sent += len(reply.spoiled())
            await _send(writer, reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()

    def _note(self, head: bytes) -> Request:
        first, *lines = head.decode("latin-1").split("\r\n")
        path = first.split(" ")[1]
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        request = Request(path=path, headers=headers, turn=self._turns[path], raw=head)
        self._turns[path] += 1
        self.requests.append(request)
        return request

    async def _ask(self, request: Request) -> Reply:
        parts = urlsplit(self.upstream)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        headers = {**request.headers, "Connection": "close", "Host": parts.netloc}
        lines = [f"GET {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode("latin-1"))
        raw = await reader.read()
        writer.close()
        head, _, body = raw.partition(b"\r\n\r\n")
        status, *rest = head.split(b"\r\n")
        found = dict(line.decode("latin-1").split(": ", 1) for line in rest if b": " in line)
        return Reply(status=status, headers={**found, "Connection": "close"}, body=body).without("Transfer-Encoding")


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    if reply.silent:
        await asyncio.sleep(3600)
    content = reply.spoiled()
    await asyncio.sleep(reply.late)
    if not reply.slowly:
        writer.write(content)
    else:
        for place in range(len(content)):
            writer.write(content[place : place + 1])
            await writer.drain()
            await asyncio.sleep(reply.slowly)
    await writer.drain()
