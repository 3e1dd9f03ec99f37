"""`fetch pmc` behind a proxy that spoils answers: no wrong byte is stored, no good file lost, every fault is named."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corpus.errors import DataError, RetryError
from corpus.fetch.http.pace import Pace
from tests.support import fault_proxy as faults
from tests.support.fault_proxy import Fault, FaultProxy, Reply, Request
from tests.support.fetch_servers import INVENTORIES, Bucket, publish_rows, s3_server
from tests.support.small_fetch import PACE, article, events, fill, filled, hashes, index, run, undisturbed

NUM = 20


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with filled(NUM) as bucket:
        yield bucket


@pytest.fixture(scope="module")
def expected(server: Bucket, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return undisturbed(server, tmp_path_factory.mktemp("undisturbed"))


def once(part: str, fault: Fault) -> Callable[[Request], Fault | None]:
    """Spoil the first answer to every path that holds some text."""
    return lambda request: fault if part in request.path and request.turn == 0 else None


FAULTS: dict[str, tuple[Fault, str]] = {
    "cut in the head": (lambda reply: faults.replace(reply, cut=20), "no_connection"),
    "cut before the body": (faults.cut(0), "cut"),
    "cut in the body": (faults.cut(0.5), "cut"),
    "last byte missing": (faults.cut(0.999), "cut"),
    "no length, cut": (faults.cut_without_length(0.5), "wrong"),
    "no length, last byte missing": (faults.cut_without_length(0.999), "wrong"),
    "a byte flipped": (faults.flip, "wrong"),
    "an HTML page with status 200": (faults.error_page, "wrong"),
    "503 SlowDown": (faults.slow_down, "busy"),
    "404 at first": (faults.not_found, "gone"),
    "a redirect to itself": (faults.redirect("/somewhere/else"), "gone"),
    "no answer": (faults.mute, "timeout"),
    "a byte now and then": (faults.loris, "timeout"),
}
WHERE = {"metadata": "/metadata/PMC1", "articles": ".xml", "inventory": "inventory-reports"}


# Every fault once, each place a few times; all of them in all places take half a minute.
CASES = [
    pytest.param(name, where, marks=[] if (number + place) % 3 == 0 else [pytest.mark.exhaustive])
    for number, name in enumerate(FAULTS)
    for place, where in enumerate(WHERE)
]


@pytest.mark.parametrize(("name", "where"), CASES)
def test_each_fault_is_retried_and_logged(
    server: Bucket, expected: dict[str, str], tmp_path: Path, name: str, where: str
) -> None:
    fault, kind = FAULTS[name]
    part = "/PMC1007.1" if where != "inventory" else WHERE[where]
    rule = once(part + (".json" if where == "metadata" else "" if where == "inventory" else "/"), fault)
    if fault is faults.flip and where == "inventory":  # S3 states no checksum of a listing; TLS has one
        rule = once(f"{WHERE[where]}/", fault)
    with FaultProxy(server.base, rule) as proxy:
        run(proxy.base, tmp_path, pace=PACE)
        spoiled = set(proxy.committed)
    assert hashes(tmp_path) == expected
    logged = events(tmp_path, "retry")
    assert spoiled
    named = {event["url"].removeprefix(proxy.base[: proxy.base.index("/", 8)]) for event in logged}
    if name != "cut in the head":  # aiohttp asks once more by itself when a connection ends without an answer
        assert named >= {path for path in spoiled if "somewhere" not in path}
    words = {"wrong": {"wrong_md5", "unverified", "unexpected", "cut"}}.get(kind, {kind, "cut", "no_connection"})
    assert {event["kind"] for event in logged} <= words | {"timeout"}  # a busy machine can be slower than a second


def test_a_connection_cut_at_any_byte(server: Bucket, expected: dict[str, str], tmp_path: Path) -> None:
    dice = random.Random(4)

    def rule(request: Request) -> Fault | None:
        if request.turn > 1:
            return None
        spoil = dice.choice((faults.cut, faults.cut_without_length))
        return spoil(dice.random())

    with FaultProxy(server.base, rule) as proxy:
        run(proxy.base, tmp_path)
        assert len(proxy.committed) > 2 * NUM
    assert hashes(tmp_path) == expected


def test_bursts_of_503_are_waited_out_and_told(
    server: Bucket, expected: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rule(request: Request) -> Fault | None:
        return faults.slow_down if len(proxy.requests) % 10 < 6 and "/PMC1" in request.path else None

    with FaultProxy(server.base, rule) as proxy:
        run(proxy.base, tmp_path)
    assert hashes(tmp_path) == expected
    retried = [event["kind"] for event in events(tmp_path, "retry")]
    assert retried.count("busy") > NUM
    told = capsys.readouterr().err
    assert f"{len(retried):,} faults in " in told
    assert f"busy {retried.count('busy'):,}" in told


def test_a_server_that_goes_away_leaves_what_was_fetched(
    server: Bucket, expected: dict[str, str], tmp_path: Path
) -> None:
    with FaultProxy(server.base, lambda request: faults.slow_down if len(proxy.requests) > 40 else None) as proxy:
        with pytest.raises(RetryError, match=r"could not be fetched|in a row"):
            run(proxy.base, tmp_path)
        before = len(proxy.asked(".xml"))
    assert not (tmp_path / "manifest.json").exists()
    with FaultProxy(server.base) as proxy:
        run(proxy.base, tmp_path)
        good = NUM - len(proxy.asked(".xml"))
        assert not proxy.asked("inventory-reports"), "an interrupted run goes on with its inventory"
    assert 0 <= good <= before
    assert hashes(tmp_path) == expected


def test_a_wrong_article_is_never_stored(server: Bucket, tmp_path: Path) -> None:
    def rule(request: Request) -> Fault | None:
        return faults.flip if "PMC1007.1.xml" in request.path else None

    with FaultProxy(server.base, rule) as proxy:
        with pytest.raises(DataError, match="wrong_at_source 1"):
            run(proxy.base, tmp_path)
        run(proxy.base, tmp_path, max_missing_rate=0.5)
    assert "PMC1007.1" not in {row.doc_id for row in index(tmp_path)}
    assert len(index(tmp_path)) == NUM - 1
    assert any("PMC1007.1.xml" in event["url"] for event in events(tmp_path, "dropped"))


def test_metadata_and_article_that_change_together_are_taken_together(tmp_path: Path) -> None:
    with filled(6) as bucket:
        newer = article(1007, mark=" newer")

        def rule(request: Request) -> Fault | None:
            if "PMC1007.1.xml" in request.path and request.turn == 0:  # the metadata was read before
                bucket.put_article(1007, newer, license_code="CC BY")
                return lambda reply: reply.with_body(newer)
            return None

        with FaultProxy(bucket.base, rule) as proxy:
            run(proxy.base, tmp_path)
        [row] = [row for row in index(tmp_path) if row.pmcid == 1007]
        assert row.license == "CC-BY"
        bucket.publish("2026-11-24T01-00Z")
        with FaultProxy(bucket.base) as proxy:
            run(proxy.base, tmp_path)
            assert not proxy.asked(".xml"), "what was fetched is what the next inventory lists"


def test_a_listing_that_changes_while_it_is_read(server: Bucket, expected: dict[str, str], tmp_path: Path) -> None:
    def rule(request: Request) -> Fault | None:
        if "list-type" in request.path:  # today's folder is there before its manifest
            today = f"<CommonPrefixes><Prefix>{INVENTORIES}/2026-11-30T01-00Z/</Prefix></CommonPrefixes>".encode()
            return lambda reply: reply.with_body(
                reply.body.replace(b"</ListBucketResult>", today + b"</ListBucketResult>")
            )
        return None

    with FaultProxy(server.base, rule) as proxy:
        run(proxy.base, tmp_path)
    assert hashes(tmp_path) == expected


def test_other_hosts_are_never_contacted(server: Bucket, tmp_path: Path) -> None:
    with FaultProxy(server.base) as other:
        target = f"{other.base}/elsewhere"
        with FaultProxy(server.base, lambda request: faults.redirect(target)) as proxy:  # noqa: SIM117
            with pytest.raises(RetryError, match="redirect"):
                run(proxy.base, tmp_path)
        assert not other.requests
        assert len(proxy.requests) == 1, "a redirect elsewhere is not tried again"


def test_no_credential_proxy_or_cookie_is_read_or_sent(
    server: Bucket, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "AKIDSECRETSECRET"
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login user password {secret}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, secret)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://user:{secret}@127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(netrc))

    def rule(request: Request) -> Fault | None:
        return lambda reply: faults.replace(reply, headers={**reply.headers, "Set-Cookie": "a=b"})

    with FaultProxy(server.base, rule) as proxy:
        run(proxy.base, tmp_path / "store")
    assert hashes(tmp_path / "store") == expected
    sent = b"".join(request.raw for request in proxy.requests).lower()
    assert secret.lower().encode() not in sent
    assert not [word for word in (b"authorization", b"cookie", b"x-amz") if word in sent]
    assert secret not in "".join(
        path.read_text(errors="replace") for path in (tmp_path / "store").rglob("*") if path.is_file()
    )


HOSTILE = (
    "metadata/../../../../etc/passwd.json",
    "/etc/passwd",
    "metadata/PMC1.1.json/../../x",
    "metadata/PMC1.1.json\0",
    "metadata/PMC%2e%2e%2f1.1.json",
    "metadata/CON.1.json",
    "metadata/PMC99999999999999999999.1.json",
    "metadata/PMC1.999999999999.json",
    "metadata/PMC-5.1.json",
    "metadata/PMC0.1.json",
    "metadata/" + "a" * 5000 + ".json",
    "metadata/C:\\Windows\\x.json",
    "metadata/PMC1٣.1.json",
    "metadata/..\\..\\x.json",
    "",
)


def test_hostile_keys_never_become_a_path_or_a_request(tmp_path: Path) -> None:
    with s3_server() as bucket:
        fill(bucket, 6)
        bucket.publish(extra=tuple((key, "0" * 32) for key in HOSTILE))
        out = tmp_path / "a" / "b" / "store"
        with FaultProxy(bucket.base) as proxy:
            manifest = run(proxy.base, out)
        assert manifest.books.kept == 6
        assert manifest.summary["other_keys"] == len(HOSTILE)
        assert {path.name for path in (tmp_path / "a").iterdir()} == {"b"}
        assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {"store"}
        asked = {path.rpartition("/")[2] for path in proxy.asked("metadata/PMC") if "inventory" not in path}
        assert asked == {f"PMC{1000 + 7 * number}.{10 if number == 0 else 1}.json" for number in range(6)}


@pytest.mark.parametrize(
    "key", ["../../evil.csv.gz", "/evil.csv.gz", "inventory\0.csv.gz", "x" * 900 + ".csv.gz", "a/b.exe"]
)
def test_an_inventory_with_hostile_data_files_is_refused(tmp_path: Path, key: str) -> None:
    with s3_server() as bucket:
        fill(bucket, 1)
        rows: dict[str, bytes] = {}
        publish_rows(rows.__setitem__, "2026-11-23T01-00Z", [("metadata/PMC1000.1.json", "0" * 32)], files=1)
        for name, content in rows.items():
            spoiled = content
            if name.endswith("manifest.json"):
                data = next(other for other in rows if other.endswith(".csv.gz"))
                import json

                spoiled = content.replace(json.dumps(data).encode(), json.dumps(key).encode())
                assert spoiled != content
            if not name.endswith("manifest.checksum"):
                bucket.put(name, spoiled)
        with pytest.raises(RetryError, match="a data file with the key"):
            run(bucket.base, tmp_path / "store")
        assert {path.name for path in tmp_path.iterdir()} == {"store"}


def test_metadata_of_another_article_is_not_taken(tmp_path: Path) -> None:
    with s3_server() as bucket:
        fill(bucket, 3)
        bucket.put("metadata/PMC1007.1.json", bucket.get("metadata/PMC1014.1.json"))
        bucket.put("metadata/PMC1014.1.json", b'{"pmcid": "../../x"}')
        bucket.publish()
        manifest = run(bucket.base, tmp_path)
    assert manifest.books.dropped["bad_metadata"] == 2
    assert [row.doc_id for row in index(tmp_path)] == ["PMC1000.10"]


def test_slow_readers_do_not_open_more_than_was_allowed(server: Bucket, tmp_path: Path) -> None:
    with FaultProxy(server.base) as proxy:
        run(proxy.base, tmp_path)
        assert 1 < proxy.most_open <= 17
    assert Pace().wait(1, asked=5.0) >= 5.0


def test_reply_helpers_spoil_what_they_say() -> None:
    reply = Reply(status=b"HTTP/1.1 200 OK", headers={"Content-Length": "4"}, body=b"abcd")
    assert faults.cut(0.5)(reply).spoiled().endswith(b"\r\n\r\nab")
    assert b"Content-Length" not in faults.cut_without_length(2)(reply).spoiled()
    assert faults.flip(reply).body == b"abbd"
