"""Readings as a function of seed and time: determinism, bounds, physics, rhythms."""

from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import cache
from hashlib import sha256
from itertools import pairwise
from multiprocessing import get_context
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from domain.readings import Readings
from domain.series import parse_series
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.events import Crash, FeederFault
from simulator.plan import Town, plan_town
from simulator.script import FixedScript
from simulator.signals import City

LONDON = ZoneInfo("Europe/London")


def local_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=LONDON).timestamp() * 1_000)


MONDAY = local_ms("2026-03-02T00:00")


@cache
def town() -> Town:
    return plan_town(7)


@cache
def week() -> Readings:
    return City(town(), 7).readings(MONDAY, MONDAY + 7 * DAY_MS)


def column(readings: Readings, name: str) -> tuple[np.ndarray, np.ndarray]:
    mine = readings.i == readings.series.index(name)
    return readings.t[mine], readings.x[mine]


def by_key(readings: Readings) -> dict[tuple[str, int], float]:
    return {(readings.series[i], int(t)): float(x) for i, t, x in zip(readings.i, readings.t, readings.x, strict=True)}


def test_same_seed_same_values_other_seed_others() -> None:
    start = MONDAY + 8 * HOUR_MS
    once, again, other = (City(town(), seed).readings(start, start + HOUR_MS) for seed in (7, 7, 8))
    assert once.series == again.series
    assert all(np.array_equal(getattr(once, c), getattr(again, c)) for c in "itx")
    assert len(other)
    assert not np.array_equal(once.x, other.x[: len(once)])


def test_values_do_not_depend_on_how_the_range_is_cut() -> None:
    start, end = (
        MONDAY + 3 * DAY_MS + 23 * HOUR_MS + 17_000,
        MONDAY + 4 * DAY_MS + HOUR_MS,
    )  # across midnight and a block
    whole = by_key(City(town(), 7).readings(start, end))
    city = City(town(), 7)
    rng = np.random.default_rng(5)
    cuts = [start, *sorted(int(c) for c in rng.integers(start, end, 40)), end]
    parts: dict[tuple[str, int], float] = {}
    count = 0
    for a, b in pairwise(cuts):
        piece = city.readings(a, b)
        count += len(piece)
        assert not len(piece) or (piece.t.min() >= a and piece.t.max() < b)
        parts |= by_key(piece)
    assert count == len(whole)
    assert parts == whole


def hour_of(start: int) -> str:
    """Digest of an hour of a small town with a crash and a trip; runs in a process of its own."""
    script = FixedScript(
        (
            Crash("loop-003", MONDAY + 8 * HOUR_MS, MONDAY + 8 * HOUR_MS + 40 * MINUTE_MS, 0.9),
            FeederFault("substation-lenwick", MONDAY + 8 * HOUR_MS, MONDAY + 9 * HOUR_MS, 0.5),
        )
    )
    readings = City(plan_town(7, 40), 7).readings(start, start + HOUR_MS, script)
    return sha256(b"".join(column.tobytes() for column in (readings.i, readings.t, readings.x))).hexdigest()


