"""The figures of a score: rates, delays, the burden on an operator, by kind and by domain, beside known yardsticks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from domain.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, format_time
from simulator.scoreboard import FALSE, UNVERIFIED, Judgement, Outcome, Said, judge, outcomes
from simulator.truth import Truth

FLOOD_ALERTS = 10  # in FLOOD_MS: the line of EEMUA 191 and ISA-18.2 for one operator
FLOOD_MS = 10 * MINUTE_MS
PEAK_HOURS = ((7, 9), (16, 19))  # local time, every day of the week
APID_DETECTORS = 87
_TOWN = ZoneInfo("Europe/London")
WEEK_MS = 7 * DAY_MS

Figure = float | int | None


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is judged, epoch ms, and how many sensors of each domain watched."""

    start: int
    end: int
    sensors: Mapping[str, int] = field(default_factory=dict)

    @property
    def hours(self) -> float:
        return (self.end - self.start) / HOUR_MS

    def sensor_weeks(self, domain: str | None = None) -> float:
        """Of one domain, or of all."""
        count = sum(self.sensors.values()) if domain is None else self.sensors.get(domain, 0)
        return count * (self.end - self.start) / WEEK_MS


@dataclass(frozen=True, slots=True)
class Score:
    """Everything the referee has to say; ``figures`` are what gates can be set on."""

    span: Span
    outcomes: tuple[Outcome, ...]
    judgements: tuple[Judgement, ...]
    figures: dict[str, Figure]


def score(truths: Sequence[Truth], alerts: Sequence[Said], span: Span) -> Score:
    """Alerts against truth within the span: labels that begin in it, alerts that are raised in it."""
    labels = [truth for truth in truths if span.start <= truth.start < span.end]
    inside = [said for said in alerts if span.start <= said.raised < span.end]
    # An alert may be explained by what began before the span.
    found, judged = outcomes(labels, inside), judge(truths, inside)
    return Score(span, tuple(found), tuple(judged), _figures(found, judged, span))


def _figures(found: Sequence[Outcome], judged: Sequence[Judgement], span: Span) -> dict[str, Figure]:
    world = [o for o in found if o.truth.cause == "world"]
    sensor = [o for o in found if o.truth.cause == "sensor"]
    transport = [o for o in found if o.truth.cause == "transport"]
    incident_like = [o for o in transport if any(said.kind in ("anomaly", "incident") for said in o.alerts)]
    false = [j for j in judged if j.verdict == FALSE]
    return {
        "events": len(world),
        "detection": share(o.found for o in world),
        "alerts_per_event": ratio(sum(len(o.alerts) for o in world), sum(o.found for o in world)),
        "sensor_faults": len(sensor),
        "sensor_detection": share(o.found for o in sensor),
        "named_right": share(o.named_right for o in (*world, *sensor) if o.found),
        **delays("delay", world),
        **delays("sensor_delay", sensor),
        "transport_faults": len(transport),
        "transport_alerted": share(bool(o in incident_like) for o in transport),
        "alerts": len(judged),
        "false": len(false),
        "false_share": share(j.verdict == FALSE for j in judged),
        "cannot_verify_share": share(j.verdict == UNVERIFIED for j in judged),
        "false_per_operator_hour": ratio(len(false), span.hours),
        "false_per_sensor_week": ratio(len(false), span.sensor_weeks()),
        "alerts_per_operator_hour": ratio(len(judged), span.hours),
        "flood_minutes": round(flood_ms([j.said for j in judged]) / MINUTE_MS, 2),
    }


def delays(name: str, found: Iterable[Outcome]) -> dict[str, Figure]:
    """Mean, median and 95th percentile of the seconds from the beginning to the first alert, of what was found."""
    seconds = np.array([o.delay_ms / SECOND_MS for o in found if o.delay_ms is not None])
    if not len(seconds):
        return {f"{name}_{which}_s": None for which in ("mean", "median", "p95")}
    told = (seconds.mean(), np.median(seconds), np.percentile(seconds, 95))
    return {f"{name}_{which}_s": round(float(x), 1) for which, x in zip(("mean", "median", "p95"), told, strict=True)}


def flood_ms(alerts: Iterable[Said]) -> int:
    """How long ten or more alerts had been raised in the ten minutes before."""
    raised = sorted(said.raised for said in alerts)
    total, until = 0, -1
    for k in range(FLOOD_ALERTS - 1, len(raised)):
        begin, end = raised[k], raised[k - FLOOD_ALERTS + 1] + FLOOD_MS
        total += max(0, end - max(begin, until))
        until = max(until, end)
    return total


