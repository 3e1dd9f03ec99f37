"""Two bundles that commit the same result at once, as an engine's second try beside one that was thought dead.

On a bucket nobody holds a lock. One commit is begun, and before each of its requests in turn the other is made whole;
what must hold is said in the one test here. moto is the S3 server.
"""

import os
from collections.abc import Callable, Iterator

import pytest

from corpus import storage
from corpus.errors import CorpuscleError
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.stage.manifest import Input, read_manifest, verify_parts
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from corpus.storage import files
from tests.support.fetch_servers import s3_server

pytestmark = pytest.mark.slow
OLD = {"records/a": b"a", "records/b": b"old b", "records/gone": b"g"}
NEW = {"records/a": b"a", "records/b": b"b", "records/new": b"n"}


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    s3fs = pytest.importorskip("s3fs", reason="needs the s3 extra")
    s3fs.S3FileSystem.clear_instance_cache()  # of another test's server or credentials
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        host, name = server.base.rsplit("/", 1)
        patch.setenv("AWS_ENDPOINT_URL", host)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("FSSPEC_S3_ENDPOINT_URL", host)
        yield f"s3://{name}"


def prepared(base: str, contents: dict[str, bytes]) -> tuple[Workspace, list[Receipt]] | None:
    """Return a workspace with all its tasks done, for a commit; None where the result is there already."""
    inputs = [Input(name=name, fingerprint=content.hex()) for name, content in contents.items()]
    workspace, finished = plan_stage(base, stage="extract", revision=1, config={}, inputs=inputs, update=lambda *_: [])
    if finished is not None:
        workspace.clean()
        return None
    receipts = []
    for name, content in contents.items():
        receipt = workspace.finished(name, of=content.hex())
        if receipt is None:
            with storage.write_atomic(workspace.path(name)) as sink:
                sink.write(content)
            part = workspace.measure(name, role="records", rows=1)
            receipt = workspace.finish(Receipt(task=name, parts=(part,)), of=content.hex())
        receipts.append(receipt)
    return workspace, receipts


def make(base: str, contents: dict[str, bytes]) -> None:
    if ready := prepared(base, contents):
        ready[0].commit(ready[1], summary={})
        ready[0].clean()


def result(base: str) -> dict[str, bytes]:
    """Return what the manifest names, each part as it says."""
    manifest = read_manifest(base)
    assert list(verify_parts(base, manifest)) == []
    return {part.name: _read(storage.join(base, part.path)) for part in manifest.parts}


def there(base: str) -> dict[str, bytes]:
    names = [name for name in storage.walk_files(base) if name not in (LOCK, RUN_FACTS, "events.jsonl")]
    return {name: _read(storage.join(base, name)) for name in names}


def _read(path: str) -> bytes:
    with storage.open_read(path) as source:
        return source.read()


def interrupted(
    number: int, rival: Callable[[], None], monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]
) -> bool:
    """Do some work, with a rival's whole before its request of this number; return whether there was such a request."""
    calls, real = [0], files._filesystem

    def counted(path: str) -> object:
        calls[0] += 1
        if calls[0] == number:
            with monkeypatch.context() as inner:
                inner.setattr(files, "_filesystem", real)
                rival()
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_filesystem", counted)
        work()
    return calls[0] >= number


def race(base: str, number: int, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, str]:
    """Let two commits of NEW race over OLD; return whether the rival came to its turn, and how the other one ended."""
    storage.remove_tree(base)
    make(base, OLD)
    ready = prepared(base, NEW)
    assert ready is not None
    workspace, receipts = ready
    ended = "committed"

    def commit() -> None:
        nonlocal ended
        try:
            workspace.commit(receipts, summary={})
        except (OSError, CorpuscleError) as error:
            ended = type(error).__name__

    met = interrupted(number, lambda: workspace.commit(receipts, summary={}) and None, monkeypatch, commit)
    return met, ended


def test_a_rival_commit_before_any_request_leaves_the_new_result_whole(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = f"{bucket}/{os.urandom(4).hex()}"
    make(base, NEW)
    expected = there(base)
    number = 0
    for number in range(1, 200):
        met, ended = race(base, number, monkeypatch)
        assert ended == "committed", number
        assert result(base) == NEW, number
        make(base, NEW)
        assert there(base) == expected, f"{number}: no file of the old result is left over"
        if not met:
            break
    assert 20 < number < 199
