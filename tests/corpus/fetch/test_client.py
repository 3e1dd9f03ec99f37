"""The client alone: which addresses it asks, whose certificate it takes, and listings in pages."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from corpus.fetch.http.client import Answer, Client, Fault, Host
from corpus.fetch.http.pace import Pace
from corpus.fetch.http.tally import FetchTally
from corpus.fetch.pmc.s3 import list_prefix
from tests.support import fault_proxy as faults
from tests.support.fault_proxy import FaultProxy, Reply, Request
from tests.support.fetch_servers import ncbi_server
from tests.support.small_fetch import PACE

Found = TypeVar("Found")
HOME = "https://ftp.ncbi.nlm.nih.gov/pubmed"


def ask(base: str, folder: Path, work: Callable[[Client], Awaitable[Found]], pace: Pace = PACE) -> Found:
    async def inside() -> Found:
        tally = FetchTally(str(folder / "log"))
        async with Client(Host(base=base), pace=pace, tally=tally) as client:
            return await work(client)

    return asyncio.run(inside())


@pytest.mark.parametrize(
    "url",
    [
        "http://ftp.ncbi.nlm.nih.gov/pubmed/x",
        "https://ftp.ncbi.nlm.nih.gov:8443/pubmed/x",
        "https://ftp.ncbi.nlm.nih.gov.evil.example/pubmed/x",
        "https://evil.example/pubmed/x",
        "https://ftp.ncbi.nlm.nih.gov@evil.example/pubmed/x",
        "https://user:secret@ftp.ncbi.nlm.nih.gov/pubmed/x",
        "https://ftp.ncbi.nlm.nih.gov\\@evil.example/x",
        "https://ftp.ncbi.nlm.nih.gov:99999/x",
        "https://[::1/x",
        "//evil.example/x",
        "file:///etc/passwd",
        "",
    ],
)
def test_only_the_source_is_asked(url: str) -> None:
    assert not Host(base=HOME).allows(url)


def test_other_places_of_the_same_server_are_the_source() -> None:
    assert Host(base=HOME).allows("https://ftp.ncbi.nlm.nih.gov/elsewhere")
    assert Host(base=HOME).allows("https://FTP.NCBI.NLM.NIH.GOV:443/pubmed/x")


@pytest.mark.parametrize(
    "to", ["https://127.0.0.1{path}", "http://user:secret@127.0.0.1:{port}{path}", "//elsewhere/x"]
)
def test_a_redirect_to_another_origin_is_refused_at_once(tmp_path: Path, to: str) -> None:
    with ncbi_server({"x": b"content"}) as base:
        port = base.rpartition(":")[2].partition("/")[0]
        with FaultProxy(base, lambda request: faults.redirect(to.format(port=port, path=request.path))) as proxy:
            with pytest.raises(Fault, match="redirect"):
                ask(proxy.base, tmp_path, lambda client: client.get(client.host.url("x"), _body))
            assert len(proxy.requests) == 1


def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    with (
        ncbi_server({"x": b"content"}) as base,
        FaultProxy(base, lambda request: faults.redirect(request.path)) as proxy,
    ):
        with pytest.raises(Fault, match="more than 3 redirects"):
            ask(proxy.base, tmp_path, lambda client: client.get(client.host.url("x"), _body))
        assert len(proxy.requests) == 4


def _body(answer: Answer) -> bytes:
    return answer.body


def test_no_cookie_is_sent_back(tmp_path: Path) -> None:
    def rule(request: Request) -> faults.Fault | None:
        return lambda reply: faults.replace(reply, headers={**reply.headers, "Set-Cookie": "a=b; Path=/"})

    async def twice(client: Client) -> None:
        for _ in range(2):
            await client.get(client.host.url("x"), _body)

    with ncbi_server({"x": b"content"}) as base, FaultProxy(base, rule) as proxy:
        ask(proxy.base.replace("127.0.0.1", "localhost"), tmp_path, twice)  # of a bare address none would be kept
        assert [request.path for request in proxy.requests] == ["/pubmed/x"] * 2
        assert b"cookie" not in proxy.requests[1].raw.lower()


@pytest.mark.parametrize("slow", ["head", "body"])
def test_an_answer_that_trickles_in_is_given_up(tmp_path: Path, slow: str) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answer = {"head": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", "body": b"hello" * 10}
        with contextlib.suppress(ConnectionError):
            for name, content in answer.items():
                step = 1 if name == slow else len(content)
                for place in range(0, len(content), step):
                    writer.write(content[place : place + step])
                    await writer.drain()
                    await asyncio.sleep(0.03)  # each read is in time, all of them take longer than a second
            writer.close()

    async def inside() -> None:
        server = await asyncio.start_server(trickle, "127.0.0.1", 0)
        host = Host(base=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        pace = Pace(attempts=1, grace=0.5)
        async with server, Client(host, pace=pace, tally=FetchTally(str(tmp_path / "log"))) as client:
            await client.get(host.url("x"), _body)

    with pytest.raises(Fault, match="timeout"):
        asyncio.run(inside())


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = _certificate(tmp_path)

    async def serve(trusted: bool) -> bytes:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = await asyncio.start_server(_hello, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        tally = FetchTally(str(tmp_path / f"log-{trusted}"))
        pace = Pace(attempts=1, grace=5)
        async with server, Client(Host(base=f"https://127.0.0.1:{port}"), pace=pace, tally=tally) as client:
            return await client.get(client.host.url("x"), _body)

    with pytest.raises(Fault, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(serve(trusted=False))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=certificate))
    assert asyncio.run(serve(trusted=True)) == b"hello", "the server is fine but for its certificate"


async def _hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    await writer.drain()
    writer.close()


def _certificate(folder: Path) -> Path:
    """Write a key and a certificate that it signed itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path.write_bytes(key.private_bytes(pem, *form) + built.public_bytes(pem))
    return path