def test_same_bytes_at_any_process_count() -> None:
    starts = [MONDAY + hour * HOUR_MS for hour in (8, 9, 3)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        apart = list(pool.map(hour_of, starts))
    assert apart == [hour_of(start) for start in starts]
    assert len(set(apart)) == len(starts)


def test_values_do_not_depend_on_what_was_asked_before() -> None:
    start = MONDAY + 5 * DAY_MS
    fresh = by_key(City(town(), 7).readings(start, start + 10 * MINUTE_MS))
    used = City(town(), 7)
    for days in (30, -40, 2):
        used.readings(start + days * DAY_MS, start + days * DAY_MS + MINUTE_MS)
    assert by_key(used.readings(start, start + 10 * MINUTE_MS)) == fresh


def test_every_sensor_reports_once_each_interval() -> None:
    day = City(town(), 7).readings(MONDAY, MONDAY + DAY_MS)
    counts = np.bincount(day.i, minlength=len(day.series))
    assert set(day.series) == set(town().series)
    for name, count in zip(day.series, counts, strict=True):
        # Where nobody passes there is no speed to report.
        nobody = np.sum(column(day, name.replace("speed", "flow"))[1] == 0) if name.endswith("speed") else 0
        assert count + nobody == DAY_MS / 1_000 / (town().sensor(name.split("/")[0]).interval_s or 0)
    assert np.all(np.diff(day.t) >= 0)


def test_by_area_holds_the_same_readings() -> None:
    start = MONDAY + 12 * HOUR_MS
    city = City(town(), 7)
    apart = city.by_area(start, start + 10 * MINUTE_MS)
    area_of = {sensor.sensor: sensor.area for sensor in town().sensors}
    joined: dict[tuple[str, int], float] = {}
    for area, readings in apart.items():
        assert {area_of[name.split("/")[0]] for name in readings.series} == {area}
        assert np.all(np.diff(readings.t) >= 0)
        joined |= by_key(readings)
    assert joined == by_key(city.readings(start, start + 10 * MINUTE_MS))


def test_empty_stretch_has_no_readings() -> None:
    assert len(City(town(), 7).readings(MONDAY, MONDAY)) == 0
    assert City(town(), 7).by_area(MONDAY, MONDAY) == {}


def test_all_values_are_finite_and_within_physical_bounds() -> None:
    readings = week()
    assert np.isfinite(readings.x).all()
    for row, name in enumerate(readings.series):
        quantity = parse_series(name).quantity
        x = readings.x[readings.i == row]
        assert x.min() >= quantity.lower, name
        assert x.max() <= quantity.upper, name


def test_fine_particles_never_exceed_coarse() -> None:
    for site in town().stations:
        name = site.sensor.sensor
        fine, coarse = column(week(), f"{name}/air.pm25")[1], column(week(), f"{name}/air.pm10")[1]
        assert np.all(fine <= coarse)


def test_counters_rise_and_agree_with_power() -> None:
    for site in town().meters:
        t, power = column(week(), f"{site.sensor.sensor}/energy.active_power")
        _, counter = column(week(), f"{site.sensor.sensor}/energy.energy_import")
        assert np.all(np.diff(counter) > 0)
        hourly = counter[60::60] - counter[:-60:60]
        mean = np.array([np.trapezoid(power[k : k + 61], t[k : k + 61] / HOUR_MS) for k in range(0, len(t) - 60, 60)])
        assert np.allclose(hourly, mean, rtol=0.01)  # five standard errors of 60 readings with 1.2 % noise


def test_counters_go_on_over_years_and_before_commissioning() -> None:
    city = City(town(), 7)
    at = [city.readings(local_ms(f"{when}T00:00"), local_ms(f"{when}T00:01")) for when in ("2025-06-01", "2026-06-01")]
    for name in (f"{site.sensor.sensor}/energy.energy_import" for site in town().meters):
        earlier, later = (column(readings, name)[1][0] for readings in at)
        assert 0 < earlier < later


def test_working_days_have_peaks_and_quiet_nights() -> None:
    for site in town().loops[::7]:
        t, flow = column(week(), f"{site.sensor.sensor}/traffic.flow")
        hour = (t - MONDAY) / HOUR_MS
        work, sunday = hour < 5 * 24, hour >= 6 * 24
        clock = hour % 24
        night = flow[work & (clock >= 1) & (clock < 4)].mean()
        morning = flow[work & (clock >= 7.5) & (clock < 8.5)].mean()
        evening = flow[work & (clock >= 16.5) & (clock < 18)].mean()
        assert min(morning, evening) > 2.5 * night
        assert flow[sunday & (clock >= 7.5) & (clock < 8.5)].mean() < 0.6 * morning


def test_neighbouring_loops_and_stations_move_together() -> None:
    for link in town().links:
        # A street has some ten vehicles a minute: single minutes scatter as Poisson, five together show the traffic.
        flows = [column(week(), f"{name}/traffic.flow")[1] for name in (link.source, link.target)]
        a, b = (flow.reshape(-1, 5).mean(axis=1) for flow in flows)
        assert np.corrcoef(a, b)[0, 1] > 0.7, link
    stations = [site.sensor for site in town().stations if site.sensor.interval_s == 60]
    for a, b in pairwise(stations):
        for quantity in ("air.pm25", "air.o3", "air.no2"):
            x, y = (column(week(), f"{s.sensor}/{quantity}")[1] for s in (a, b))
            assert np.corrcoef(x, y)[0, 1] > 0.7, (a.sensor, b.sensor, quantity)


def test_speed_falls_with_occupancy_and_agrees_with_it() -> None:
    for site in town().loops[::5]:
        name = site.sensor.sensor
        some = column(week(), f"{name}/traffic.flow")[1] > 0
        flow, occupancy = (column(week(), f"{name}/traffic.{q}")[1][some] for q in ("flow", "occupancy"))
        speed = column(week(), f"{name}/traffic.speed")[1]
        full = occupancy > np.quantile(occupancy, 0.95)
        empty = occupancy < np.quantile(occupancy, 0.3)
        assert speed[full].mean() < 0.95 * speed[empty].mean()
        busy = flow > 100
        length_m = occupancy[busy] * speed[busy] * site.road.lanes / flow[busy] * 1_000
        assert 5 < np.median(length_m) < 8


def test_ozone_is_high_at_midday_and_where_no2_is_low() -> None:
    for site in town().stations[:6]:
        t, o3 = column(week(), f"{site.sensor.sensor}/air.o3")
        _, no2 = column(week(), f"{site.sensor.sensor}/air.no2")
        assert np.corrcoef(o3, no2)[0, 1] < -0.4
        clock = (t - MONDAY) / HOUR_MS % 24
        assert o3[(clock > 11) & (clock < 15)].mean() > o3[(clock > 5) & (clock < 9)].mean()


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_people_keep_to_the_clock_when_it_changes(day: str) -> None:
    """The morning rise comes at the same local time on the Monday before and after the change, not at the same UTC."""
    change = local_ms(f"{day}T00:00")
    city = City(town(), 7)
    length = local_ms(f"{day}T23:59") + MINUTE_MS - change
    assert length == (23 if "03" in day[5:7] else 25) * HOUR_MS
    sunday = city.readings(change, change + length)
    ring = town().loops[0].sensor.sensor
    assert len(column(sunday, f"{ring}/traffic.flow")[0]) == length // MINUTE_MS

    def rise(monday: int) -> float:
        """Local hour at which mean flow first passes half of its morning maximum."""
        stretch = city.readings(monday + 4 * HOUR_MS, monday + 10 * HOUR_MS)
        flow = np.mean([column(stretch, f"{s.sensor.sensor}/traffic.flow")[1] for s in town().loops], axis=0)
        smooth = np.convolve(flow, np.ones(15) / 15, mode="valid")
        return float(np.argmax(smooth > smooth.max() / 2)) / 60

    monday = local_ms(f"{day}T00:00") + length
    assert abs(rise(monday) - rise(monday - 7 * DAY_MS - (length - DAY_MS))) < 0.35
