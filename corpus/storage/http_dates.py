"""Dates in a server's answer, read without this machine's clock, which may be years off."""

import email.utils
import time
from collections.abc import Mapping


def seconds_until(date: str, headers: Mapping[str, str]) -> float:
    """Return how many seconds after an answer a date is, 0 for one that is past; raises ValueError for what is no date.

    The answer's own `Date` says when it was given; this machine's clock only where that is missing or no date.
    """
    due = _timestamp(date)
    try:
        given = _timestamp(headers.get("Date", ""))
    except ValueError:
        given = time.time()
    return max(0.0, due - given)


def clock_note(said: str) -> str:
    """Return what to look at when a certificate is refused for its dates: most often the machine's own clock."""
    if not any(words in said for words in ("certificate has expired", "certificate is not yet valid")):
        return ""
    now = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    return f" (by this machine's clock it is {now} UTC: set it right if it is not)"


def _timestamp(date: str) -> float:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, OverflowError) as error:
        raise ValueError(f"no date: {date[:100]!r}") from error
