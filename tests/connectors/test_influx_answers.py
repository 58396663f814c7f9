import numpy as np
import pytest

from connectors.influx_answers import aggregates_of

FULL = {"count": "3", "coverage": "1", "flag": "1", "revision": "2", "mean": "5", "min": "4", "max": "6", "last": "6"}


def row(minute: int, **fields: str) -> dict[str, str]:
    return {"_time": f"2026-03-02T06:{minute:02}:00Z", "area": "ring", **fields}


@pytest.mark.parametrize("missing", ["count", "flag", "revision"])
def test_a_point_that_is_being_written_is_not_there_yet(missing: str) -> None:
    part = {name: value for name, value in FULL.items() if name != missing}
    rows = aggregates_of("a/traffic.flow", 60, [row(0, **FULL), row(1, **part), row(2, **{**FULL, missing: ""})])
    assert rows.count.tolist() == [3]
    assert rows.mean.tolist() == [5.0]


def test_numbers_that_are_missing_stay_missing() -> None:
    empty = {"count": "0", "flag": "9", "revision": "1"}
    rows = aggregates_of("a/traffic.flow", 60, [row(0, **empty), row(1, **{**FULL, "mean": ""})])
    assert rows.count.tolist() == [0, 3]
    assert np.isnan(rows.mean).all()
    assert rows.last.tolist()[1] == 6.0
