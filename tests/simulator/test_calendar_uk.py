"""Holidays and home games: against published dates."""

from datetime import date, timedelta

import pytest

from simulator.calendar_uk import bank_holiday, easter, home_game, school_holiday


@pytest.mark.parametrize(
    ("year", "month", "day"), [(2024, 3, 31), (2025, 4, 20), (2026, 4, 5), (2027, 3, 28), (2038, 4, 25)]
)
def test_easter(year: int, month: int, day: int) -> None:
    assert easter(year) == date(year, month, day)


def test_bank_holidays_of_england_as_published() -> None:
    """GOV.UK; days on a weekend are counted beside their substitute, people have both off."""
    published = {
        2025: ["01-01", "04-18", "04-21", "05-05", "05-26", "08-25", "12-25", "12-26"],
        2026: ["01-01", "04-03", "04-06", "05-04", "05-25", "08-31", "12-25", "12-28"],
        2027: ["01-01", "03-26", "03-29", "05-03", "05-31", "08-30", "12-27", "12-28"],
    }
    for year, days in published.items():
        found = [date(year, 1, 1) + timedelta(days=k) for k in range(365)]
        weekdays = [day for day in found if bank_holiday(day) and day.weekday() < 5]
        assert [day.isoformat()[5:] for day in weekdays] == days


def test_school_year_has_about_190_days() -> None:
    for year in (2024, 2025, 2026):
        days = [date(year, 9, 1) + timedelta(days=k) for k in range(365)]
        open_days = [d for d in days if d.weekday() < 5 and not school_holiday(d) and not bank_holiday(d)]
        assert 185 <= len(open_days) <= 197
    assert school_holiday(date(2026, 10, 27))
    assert school_holiday(date(2026, 8, 3))
    assert not school_holiday(date(2026, 3, 2))


def test_home_games_are_on_wednesdays_and_saturdays_of_the_season() -> None:
    games = [day for k in range(730) if home_game(day := date(2025, 1, 1) + timedelta(days=k))]
    assert {day.weekday() for day in games} == {2, 5}
    assert not any(5 < day.month < 8 for day in games)
    assert 15 <= sum(day.year == 2026 for day in games) <= 26
