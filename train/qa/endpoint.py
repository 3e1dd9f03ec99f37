"""Client of an OpenAI-compatible server: JSON posted, whole answers kept on disk, faults asked again or told.

An answer counts when its caller has read what it needs from it; status 429 and 5xx, timeouts, cut connections and what
is no such JSON are asked again, later each time, and no earlier than the server's Retry-After. What a server refuses
for what it holds (a content filter, a prompt too long) is an answer too: `refused`. No proxy, netrc or cookie is used,
no redirect followed, and the key goes into one header: to no file, no message and no other host.

Every answer is a file named by the hash of address and request: nothing is asked twice, after a kill neither.
"""

import asyncio
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from corpus import storage
from corpus.errors import RetryError, UsageError
from corpus.stage.manifest import package_version
from corpus.storage.http_dates import clock_note, seconds_until
from corpus.storage.json_files import BadJsonError, parse_json

DEFAULT_KEY = "OPENAI_API_KEY"
FIRST_WAIT = 1.0  # seconds before the second try; twice as long before each further one
LONGEST_WAIT = 60.0
LONGEST_ASKED = 300.0  # of a Retry-After: who asks for more is not waited for
_CAP = 16_000_000  # bytes of one answer
_BUSY = (408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529)
_KEY_FAULTS = (401, 403)
_REFUSALS = {"content_filter": "filtered", "content_policy_violation": "filtered"}
_TOO_LONG = ("context_length_exceeded", "exceed_context_size_error")
JsonCheck = Callable[[Any], object]  # raises GarbledError unless an answer holds what was asked for
_LOCAL = ("localhost", "127.0.0.1", "::1")


class GarbledError(ValueError):
    """An answer that is JSON, but not what was asked for; the text says what is wrong with it."""


class _AgainError(Exception):
    """A fault that the next try may not meet: `kind` for the reader, `wait` in seconds as the server asked."""

    def __init__(self, kind: str, wait: float = 0.0) -> None:
        super().__init__(kind)
        self.wait = wait


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointReply:
    """Answer of the server to one request."""

    content: Any  # JSON of the answer; None when refused
    refused: str  # why there is none: filtered or too long; "" for an answer
    seconds: float  # of the try that succeeded


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointRules:
    """How a server is asked."""

    requests: int  # in flight
    attempts: int  # tries of one request
    timeout: float  # seconds until an answer must be there, whole


