import numpy as np
import pytest

from connectors.influx_answers import aggregates_of

FULL = {"count": "3", "coverage": "1", "flag": "1", "revision": "2", "mean": "5", "min": "4", "max": "6", "last": "6"}


def row(minute: int, **fields: str) -> dict[str, str]:
    return {"_time": f"2026-03-02T06:{minute:02}:00Z", "area": "ring", **fields}


@pytest.mark.parametrize("missing", sorted(FULL))
def test_a_point_that_is_being_written_is_not_there_yet(missing: str) -> None:
    part = {name: value for name, value in FULL.items() if name != missing}
    rows = aggregates_of("a/traffic.flow", 60, [row(0, **FULL), row(1, **part), row(2, **{**FULL, missing: ""})])
    assert rows.count.tolist() == [3]
    assert rows.mean.tolist() == [5.0]


def test_an_empty_window_and_one_whose_mean_is_beyond_all_numbers_are_whole() -> None:
    empty = {"count": "0", "coverage": "0", "flag": "9", "revision": "1"}
    huge = {**FULL, "min": "1e308", "max": "1.5e308", "mean": ""}
    rows = aggregates_of("a/traffic.flow", 60, [row(0, **empty), row(1, **huge)])
    assert rows.count.tolist() == [0, 3]
    assert np.isnan(rows.mean).all()
