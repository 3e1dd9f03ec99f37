"""What a person is told while a fetch runs: rate, what is left, faults by kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.fetch.http.tally import FetchTally, duration


class Clock:
    """Seconds that a test sets."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("corpus.fetch.http.tally.time.monotonic", found.monotonic)
    return found


@pytest.fixture
def tally(tmp_path: Path, clock: Clock) -> Iterator[FetchTally]:
    found = FetchTally(str(tmp_path / "log"))
    yield found
    found.close()


def test_the_line_says_rate_and_what_is_left(tally: FetchTally, clock: Clock) -> None:
    tally.begin("articles", 1000, bytes_each=95_000, unit="articles")
    assert tally.line() == "articles: 0 of 1,000 articles, 0/s, 0 bytes/s"
    tally.reused = 500
    for _ in range(100):
        tally.add(100_000)
    tally.fault("busy", "http://x", "status 503", attempt=1, final=False)
    clock.now += 10
    assert tally.line() == (
        "articles: 600 of 1,000 articles, 10/s, 1.0 MB/s, about 40.0 MB and 40 s left; faults: busy 1"
    )


def test_files_in_flight_do_not_count_as_the_size_of_the_first(tally: FetchTally, clock: Clock) -> None:
    tally.begin("files", 101, bytes_each=30e6, unit="files")
    tally.bytes = 4 * 25_000_000
    tally.done = 1
    clock.now += 2
    assert tally.line() == "files: 1 of 101 files, 0/s, 50.0 MB/s, about 3.0 GB and 60 s left"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (89, "89 s"), (100, "2 minutes"), (7200, "2.0 hours")])
def test_durations_for_reading(seconds: float, text: str) -> None:
    assert duration(seconds) == text
