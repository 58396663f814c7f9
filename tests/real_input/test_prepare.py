"""The recordings are as their notes say; everything else about real input stands on this."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.tables_in import read_readings, read_sensors
from domain.series import parse_series
from tests.real_input import prepare

pytestmark = pytest.mark.skipif(bool(prepare.absent()), reason=prepare.absent())

COUNTS = {"marylebone": 7, "i94": 1, "pjm": 1}


@pytest.mark.parametrize("name", list(prepare.RECORDINGS))
def test_readings_are_in_order_once_each_and_within_bounds(name: str) -> None:
    rows = prepare.rows(name)
    assert len({row.series for row in rows}) == COUNTS[name]
    keys = [(row.time, row.series) for row in rows]
    assert keys == sorted(set(keys))
    for series in {row.series for row in rows}:
        quantity = parse_series(series).quantity
        values = [row.value for row in rows if row.series == series]
        assert quantity.lower <= min(values) <= max(values) <= quantity.upper


def test_known_hours() -> None:
    means = prepare.hourly_means("marylebone")
    assert means["marylebone/air.no2", datetime(1998, 1, 1, 0, tzinfo=UTC)] == (1, 39.0)
    assert means["marylebone/air.co", datetime(1998, 1, 1, 2, tzinfo=UTC)] == (1, 9.6025)
    assert prepare.hourly_means("i94")["i94/traffic.flow", datetime(2012, 10, 2, 9, tzinfo=UTC)] == (1, 5545.0)
    power = prepare.hourly_means("pjm")["pjm-east/energy.active_power", datetime(2002, 12, 31, 1, tzinfo=UTC)]
    assert power == (1, 26_498_000.0)


@pytest.mark.parametrize("name", list(prepare.RECORDINGS))
def test_the_tables_are_read_back_without_loss(name: str, tmp_path: Path) -> None:
    start = prepare.rows(name)[0].time
    end = start.replace(year=start.year + 1)
    path = prepare.write(name, tmp_path, start, end)
    wanted = [row for row in prepare.rows(name) if row.time < end]
    chunks = list(read_readings(path, on_bad_row=lambda bad: pytest.fail(str(bad))))
    assert sum(len(chunk) for chunk in chunks) == len(wanted)
    assert sum(float(chunk.x.sum()) for chunk in chunks) == pytest.approx(sum(row.value for row in wanted), rel=1e-12)
    (sensor,) = read_sensors(tmp_path / "sensors.csv")
    assert sensor.interval_s == 3_600
