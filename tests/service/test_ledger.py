"""The checker of ledgers finds every single stored point that is lost, doubled or altered, and nothing else."""

import math
import random
from pathlib import Path

import pytest

from domain.errors import Misconfigured
from domain.times import format_time
from service.ledger import Aside, Line, Row, aside_of, check, read_ledger
from tests.faults.counts import COUNTS, SEED

BEGIN = 1_772_431_200_000
LATE = "too late: beyond the horizon within which windows are revised"


def town(rng: random.Random) -> tuple[list[Line], dict[str, list[Row]], list[Aside]]:
    """A ledger with accepted, refused, unanswered, repeated and late readings, and what a right system holds of it."""
    lines: list[Line] = []
    aside: list[Aside] = []
    held: dict[str, dict[int, float]] = {}
    sequence = 0
    for series in ("loop-1/traffic.flow", "air-1/air.no2", "meter-1/energy.active_power"):
        held[series] = {}
        for k in range(rng.randrange(20, 60)):
            ms, value = (
                BEGIN + k * 13_000 + rng.randrange(1_000),
                rng.choice([rng.gauss(0, 300), rng.uniform(1e6, 1e9)]),
            )
            sequence += 1
            outcome = rng.choices(["ok", "fail", "unknown"], [20, 1, 1])[0]
            lines.append(Line(series, sequence, ms, value, outcome))
            late = rng.random() < 0.05 and outcome == "ok"
            if late:
                aside.append(Aside(series, ms, value, LATE))
            elif outcome == "ok" or (outcome == "unknown" and rng.random() < 0.5):
                held[series][ms] = value
            if rng.random() < 0.2 and outcome != "unknown" and not late:
                lines.append(lines[-1])
    return lines, {series: stored_rows(series, values) for series, values in held.items()}, aside


def stored_rows(series: str, values: dict[int, float]) -> list[Row]:
    windows: dict[int, dict[int, float]] = {}
    for ms, value in values.items():
        windows.setdefault(ms - ms % 60_000, {})[ms] = value
    return [
        {
            "window_start": format_time(start), "series": series, "count": len(part),
            "mean": sum(part.values()) / len(part), "min": min(part.values()), "max": max(part.values()),
            "last": part[max(part)],
        }
        for start, part in sorted(windows.items())
    ]  # fmt: skip


def spoil(rng: random.Random, stored: dict[str, list[Row]], certain: dict[str, set[str]]) -> str:
    """One stored point deleted, doubled or altered; in words what was done."""
    series = rng.choice(sorted(stored))
    rows = stored[series]
    k = rng.randrange(len(rows))
    row = dict(rows[k])
    what = rng.choice(["delete", "double", "count", "mean", "min", "max", "last", "move"])
    if what == "delete":
        if row["window_start"] not in certain[series]:
            return ""  # nothing certain is in there: it may rightly be missing
        del rows[k]
    elif what == "double":
        rows.append(row)
    elif what == "move":
        row["window_start"] = format_time(BEGIN + 86_400_000 * rng.randrange(1, 99))
        rows[k] = row
    elif what == "count":
        row["count"] += rng.choice([-1, 1])
        rows[k] = row
    else:
        row[what] = math.nextafter(row[what], math.inf) if what != "mean" else row[what] * (1 + 1e-6) + 1e-6
        rows[k] = row
    return f"{what} {series} {row['window_start']}"


def test_each_of_a_thousand_spoilt_points_is_reported() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    reported = tried = 0
    while tried < COUNTS["checker"].times:
        lines, stored, aside = town(rng)
        assert check(lines, stored, aside, 60) == [], f"seed {SEED}, town {tried}"
        late = {item[:3] for item in aside}
        certain = {
            name: {
                format_time(line.ms - line.ms % 60_000)
                for line in lines
                if (line.series, line.outcome) == (name, "ok") and (line.series, line.ms, line.value) not in late
            }
            for name in stored
        }
        done = spoil(rng, stored, certain)
        if not done:
            continue
        tried += 1
        found = check(lines, stored, aside, 60)
        assert found, f"seed {SEED}, number {tried}: {done} went unnoticed"
        reported += 1
    print(f"{reported} of {tried} reported")
    assert reported == tried


def one(outcome: str, *more: Line) -> list[Line]:
    return [Line("a/air.no2", 1, BEGIN, 5.0, "ok"), Line("a/air.no2", 2, BEGIN + 1_000, 7.5, outcome), *more]


def held(*values: float) -> dict[str, list[Row]]:
    return {"a/air.no2": stored_rows("a/air.no2", {BEGIN + k * 1_000: x for k, x in enumerate(values)})}


def test_unknown_may_count_and_fail_may_not() -> None:
    assert check(one("unknown"), held(5.0), [], 60) == []
    assert check(one("unknown"), held(5.0, 7.5), [], 60) == []
    assert check(one("unknown"), held(5.0, 7.5, 7.5), [], 60) != []
    assert check(one("fail"), held(5.0), [], 60) == []
    assert check(one("fail"), held(5.0, 7.5), [], 60) != []
    assert check(one("ok"), held(5.0), [], 60) != []


def test_late_is_late_or_counted_never_both() -> None:
    late = [Aside("a/air.no2", BEGIN + 1_000, 7.5, LATE)]
    assert check(one("ok"), held(5.0), late, 60) == []
    assert check(one("ok"), held(5.0, 7.5), late, 60) != []
    again = one("ok", Line("a/air.no2", 3, BEGIN + 1_000, 7.5, "ok"))
    assert check(again, held(5.0, 7.5), late, 60) == []  # it counted, and was sent once more when it was too late
    assert check(one("fail"), held(5.0), late, 60) != []
    assert check(one("ok"), held(5.0), late * 2, 60) != []


def test_many_unknown_in_one_window_are_bounded() -> None:
    more = [Line("a/air.no2", k, BEGIN + k * 1_000, float(k), "unknown") for k in range(3, 30)]
    values = [5.0, 7.5, *(float(k + 1) for k in range(2, 20))]
    rows = held(*values)
    assert check(one("ok", *more), rows, [], 60) == []
    rows["a/air.no2"][0] = {**rows["a/air.no2"][0], "max": 1e6}
    assert check(one("ok", *more), rows, [], 60) != []


def test_reading_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    head = "series,sequence,time,value,outcome\n"
    path.write_text(head + "a/air.no2,1,2026-03-02T06:00:00.250Z,0.1,ok\na/air.no2,2,2026-03-0")
    assert read_ledger(path) == [Line("a/air.no2", 1, BEGIN + 250, 0.1, "ok")]
    for text, said in (
        ("series,time\n", "first line"),
        (head + "a/air.no2,1,yesterday,0.1,ok\n", "line 2: time"),
        (head + "a/air.no2,1,2026-03-02T06:00:00Z,0.1,maybe\n", "line 2: outcome"),
        (head + "a/air.no2,1\n", "line 2"),
    ):
        path.write_text(text)
        with pytest.raises(Misconfigured, match=said):
            read_ledger(path)
    with pytest.raises(Misconfigured, match="several values"):
        check(one("ok", Line("a/air.no2", 3, BEGIN, 6.0, "ok")), held(5.0, 7.5), [], 60)


def test_what_of_the_quarantine_is_a_reading() -> None:
    item = {"series": "a/air.no2", "reading_time": format_time(BEGIN), "value": "7.5", "reason": LATE}
    other = [{**item, "series": ""}, {**item, "reading_time": None}, {**item, "value": "many"}]
    assert aside_of([item, *other]) == [Aside("a/air.no2", BEGIN, 7.5, LATE)]
