"""HTTP client of all fetches: what may be asked, what an answer must be, and when to ask again.

A `Host` is the only scheme, name and port that is contacted; a redirect to any other is a fault. No proxy, netrc,
cookie or credential is read or sent unless a proxy is named. A body counts only when the caller's check has accepted
it: a length alone proves nothing, because a cut connection without Content-Length looks like an end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
from yarl import URL

from corpus.errors import UsageError
from corpus.fetch.http.pace import Gate, Pace
from corpus.fetch.http.tally import FetchTally
from corpus.stage.manifest import package_version
from corpus.storage.http_dates import clock_note, seconds_until

Checked = TypeVar("Checked")

BODY_CAP = 200_000_000  # bytes of one object held in memory; the largest XML of PMC have tens of MB
_REDIRECTS = 3
_GONE, _BUSY, _MOVED = (404, 410), (429, 500, 502, 503, 504), (301, 302, 303, 307, 308)
# Faults that the next attempt is likely to repeat.
CERTAIN = frozenset({"gone", "denied", "wrong_md5", "unverified", "unexpected", "too_large"})
FINAL = frozenset({"redirect"})


class Fault(Exception):  # noqa: N818  a fault is not yet an error: most are retried
    """An answer that cannot be used: `kind` for counting, `url` and `detail` for the reader."""

    def __init__(self, kind: str, detail: str, *, url: str = "", wait: float = 0.0) -> None:
        super().__init__(f"{url}: {kind}: {detail}")
        self.kind, self.detail = kind, detail
        self.url, self.wait = url, wait


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer: headers in lower case, and the body as it came."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def etag(self) -> str:
        """The ETag without quotes, "" when there is none."""
        return self.headers.get("etag", "").removeprefix("W/").strip('"')


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """Where objects are fetched from: a base address, under which a key is a path."""

    base: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.base)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
            raise UsageError(f"--source {self.base}: expected https://HOST/PATH without a user or a query")

    def url(self, key: str = "", query: str = "") -> str:
        """Return the address of a key."""
        address = f"{self.base.rstrip('/')}/{quote(key, safe='/~')}"
        return f"{address.rstrip('/') if not key else address}{'?' + query if query else ''}"

    def allows(self, url: str) -> bool:
        """Say whether an address is at this host."""
        # The prefix ends behind the host, so nothing that follows can name another; 13 µs less than the comparison.
        return url.startswith(f"{self.base.rstrip('/')}/") or _origin(url) == _origin(self.base)


class Client:
    """Fetches from one host; use it as an asynchronous context manager."""

    def __init__(self, host: Host, *, pace: Pace, tally: FetchTally, proxy: str | None = None) -> None:
        self.host, self.pace = host, pace
        self.tally, self._proxy = tally, proxy
        self.gate = Gate(pace.connections)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Client":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.pace.connections, ttl_dns_cache=300),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": f"corpuscle/{package_version()}", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.pace.grace, sock_read=self.pace.grace),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def get(self, url: str, check: Callable[[Answer], Checked], *, cap: int = BODY_CAP) -> Checked:
        """Return what `check` makes of the answer; it raises Fault for a body that is not what was asked for.

        Raises Fault when all attempts failed.
        """
        return await self.persist(url, lambda: self._get_once(url, check, cap))

    async def persist(self, url: str, work: Callable[[], Any]) -> Any:
        """Do some work until it succeeds or its faults are too many; raises the last Fault."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await work()
            except Fault as fault:
                fault.url = fault.url or url
                most = self.pace.attempts_certain if fault.kind in CERTAIN else self.pace.attempts
                final = fault.kind in FINAL or attempt >= most
                self.tally.fault(fault.kind, fault.url, fault.detail, attempt=attempt, final=final)
                if final:
                    raise
                await asyncio.sleep(self.pace.wait(attempt, fault.wait))

    async def _get_once(self, url: str, check: Callable[[Answer], Checked], cap: int) -> Checked:
        async with self.gate, self.open(url) as response:
            body = await self._body(response, cap)
            answer = Answer(url=url, headers=_lower(response.headers), body=body)
        return check(answer)

    @asynccontextmanager
    async def open(
        self, url: str, *, headers: Mapping[str, str] | None = None, also: tuple[int, ...] = ()
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the response to a GET, status 200 (or one of `also`); every failure inside is a Fault."""
        assert self._session is not None
        try:
            for _ in range(_REDIRECTS + 1):
                if not self.host.allows(url):
                    raise Fault("redirect", f"sent to {url[:200]}, only {self.host.base} is asked", url=url)
                self.tally.requests += 1
                async with asyncio.timeout(self.pace.grace):  # aiohttp limits each read, not the whole head
                    answer = await self._session.get(
                        URL(url, encoded=True), headers=headers, allow_redirects=False, proxy=self._proxy
                    )
                async with answer as response:
                    if response.status in _MOVED:
                        url = urljoin(url, response.headers.get("Location", ""))
                        continue
                    self._judge(response, also)
                    yield response
                    self.gate.fine()
                    return
            raise Fault("redirect", f"more than {_REDIRECTS} redirects")
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            raise Fault(
                "timeout", f"nothing for {self.pace.grace:.0f} s, or too slow ({type(error).__name__})"
            ) from error
        except aiohttp.ClientPayloadError as error:
            raise Fault("cut", f"the connection was cut inside the body ({error})") from error
        except (aiohttp.ClientError, ConnectionError, OSError) as error:
            raise Fault("no_connection", f"{type(error).__name__}: {error}{clock_note(str(error))}") from error

    def _judge(self, response: aiohttp.ClientResponse, also: tuple[int, ...]) -> None:
        status = response.status
        if status == 200 or status in also:
            return
        if status in _BUSY:
            self.gate.slow()
            raise Fault("busy", f"status {status} {response.reason}", wait=_retry_after(response.headers))
        kind = "gone" if status in _GONE else "denied" if status in (401, 403) else "status"
        raise Fault(kind, f"status {status} {response.reason}")

    async def _body(self, response: aiohttp.ClientResponse, cap: int) -> bytes:
        length = response.content_length
        if length is not None and length > cap:
            raise Fault("too_large", f"{length:,} bytes, the limit is {cap:,}")
        seconds = self.pace.grace + (length if length is not None else 1 << 20) / self.pace.slowest
        blocks, size = [], 0
        async with asyncio.timeout(seconds):
            async for block in response.content.iter_any():
                blocks.append(block)
                size += len(block)
                if size > cap:
                    raise Fault("too_large", f"more than {cap:,} bytes")
        if length is not None and size != length:
            raise Fault("cut", f"{size:,} bytes came, Content-Length says {length:,}")
        self.tally.received += size
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port of an address, None when it has none or names a user, whom nobody asked for."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or {"https": 443, "http": 80}.get(parts.scheme)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds of a Retry-After header, a number or a date; 0 without one."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:6])
    try:
        return seconds_until(value, headers)
    except ValueError:
        return 0.0
