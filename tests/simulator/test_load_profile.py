"""Power and energy without noise: exact integrals, sums at the main feeder, any time at once."""

import numpy as np
import pytest

from domain.readings import Ints
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.load_profile import COMMISSIONED_MS, LOSSES, Profile
from simulator.plan import plan_town

TOWN = plan_town(7)
ROWS = np.arange(len(TOWN.meters))


def at(*when: int) -> Ints:
    return np.tile(np.array(when, dtype=np.int64), (len(ROWS), 1))


@pytest.mark.parametrize("day", [-40, 0, 63, 200])
def test_counter_is_the_integral_of_power_across_midnight(day: int) -> None:
    start = COMMISSIONED_MS + day * DAY_MS - 3 * HOUR_MS
    t = start + np.arange(361, dtype=np.int64) * MINUTE_MS
    power, counter = Profile(TOWN, 7).meters(ROWS, np.tile(t, (len(ROWS), 1)))
    energy = np.trapezoid(power, dx=1 / 60, axis=1)
    assert np.allclose(counter[:, -1] - counter[:, 0], energy, rtol=1e-6)
    assert np.all(power > 0)
    assert np.all(np.abs(np.diff(power, axis=1)) < 0.12 * power[:, 1:] + 2)  # no step at midnight


def test_a_year_of_days_adds_up() -> None:
    profile = Profile(TOWN, 7)
    days = range(90, 130)
    ends = profile.meters(ROWS, at(COMMISSIONED_MS + days[0] * DAY_MS, COMMISSIONED_MS + (days[-1] + 1) * DAY_MS))[1]
    parts = np.zeros(len(ROWS))
    for day in days:
        t = COMMISSIONED_MS + day * DAY_MS + np.arange(97, dtype=np.int64) * 15 * MINUTE_MS
        parts += np.trapezoid(profile.meters(ROWS, np.tile(t, (len(ROWS), 1)))[0], dx=0.25, axis=1)
    assert np.allclose(ends[:, 1] - ends[:, 0], parts, rtol=1e-6)


def test_the_main_feeder_is_more_than_the_sum_behind_it() -> None:
    t = COMMISSIONED_MS + 100 * DAY_MS + np.arange(24, dtype=np.int64) * HOUR_MS
    profile = Profile(TOWN, 7)
    power, counter = profile.meters(ROWS, np.tile(t, (len(ROWS), 1)))
    for row in (k for k, site in enumerate(TOWN.meters) if site.main is None):
        behind = [k for k, site in enumerate(TOWN.meters) if site.main == row]
        rest = power[row] - LOSSES * power[behind].sum(axis=0)
        assert behind
        assert np.all(rest > 0.05 * power[row])
        assert np.all(np.diff(counter[row]) > LOSSES * np.diff(counter[behind], axis=1).sum(axis=0))


def test_lamps_burn_by_night_and_roofs_work_by_day() -> None:
    profile = Profile(TOWN, 7)
    noon, night = COMMISSIONED_MS + 170 * DAY_MS + 12 * HOUR_MS, COMMISSIONED_MS + 170 * DAY_MS + 23 * HOUR_MS
    power = profile.meters(ROWS, at(noon, night))[0]
    lamps = [k for k, site in enumerate(TOWN.meters) if site.customer == "lighting"]
    assert np.all(power[lamps, 1] > 5 * power[lamps, 0])
    sun = profile.sun(np.array([[noon, night]], dtype=np.int64))[0][0]
    assert sun[0] > 0.05
    assert sun[1] == 0