@dataclass(kw_only=True, slots=True)
class Endpoint:
    """A server, and the folder of what it has answered."""

    base: str
    folder: str
    rules: EndpointRules
    key: str | None = field(repr=False)
    dropped: dict[str, str | None] = field(default_factory=dict)  # request fields it will not have, and their new names
    _not_before: float = 0.0  # on the monotonic clock: until then it wants no request

    def ask(
        self, path: str, bodies: Sequence[Mapping[str, Any]], check: JsonCheck, done: Callable[[], None]
    ) -> list[EndpointReply]:
        """Return the answers to some requests, in their order; `done` is called behind each.

        Raises UsageError for what the server will never answer (key, address, model), and RetryError when it did not
        answer in all tries; what it did answer stays, and is not asked for again.
        """
        return asyncio.run(self._ask_all(path, bodies, check, done))

    async def _ask_all(
        self, path: str, bodies: Sequence[Mapping[str, Any]], check: JsonCheck, done: Callable[[], None]
    ) -> list[EndpointReply]:
        gate = asyncio.Semaphore(self.rules.requests)
        async with aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers={"User-Agent": f"corpuscle/{package_version()}"} | self._authorization(),
            timeout=aiohttp.ClientTimeout(total=self.rules.timeout),
        ) as session:

            async def one(body: Mapping[str, Any]) -> EndpointReply:
                async with gate:
                    reply = await self._kept_or_asked(session, path, body, check)
                done()
                return reply

            tasks = [asyncio.ensure_future(one(body)) for body in bodies]
            try:
                return list(await asyncio.gather(*tasks))
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _kept_or_asked(
        self, session: aiohttp.ClientSession, path: str, body: Mapping[str, Any], check: JsonCheck
    ) -> EndpointReply:
        name = hashlib.sha256(json.dumps([self.base, path, body], sort_keys=True).encode()).hexdigest()
        file = storage.join(self.folder, f"{name}.json")
        if (kept := _kept(file, check)) is not None:
            return kept
        for attempt in range(1, self.rules.attempts + 1):
            try:
                reply = await self._ask_once(session, path, body, check)
            except _AgainError as fault:
                if attempt == self.rules.attempts or fault.wait > LONGEST_ASKED:
                    raise RetryError(self._gave_up(path, attempt, fault)) from fault
                most = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
                await asyncio.sleep(max(fault.wait, random.uniform(most / 2, most)))
                continue
            with storage.write_atomic(file) as sink:
                content = {"content": reply.content, "refused": reply.refused, "seconds": reply.seconds}
                sink.write(json.dumps(content).encode())
            return reply
        raise AssertionError("the last try returns or raises")

    async def _ask_once(
        self, session: aiohttp.ClientSession, path: str, body: Mapping[str, Any], check: JsonCheck
    ) -> EndpointReply:
        await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
        started = time.monotonic()
        try:
            async with session.post(f"{self.base}{path}", json=self._worded(body), allow_redirects=False) as answer:
                raw = await _whole(answer)
                status, headers = answer.status, answer.headers
        except TimeoutError as error:
            raise _AgainError(f"no answer in {self.rules.timeout:g} s") from error
        except (aiohttp.ClientError, ConnectionError, OSError) as error:
            raise _AgainError(f"{type(error).__name__}: {self._shown(str(error))}{clock_note(str(error))}") from error
        seconds = time.monotonic() - started
        if status != 200:
            return EndpointReply(content=None, refused=self._judge(path, body, status, headers, raw), seconds=seconds)
        try:
            content = parse_json(raw, nan=True)
            check(content)
        except (BadJsonError, GarbledError) as error:
            raise _AgainError(f"garbled: {self._shown(str(error))}") from error
        return EndpointReply(content=content, refused="", seconds=seconds)

    def _judge(self, path: str, body: Mapping[str, Any], status: int, headers: Mapping[str, str], raw: bytes) -> str:
        """Return why a request has no answer; raises _AgainError where another try may help, UsageError for never."""
        error = _error_of(raw)
        code, said = str(error.get("code") or error.get("type") or ""), self._shown(str(error.get("message") or ""))
        what = f"status {status}" + (f" ({said})" if said and status not in _KEY_FAULTS else "")  # they quote the key
        if code in _REFUSALS:
            return _REFUSALS[code]
        if code in _TOO_LONG or error.get("type") in _TOO_LONG:
            return "too long"
        if code == "insufficient_quota":
            raise _AgainError(f"{what}: the account has no quota left", wait=float("inf"))
        if status in _BUSY:
            wait = _retry_after(headers)
            self._not_before = max(self._not_before, time.monotonic() + min(wait, LONGEST_ASKED))
            raise _AgainError(what, wait=wait)
        if status == 400 and self._give_way(str(error.get("param") or ""), code, body):
            raise _AgainError(what)
        raise UsageError(f"{self.base}{path}: {what}; {self._advice(status)}")

    def _give_way(self, name: str, code: str, body: Mapping[str, Any]) -> bool:
        """Leave out a field of requests that a server says it does not take; newer models want another name for one."""
        if name not in ("max_tokens", "temperature") or name not in body or not code.startswith("unsupported"):
            return False
        self.dropped[name] = "max_completion_tokens" if name == "max_tokens" else None
        return True

    def _worded(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request without the fields that the server does not take, or with their other names."""
        named = {self.dropped.get(name, name): value for name, value in body.items()}
        return {name: value for name, value in named.items() if name is not None}

    def _advice(self, status: int) -> str:
        if status in _KEY_FAULTS:
            state = "was not taken" if self.key else "is missing"
            return f"the key {state}: put it into the environment variable {DEFAULT_KEY}, or name another by --key-env"
        if status in (301, 302, 303, 307, 308):
            return "it points elsewhere: give that address itself"
        if status in (404, 405):
            return "no such address or model: the address ends in /v1 as a rule, and --model is a name that it lists"
        return "the server does not take this request; see --model, --method, --answer-tokens and --top"

    def _gave_up(self, path: str, attempt: int, fault: _AgainError) -> str:
        wait = f", and asks to wait {fault.wait:,.0f} s" if LONGEST_ASKED < fault.wait < float("inf") else ""
        return (
            f"{self.base}{path}: no answer after {attempt} {'try' if attempt == 1 else 'tries'}, the last: {fault}"
            f"{wait}. Answers so far are kept; run the same command again, and only what is missing is asked"
        )

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def _shown(self, text: str) -> str:
        """Return a server's words for a message: on one line, short, and without the key."""
        text = text.replace(self.key, "***") if self.key else text
        return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:300]