def by_kind(result: Score) -> list[dict[str, Figure | str]]:
    """One row for each cause and kind."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in result.outcomes:
        groups.setdefault((one.truth.cause, one.truth.kind), []).append(one)
    return [{"cause": cause, "kind": kind, **_row(group)} for (cause, kind), group in sorted(groups.items())]


def by_domain(result: Score) -> list[dict[str, Figure | str]]:
    """One row for each domain: what happened in it, and the alerts that name its series."""
    rows: list[dict[str, Figure | str]] = []
    domains = {o.domain for o in result.outcomes} | {j.domain for j in result.judgements} | set(result.span.sensors)
    for domain in sorted(domains - {""}):
        mine = [o for o in result.outcomes if o.domain == domain and o.truth.cause != "transport"]
        said = [j for j in result.judgements if j.domain == domain]
        false = sum(j.verdict == FALSE for j in said)
        rows.append(
            {
                "domain": domain, **_row(mine), "alerts": len(said), "false": false,
                "false_share": ratio(false, len(said)),
                "false_per_sensor_week": ratio(false, result.span.sensor_weeks(domain)),
            }
        )  # fmt: skip
    return rows


def _row(group: Sequence[Outcome]) -> dict[str, Figure]:
    return {
        "labels": len(group),
        "found": sum(o.found for o in group),
        "detection": share(o.found for o in group),
        "named_right": share(o.named_right for o in group if o.found),
        **delays("delay", group),
    }


def on_roads(result: Score) -> dict[str, Figure]:
    """The figures that the yardsticks of road alerts have: events of traffic, and alerts that call traffic an incident.

    ``delay_mean_s`` counts from the beginning of the cause; the bar counts from when the data could show it, which is
    up to a reporting interval and the way of the queue later, so ours is the stricter one.
    """
    events = [o for o in result.outcomes if o.truth.cause == "world" and o.domain == "traffic"]
    said = [j for j in result.judgements if j.domain == "traffic" and j.said.kind in ("anomaly", "incident")]
    false = [j for j in said if j.verdict == FALSE]
    peak = [j for j in false if _is_peak(j.said.raised)]
    loops, hours = result.span.sensors.get("traffic", 0), _peak_hours(result.span)
    per_hour = ratio(len(peak) * APID_DETECTORS, hours * loops)
    return {
        "events": len(events),
        "detection": share(o.found for o in events),
        "false_share": ratio(len(false), len(said)),
        **{name: value for name, value in delays("delay", events).items() if name != "delay_p95_s"},
        "false_per_peak_hour_on_87": per_hour,
    }


#: What road alerts are held against: name, and bounds by the figures of :func:`on_roads`.
YARDSTICKS: tuple[tuple[str, dict[str, float]], ...] = (
    ("UK stopped-vehicle bar", {"detection": 0.80, "false_share": 0.15, "delay_mean_s": 20.0}),
    ("APID in service (Utah 2001)", {"detection": 0.86, "delay_mean_s": 150.0, "false_per_peak_hour_on_87": 8.0}),
)


def _is_peak(ms: int) -> bool:
    hour = datetime.fromtimestamp(ms / SECOND_MS, _TOWN).hour
    return any(first <= hour < last for first, last in PEAK_HOURS)


def _peak_hours(span: Span) -> float:
    quarter = 15 * MINUTE_MS
    return sum(_is_peak(ms) for ms in range(span.start, span.end, quarter)) / 4


def happened(result: Score) -> list[dict[str, object]]:
    """What really happened, what was said, and when: one row for each label."""
    return [
        {
            "cause": o.truth.cause, "kind": o.truth.kind, "place": o.truth.place, "area": o.truth.area,
            "domain": o.domain,
            "start": format_time(o.truth.start), "end": format_time(o.truth.end),
            "alert": o.alerts[0].alert if o.alerts else None, "said": o.alerts[0].kind if o.alerts else None,
            "raised": format_time(o.alerts[0].raised) if o.alerts else None, "alerts": len(o.alerts),
            "delay_s": None if o.delay_ms is None else o.delay_ms / SECOND_MS,
            "named_right": o.named_right if o.found else None,
        }
        for o in result.outcomes
    ]  # fmt: skip


def share(yes: Iterable[bool]) -> float | None:
    """The share of the true ones; None of nothing."""
    told = list(yes)
    return ratio(sum(told), len(told))


def ratio(count: float, whole: float) -> float | None:
    return round(count / whole, 4) if whole else None
