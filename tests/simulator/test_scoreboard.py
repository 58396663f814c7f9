"""The referee on truth and alerts made by hand, where every figure is known."""

from dataclasses import replace

import numpy as np
import pytest

from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.kinds import KINDS
from simulator.scoreboard import EXPLAINED, FALSE, TOLERANCES, UNVERIFIED, Said, judge, matches, outcomes
from simulator.scoreboard_figures import Score, Span, by_domain, by_kind, flood_ms, happened, on_roads, score
from simulator.truth import Truth

NOON = 1_772_452_800_000  # Monday 2 March 2026, 12:00 UTC
FLOW, SPEED, POWER, PM = "loop-1/traffic.flow", "loop-2/traffic.speed", "meter-1/energy.active_power", "air-1/air.pm25"
SPAN = Span(NOON - 12 * HOUR_MS, NOON + 12 * HOUR_MS, {"traffic": 4, "air": 2, "energy": 1})


def at(minutes: float) -> int:
    return NOON + int(minutes * MINUTE_MS)


def label(cause: str, kind: str, start: float, end: float, *series: str, area: str = "ring") -> Truth:
    return Truth(cause, kind, f"place of {series[0]}", area, at(start), at(end), series)


def said(number: int, kind: str, onset: float, raised: float, *series: str, area: str = "ring") -> Said:
    return Said(f"a{number:05d}", kind, area, series, at(onset), at(raised))


CRASH = label("world", "crash", 0, 60, FLOW, SPEED)
TRIP = label("world", "feeder-fault", 200, 220, POWER, area="substation")
STUCK = label("sensor", "stuck", 300, 400, PM, area="priory")
LATE = label("transport", "late", 500, 540, FLOW, SPEED)
TRUTHS = [CRASH, TRIP, STUCK, LATE]
ALERTS = [
    said(1, "anomaly", 2, 3, SPEED),  # the crash, after three minutes
    said(2, "anomaly", 4, 6, FLOW),  # the crash again
    said(3, "anomaly", 302, 305, PM, area="priory"),  # the stuck sensor, taken for an event
    said(4, "quality", 310, 330, PM, area="priory"),
    said(5, "silence", 501, 506, FLOW),  # a data trouble, called one
    said(6, "anomaly", 100, 101, FLOW),  # within the hour after the crash's tolerance: nobody can say
    said(7, "anomaly", -300, -299, FLOW),  # false, at 07:01
    said(8, "anomaly", 700, 701, POWER, area="substation"),  # false
]


@pytest.fixture
def known() -> Score:
    return score(TRUTHS, ALERTS, SPAN)


def test_every_figure_of_a_small_case(known: Score) -> None:
    assert known.figures == {
        "events": 2, "detection": 0.5, "alerts_per_event": 2.0, "sensor_faults": 1,
        "sensor_detection": 1.0, "named_right": 0.5,
        "delay_mean_s": 180.0, "delay_median_s": 180.0, "delay_p95_s": 180.0,
        "sensor_delay_mean_s": 300.0, "sensor_delay_median_s": 300.0, "sensor_delay_p95_s": 300.0,
        "transport_faults": 1, "transport_alerted": 0.0,
        "alerts": 8, "false": 2, "false_share": 0.25, "cannot_verify_share": 0.125,
        "false_per_operator_hour": round(2 / 24, 4), "false_per_sensor_week": 2.0,
        "alerts_per_operator_hour": round(8 / 24, 4), "flood_minutes": 0.0,
    }  # fmt: skip


def test_by_kind_and_by_domain(known: Score) -> None:
    kinds = {row["kind"]: (row["labels"], row["found"], row["named_right"]) for row in by_kind(known)}
    assert kinds == {"crash": (1, 1, 1.0), "feeder-fault": (1, 0, None), "stuck": (1, 1, 0.0), "late": (1, 1, 1.0)}
    domains = {row["domain"]: (row["labels"], row["found"], row["alerts"], row["false"]) for row in by_domain(known)}
    assert domains == {"traffic": (1, 1, 5, 1), "air": (1, 1, 2, 0), "energy": (1, 0, 1, 1)}


def test_what_happened_is_told_label_by_label(known: Score) -> None:
    crash, trip, *_ = happened(known)
    assert (crash["alert"], crash["said"], crash["delay_s"], crash["alerts"]) == ("a00001", "anomaly", 180.0, 2)
    assert (trip["alert"], trip["delay_s"], trip["named_right"]) == (None, None, None)


def test_on_roads_beside_the_yardsticks(known: Score) -> None:
    roads = on_roads(known)
    assert (roads["events"], roads["detection"], roads["delay_mean_s"]) == (1, 1.0, 180.0)
    assert roads["false_share"] == 0.25  # of four that call traffic an incident
    # One false alert in five peak hours of four loops (07:01 in winter is 07:01 in town), on 87 detectors.
    assert roads["false_per_peak_hour_on_87"] == pytest.approx(87 / 4 / 5)


