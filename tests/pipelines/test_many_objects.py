"""Many small objects of a store: `extract` asks for them side by side, and for none of them more often than needed."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from corpus.stage.manifest import read_manifest
from pipelines.cli.app import main
from tests.support.fetch_servers import s3_server
from tests.support.small_fetch import article

pytestmark = pytest.mark.slow

NUM = 40
ENOUGH = 6  # requests at the same time; the client has ten connections
MOST_FOR_ONE = 8  # requests for one article: its size and version, hashed, and read once more


@contextmanager
def counted_requests(patch: pytest.MonkeyPatch) -> Iterator[tuple[Counter[str], list[int]]]:
    """Count the requests for articles that an S3 server of moto's gets, and the most that were in it at the same time.

    A request waits until others are there, so that the count is none of luck; where they do not come, no more wait.
    """
    werkzeug_app = pytest.importorskip("moto.moto_server.werkzeug_app", reason="needs moto[s3] and flask")
    real, here, alone = werkzeug_app.DomainDispatcherApplication.__call__, threading.Condition(), False
    requests: Counter[str] = Counter()
    at_once, most = 0, [0]

    def call(self: Any, environ: dict[str, Any], start: Any) -> Any:
        nonlocal at_once, alone
        if environ["REQUEST_METHOD"] != "GET" or not environ["PATH_INFO"].endswith(".xml"):
            requests[environ["PATH_INFO"]] += environ["PATH_INFO"].endswith(".xml")
            return real(self, environ, start)
        with here:
            requests[environ["PATH_INFO"]] += 1
            at_once += 1
            most[0] = max(most[0], at_once)
            here.notify_all()
            alone |= not here.wait_for(lambda: alone or most[0] >= ENOUGH, 20)
            here.notify_all()
        try:
            return real(self, environ, start)
        finally:
            with here:
                at_once -= 1

    patch.setattr(werkzeug_app.DomainDispatcherApplication, "__call__", call)
    yield requests, most


def test_articles_of_a_bucket_are_read_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3fs = pytest.importorskip("s3fs", reason="needs the s3 extra")
    tree = tmp_path / "tree"
    with s3_server() as served:
        for number in range(1, NUM + 1):
            if number % 2:
                served.put_article(number, article(number))
            else:
                served.put(f"PMC{number}.1/PMC{number}.1.xml", article(number))
        for key in served.keys("PMC") + served.keys("metadata"):
            (tree / key).parent.mkdir(parents=True, exist_ok=True)
            (tree / key).write_bytes(served.get(key))
        endpoint, _, name = served.base.rpartition("/")
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(variable, "test")
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        s3fs.S3FileSystem.clear_instance_cache()
        with counted_requests(monkeypatch) as (requests, most):
            assert main(["extract", "--pmc", f"s3://{name}", "--output", str(tmp_path / "remote")]) == 0
    s3fs.S3FileSystem.clear_instance_cache()
    assert main(["extract", "--pmc", str(tree), "--output", str(tmp_path / "local")]) == 0
    assert read_manifest(str(tmp_path / "remote")) == read_manifest(str(tmp_path / "local"))
    assert most[0] >= ENOUGH
    (_, of_first), *others = requests.most_common(NUM)  # one file's kind is looked at before all work
    assert of_first <= MOST_FOR_ONE + 2
    assert all(0 < count <= MOST_FOR_ONE for _, count in others)