def _pages(*pages: str) -> Callable[[Request], faults.Fault | None]:
    """Answer the requests for a listing with these pages, one after the other, and then the last again."""
    asked: list[str] = []

    def rule(request: Request) -> faults.Fault | None:
        page = pages[min(len(asked), len(pages) - 1)]
        asked.append(request.path)
        body = f"<ListBucketResult>{page}</ListBucketResult>".encode()
        return lambda reply: faults.replace(reply.with_body(body), status=b"HTTP/1.1 200 OK")

    return rule


def _page(key: str, *, token: str = "") -> str:
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
    rest = more if token else "<IsTruncated>false</IsTruncated>"
    return f"<Contents><Key>{key}</Key></Contents><CommonPrefixes><Prefix>{key}/</Prefix></CommonPrefixes>{rest}"


def test_a_listing_in_pages_is_read_whole(tmp_path: Path) -> None:
    pages = _pages(_page("a", token="1+/="), _page("b", token="2"), _page("c"))
    with ncbi_server({"x": b""}) as base, FaultProxy(base, pages) as proxy:
        assert ask(proxy.base, tmp_path, lambda client: list_prefix(client, "p/")) == (
            ["a", "b", "c"],
            ["a/", "b/", "c/"],
        )
        assert "continuation-token=1%2B%2F%3D" in proxy.requests[1].path


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ((_page("a", token="1"), _page("b", token="1")), "repeats itself"),
        (("<IsTruncated>true</IsTruncated>",), "names no next page"),
        (("<IsTruncated>false</IsTruncated><NextContinuationToken>1</NextContinuationToken>",), "names no next page"),
        (("<Contents>",), "no listing of a bucket"),
    ],
)
def test_a_listing_that_cannot_be_whole_is_refused(tmp_path: Path, pages: tuple[str, ...], message: str) -> None:
    with (
        ncbi_server({"x": b""}) as base,
        FaultProxy(base, _pages(*pages)) as proxy,
        pytest.raises(Fault, match=message),
    ):
        ask(proxy.base, tmp_path, lambda client: list_prefix(client, "p/"))


def test_a_body_beyond_its_cap_is_given_up(tmp_path: Path) -> None:
    def no_length(reply: Reply) -> Reply:
        return reply.without("Content-Length")

    with ncbi_server({"x": bytes(3_000_000)}) as base:
        for rule in (lambda request: None, lambda request: no_length):
            with FaultProxy(base, rule) as proxy, pytest.raises(Fault, match="too_large"):
                ask(proxy.base, tmp_path, lambda client: client.get(client.host.url("x"), _body, cap=1_000_000))
