"""Times on paper and inside: RFC 3339 with a zone, nothing else."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Rejected
from domain.times import TIME_MS_MAX, format_time, parse_time


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2026-03-02T06:00:00Z", 1_772_431_200_000),
        ("2026-03-02T06:00:00z", 1_772_431_200_000),
        ("2026-03-02T07:00:00+01:00", 1_772_431_200_000),
        ("2026-03-01T22:30:00-07:30", 1_772_431_200_000),
        ("2026-03-02T06:00:00.123456789Z", 1_772_431_200_123),
        ("1969-12-31T23:59:59.9999Z", -1),  # cut, not rounded: towards the past
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("2000-02-29T12:00:00Z", 951_825_600_000),
        ("2108-12-31T00:00:00Z", 4_386_355_200_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_parses(text: str, ms: int) -> None:
    assert parse_time(text) == ms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-03-02T06:00:00", "time zone missing"),
        ("2026-03-02", "time zone missing"),
        ("2026-13-02T06:00:00Z", "not an RFC 3339 time"),
        ("2026-02-29T06:00:00Z", "not an RFC 3339 time"),
        ("1900-02-29T06:00:00Z", "not an RFC 3339 time"),  # divisible by 100, not by 400
        ("2026-03-02T24:00:01Z", "not an RFC 3339 time"),
        ("2026-12-31T23:59:60Z", "not an RFC 3339 time"),
        ("1772431200000", "not an RFC 3339 time"),
        ("yesterday", "not an RFC 3339 time"),
        ("", "not an RFC 3339 time"),
        ("z", "not an RFC 3339 time"),
        ("2026-03-02T06:00:00Z" * 1_000, "not an RFC 3339 time"),
        ("10000-01-01T00:00:00Z", "not an RFC 3339 time"),
        ("0001-01-01T00:00:00+23:59", "outside the years"),
        ("9999-12-31T23:59:59-23:59", "outside the years"),
    ],
)
def test_refuses_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_time(text)
    assert refused.value.field == "time"
    assert words in refused.value.reason
    assert len(refused.value.value) <= 120


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_what_is_written_is_read_back(ms: int) -> None:
    assert parse_time(format_time(ms)) == ms


@given(st.integers(-TIME_MS_MAX, TIME_MS_MAX))
def test_every_time_that_is_kept_can_be_written(ms: int) -> None:
    assert datetime.fromisoformat(format_time(ms)) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def test_the_hour_that_comes_twice_when_clocks_go_back_is_two_hours() -> None:
    summer = datetime(2026, 10, 25, 2, 30, fold=0, tzinfo=ZoneInfo("Europe/Berlin"))
    winter = summer.replace(fold=1)
    assert parse_time(winter.isoformat()) - parse_time(summer.isoformat()) == 3_600_000


def test_over_the_spring_change_an_hour_of_wall_time_is_none() -> None:
    before = parse_time("2026-03-29T01:59:59+01:00")
    assert parse_time("2026-03-29T03:00:00+02:00") - before == 1_000