def test_a_perfect_oracle_and_the_null_detector() -> None:
    oracle = [
        Said(str(n), {"world": "incident", "sensor": "quality"}[t.cause], t.area, t.series, t.start, t.start)
        for n, t in enumerate(TRUTHS)
        if t.cause != "transport"
    ]  # fmt: skip
    best = score(TRUTHS, oracle, SPAN).figures
    assert [best[name] for name in ("detection", "sensor_detection", "named_right")] == [1.0, 1.0, 1.0]
    assert [best[name] for name in ("false_share", "delay_median_s", "transport_alerted")] == [0.0, 0.0, 0.0]
    null = score(TRUTHS, [], SPAN).figures
    assert [null[name] for name in ("detection", "sensor_detection", "alerts")] == [0.0, 0.0, 0]
    assert null["false_share"] is None
    assert null["delay_median_s"] is None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_alerts_score_low(seed: int) -> None:
    chance = np.random.default_rng(seed)
    names = [f"loop-{n}/traffic.flow" for n in range(100)]
    truths = [
        label("world", "crash", float(start), float(start) + 30, names[n], names[n + 1])
        for n, start in zip(chance.integers(0, 99, 20), chance.uniform(-700, 650, 20), strict=True)
    ]
    alerts = [
        said(n, "anomaly", float(t), float(t) + 1, names[k])
        for n, (k, t) in enumerate(zip(chance.integers(0, 100, 200), chance.uniform(-720, 718, 200), strict=True))
    ]
    figures = score(truths, alerts, Span(SPAN.start, SPAN.end, {"traffic": 100})).figures
    assert figures["detection"] < 0.4, f"seed {seed}"
    assert figures["false_share"] > 0.8, f"seed {seed}"


@pytest.mark.parametrize(
    ("onset", "raised", "series", "yes"),
    [
        (-5, 0, SPEED, True), (-5.1, 0, SPEED, False),  # an onset may be put a little early …
        (-3, -2, SPEED, False),  # … but nothing can be raised before its cause
        (70, 75, SPEED, True), (70.1, 75, SPEED, False),
        (10, 11, POWER, False),
    ],
)  # fmt: skip
def test_tolerances(onset: float, raised: float, series: str, yes: bool) -> None:
    assert matches(CRASH, said(1, "anomaly", onset, raised, series)) is yes


def test_tolerances_are_of_kinds_that_there_are() -> None:
    assert set(TOLERANCES) <= set(KINDS)
    dust = label("world", "construction-dust", 100, 120, "s1/air.pm10")
    assert matches(dust, said(1, "anomaly", 91, 101, "s1/air.pm10"))
    assert matches(dust, said(2, "anomaly", 149, 150, "s1/air.pm10"))
    assert not matches(dust, said(3, "anomaly", 151, 152, "s1/air.pm10"))


def test_an_alert_without_series_is_judged_by_its_area() -> None:
    whole = replace(said(1, "silence", 1, 2), area="ring")
    assert matches(CRASH, whole)
    assert not matches(CRASH, replace(whole, area="priory"))
    assert outcomes([CRASH], [whole])[0].found


def test_an_incident_on_a_transport_fault_is_false() -> None:
    wrong = said(1, "anomaly", 510, 511, FLOW)
    assert judge([LATE], [wrong])[0].verdict == FALSE
    assert score([LATE], [wrong], SPAN).figures["transport_alerted"] == 1.0


def test_what_an_operator_could_not_verify_is_not_called_false() -> None:
    doubtful = replace(said(1, "anomaly", -500, -499, FLOW), verdict="cannot_verify")
    assert judge(TRUTHS, [doubtful])[0].verdict == UNVERIFIED
    sure = replace(said(2, "anomaly", 1, 2, FLOW), verdict="cannot_verify")
    assert judge(TRUTHS, [sure])[0].verdict == EXPLAINED  # the truth knows better


def test_flood_begins_with_the_tenth_alert_in_ten_minutes() -> None:
    ten = [said(n, "anomaly", n / 2, n / 2, FLOW) for n in range(10)]  # the tenth at 4.5 min, the first drops out at 10
    assert flood_ms(ten) == 5.5 * MINUTE_MS
    assert flood_ms(ten[:9]) == 0
    twice = [*ten, *(said(20 + n, "anomaly", 5 + n / 2, 5 + n / 2, FLOW) for n in range(10))]
    assert flood_ms(twice) == 10.5 * MINUTE_MS  # from 4.5 min until the tenth from the end, at 5 min, drops out


def test_what_begins_outside_the_span_is_not_counted() -> None:
    later = Span(at(100), at(100) + DAY_MS, SPAN.sensors)
    figures = score(TRUTHS, ALERTS, later).figures
    assert (figures["events"], figures["alerts"]) == (1, 5)
