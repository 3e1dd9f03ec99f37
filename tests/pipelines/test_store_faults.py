"""Faults of object stores, as their real clients raise them, are told as what they are."""

from collections.abc import Iterator

import pytest

from corpus import storage
from corpus.errors import RetryError, UsageError
from corpus.stage.explain import explain
from corpus.storage.faults import store_fault
from tests.support.engines import free_port
from tests.support.fetch_servers import Bucket, s3_server


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    pytest.importorskip("s3fs", reason="needs the s3 extra")
    with s3_server() as served:
        yield served


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return a patch of an environment without credentials; clients made before are forgotten."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return monkeypatch


def told(path: str) -> tuple[str, int]:
    with pytest.raises(Exception) as caught, storage.write_atomic(path) as file:  # noqa: PT011 - of whatever library
        file.write(b"x")
    return explain(caught.value)


def with_key(patch: pytest.MonkeyPatch, endpoint: str) -> None:
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_ENDPOINT_URL", endpoint)


def test_a_bucket_that_is_not_there(bucket: Bucket, fresh: pytest.MonkeyPatch) -> None:
    with_key(fresh, bucket.base.rpartition("/")[0])
    words, code = told("s3://no-such-bucket-here/part")
    assert (words.startswith("there is no such bucket"), code) == (True, UsageError.exit_code)


def test_a_store_that_nobody_serves(bucket: Bucket, fresh: pytest.MonkeyPatch) -> None:
    with_key(fresh, f"http://127.0.0.1:{free_port()}")
    words, code = told("s3://bucket/part")
    assert (words.startswith("the store does not answer"), code) == (True, RetryError.exit_code)


def test_no_credentials(bucket: Bucket, fresh: pytest.MonkeyPatch) -> None:
    fresh.setenv("AWS_ENDPOINT_URL", bucket.base.rpartition("/")[0])
    words, code = told(f"s3://{bucket.base.rpartition('/')[2]}/part")
    assert (words.startswith("the store wants credentials"), code) == (True, UsageError.exit_code)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PermissionError: Access Denied", "refuses this account"),
        (
            "google.auth.exceptions.DefaultCredentialsError: Your default credentials were not found",
            "wants credentials",
        ),
        ("OSError: [Errno 2] gs://b/o", None),
    ],
)
def test_what_stores_say_elsewhere(text: str, words: str | None) -> None:
    found = store_fault(text)
    assert (found is None) if words is None else (found is not None and words in str(found))
