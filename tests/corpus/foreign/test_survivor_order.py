"""Rules by which survivors are chosen: numbers that sort as the values do."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.foreign.survivor_order import LAST, mixed_kinds, parse_rule, place_of

NEWEST, PRIORITY = parse_rule("newest:date"), parse_rule("priority:rank")


@given(st.lists(st.floats(-1e299, 1e299) | st.integers(-(2**53), 2**53)))
def test_numbers_sort_as_numbers(values: list[float]) -> None:
    by_place = sorted(values, key=lambda value: place_of(PRIORITY, value, 0)[0])
    assert by_place == sorted(values)
    newest = sorted(values, key=lambda value: place_of(NEWEST, value, 0)[0])
    assert newest == sorted(values, reverse=True)
    assert all(-LAST <= place_of(rule, value, 0)[0] <= LAST for rule in (NEWEST, PRIORITY) for value in values)


@given(st.lists(st.datetimes(timezones=st.timezones()) | st.dates()))
def test_dates_sort_as_moments_whatever_their_form(values: list[Any]) -> None:
    def moment(value: Any) -> datetime:
        if not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        return value if value.tzinfo else value.replace(tzinfo=UTC)

    try:
        expected = sorted((moment(value).astimezone(UTC) for value in values), reverse=True)
    except OverflowError:  # in year 1 or 9999, a zone away from UTC
        return
    for given_as in (values, [value.isoformat() for value in values]):
        placed = sorted(given_as, key=lambda value: place_of(NEWEST, value, 0)[0])
        read = [moment(datetime.fromisoformat(one) if isinstance(one, str) else one) for one in placed]
        assert [one.astimezone(UTC) for one in read] == expected


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2023", "2024"),
        ("2024-01", "2024-02"),
        ("2024", "2024-01-02"),
        ("2024-05-01T10:00:00+02:00", "2024-05-01T09:00:00Z"),
        (datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5))), datetime(2024, 1, 1, tzinfo=UTC)),
        (date(2024, 1, 1), "2024-01-01T00:00:01"),
        ("no date", "0001-01-01"),
        (None, "1999"),
    ],
)
def test_the_newer_date_comes_first(older: Any, newer: Any) -> None:
    assert place_of(NEWEST, newer, 0)[0] < place_of(NEWEST, older, 0)[0]


def test_what_has_no_value_comes_last() -> None:
    for value in (None, "soon", [], {}, True, float("nan"), 10**400):
        assert place_of(NEWEST, value, 0) == (LAST, "none")
    for value in (None, "1", [], True):
        assert place_of(PRIORITY, value, 0) == (LAST, "none")


def test_listed_values_sort_as_they_are_listed_and_longest_by_length() -> None:
    rule = parse_rule("priority:source=journal,preprint,3")
    places = [place_of(rule, value, 0)[0] for value in ("journal", "preprint", 3, "web", None)]
    assert places == [0, 1, 2, LAST, LAST]
    assert place_of(parse_rule("longest"), None, 7)[0] < place_of(parse_rule("longest"), None, 6)[0]
    assert place_of(parse_rule("first"), "x", 9)[0] == place_of(parse_rule("first"), None, 1)[0]


@pytest.mark.parametrize(
    "text", ["", "last", "newest", "newest:", "priority:", "priority:=a", "priority:k=", "first:x"]
)
def test_a_rule_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected first, longest"):
        parse_rule(text)


def test_numbers_beside_dates_cannot_be_compared() -> None:
    assert mixed_kinds(["number", "none", "date"])
    assert not mixed_kinds(["number", "none", "listed"])