def open_endpoint(base: str, *, folder: str, key_env: str, rules: EndpointRules) -> Endpoint:
    """Return the server at an address; its key is that of an environment variable, `OPENAI_API_KEY` by default.

    Over plain http a key that was not named goes to this machine alone. Raises UsageError for an address that is none,
    or a variable that was named and is not set.
    """
    check_address(base)
    if key_env and not os.environ.get(key_env):
        raise UsageError(f"--key-env {key_env}: that environment variable is not set; export {key_env}=… first")
    parts = urlsplit(base)
    is_safe = bool(key_env) or parts.scheme == "https" or parts.hostname in _LOCAL
    key = os.environ.get(key_env or DEFAULT_KEY, "").strip() if is_safe else ""
    if not key.isascii() or not key.isprintable():
        raise UsageError(f"the key in {key_env or DEFAULT_KEY} holds letters that no header can; set it again")
    return Endpoint(base=base.rstrip("/"), folder=folder, rules=rules, key=key or None)


def is_address(model: str) -> bool:
    """Say whether a model is a server's address."""
    return model.startswith(("https://", "http://"))


def check_address(base: str) -> None:
    """Raise UsageError for an address that no path can be put behind."""
    try:
        parts = urlsplit(base)
        wrong = not parts.hostname or "@" in parts.netloc or bool(parts.query or parts.fragment) or parts.port == 0
    except ValueError:
        wrong = True
    if wrong:
        raise UsageError(f"{base.split('@')[-1][:200]}: expected https://HOST/v1, without a user, a key or a query")
    if base.rstrip("/").endswith("/completions"):
        raise UsageError(f"{base}: give the address above it, https://HOST/v1; --method decides what is asked for")


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    blocks, size = [], 0
    async for block in answer.content.iter_any():
        blocks.append(block)
        size += len(block)
        if size > _CAP:
            raise _AgainError(f"an answer of more than {_CAP:,} bytes")
    return b"".join(blocks)


def _kept(file: str, check: JsonCheck) -> EndpointReply | None:
    """Return an answer from its file; None when there is none, or it is damaged."""
    if not storage.exists(file):
        return None
    try:
        with storage.open_read(file) as source:
            found = parse_json(source.read(), nan=True)
        reply = EndpointReply(content=found["content"], refused=found["refused"], seconds=float(found["seconds"]))
        if not reply.refused:
            check(reply.content)
    except (BadJsonError, GarbledError, KeyError, TypeError, ValueError):
        return None
    return reply


def _error_of(raw: bytes) -> Mapping[str, Any]:
    """Return the error object of an answer that is none; {} where there is no such object."""
    try:
        content = parse_json(raw, nan=True)
    except BadJsonError:
        return {}
    found = content.get("error", content) if isinstance(content, dict) else {}
    return found if isinstance(found, dict) else {"message": str(found)}


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds of a Retry-After header, a number or a date; 0 without one."""
    value = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, min(float(value), 1e9))
    except ValueError:
        pass
    try:
        return seconds_until(value, headers)
    except ValueError:
        return 0.0
