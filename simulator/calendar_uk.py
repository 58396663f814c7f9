"""The year of an English town: bank holidays, school holidays, home games."""

from datetime import date, timedelta
from functools import lru_cache

_FIXED = {(1, 1), (12, 25), (12, 26)}


@lru_cache(maxsize=100)
def easter(year: int) -> date:
    """Easter Sunday (Anonymous Gregorian algorithm, Meeus 1991)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    month, day = divmod(h + k - 7 * m + 114, 31)
    return date(year, month, day + 1)


def _monday_on_or_before(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _last_monday(year: int, month: int, days: int) -> date:
    return _monday_on_or_before(date(year, month, days))


@lru_cache(maxsize=100)
def _bank_holidays(year: int) -> frozenset[date]:
    """England: Good Friday, Easter Monday, first and last Monday in May, last in August; weekends are made up for."""
    sunday = easter(year)
    days = {sunday - timedelta(days=2), sunday + timedelta(days=1), _monday_on_or_before(date(year, 5, 7))}
    days |= {_last_monday(year, 5, 31), _last_monday(year, 8, 31)}
    for month, day in sorted(_FIXED):
        holiday = date(year, month, day)
        days.add(holiday)
        while holiday.weekday() > 4 or (holiday != date(year, month, day) and holiday in days):
            holiday += timedelta(days=1)
        days.add(holiday)
    return frozenset(days)


def bank_holiday(day: date) -> bool:
    return day in _bank_holidays(day.year)


def school_holiday(day: date) -> bool:
    """The usual pattern of English state schools (each council sets its own): Christmas, Easter, summer, three
    half-term weeks."""
    year = day.year
    if (day.month, day.day) >= (12, 20) or (day.month, day.day) <= (1, 4):
        return True
    if date(year, 7, 22) <= day <= date(year, 9, 2):
        return True
    maundy = _monday_on_or_before(easter(year))
    weeks = (
        (_monday_on_or_before(date(year, 2, 18)), 1),
        (maundy, 2),
        (_last_monday(year, 5, 31), 1),
        (_monday_on_or_before(date(year, 10, 29)), 1),
    )
    return any(first <= day < first + timedelta(weeks=count) for first, count in weeks)


def home_game(day: date) -> bool:
    """Every second week of the season, August to May: Saturday at 15:00 or, the week after next, Wednesday at 19:45."""
    if 5 < day.month < 8:
        return False
    week = day.toordinal() // 7  # weeks from Sunday on, as day 0 of the ordinal calendar is one
    return (day.weekday() == 5 and week % 4 == 0) or (day.weekday() == 2 and week % 4 == 2)
