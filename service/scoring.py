"""What a score needs: truth, alerts and the span, from folders or from a running system."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.tables_in import read_sensors
from domain.errors import Misconfigured, Rejected
from domain.messages import Alert
from domain.times import parse_time
from service import api_client
from simulator.scenario import load
from simulator.scenario_run import MANIFEST
from simulator.scoreboard import Said, domain_of
from simulator.scoreboard_figures import Score, Span, by_domain, by_kind, happened, on_roads, score
from simulator.scoreboard_gates import BOUNDS, Gate, gates
from simulator.scoreboard_tables import read_alerts, read_truth
from simulator.truth import Truth


@dataclass(frozen=True, slots=True)
class Case:
    """What is scored, and the gates it must hold."""

    name: str
    truths: list[Truth]
    alerts: list[Said]
    span: Span
    expect: Mapping[str, float]


def case_of(truth: Path, alerts: str, expect: str | None) -> Case:
    """``truth``: a folder with ``truth.csv``; ``alerts``: one with ``alerts.csv``, or the address of a running system.

    Span, sensors and gates come from ``scenario.json`` beside the truth, where it is; else the span is that of what is
    there, and the sensors are those of ``sensors.csv``. ``expect`` names a scenario whose gates are to be held.

    Raises: Misconfigured, Rejected, Unavailable.
    """
    truths = read_truth(_in(truth, "truth.csv"))
    said = _from_api(alerts) if "://" in alerts else read_alerts(_in(Path(alerts), "alerts.csv"))
    told = _manifest(truth / MANIFEST)
    bounds: Mapping[str, float] = load(expect).expect if expect else told.get("expect", {})
    if expect and not bounds:
        raise Misconfigured(f"--expect: scenario {expect} expects nothing")
    unknown = sorted(set(bounds) - set(BOUNDS))
    if unknown:
        raise Misconfigured(f"{truth / MANIFEST}: expect: unknown gate {unknown[0]}")
    name = str(told.get("scenario", truth.name))
    return Case(name, truths, said, _span(told, truth, truths, said), bounds)


def _in(folder: Path, name: str) -> Path:
    """The table in a folder, or the very file that was given."""
    return folder if folder.is_file() else folder / name


def _manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        parse_time(told["start"])
        parse_time(told["end"])
        return {**told, "sensors": {str(k): int(n) for k, n in told["sensors"].items()}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, Rejected) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from None


def _span(told: Mapping[str, Any], folder: Path, truths: list[Truth], said: list[Said]) -> Span:
    if told:
        return Span(parse_time(told["start"]), parse_time(told["end"]), told["sensors"])
    times = [t for truth in truths for t in (truth.start, truth.end)] + [alert.raised for alert in said]
    if not times:
        raise Misconfigured(f"{folder}: neither truth nor alerts, and no {MANIFEST}: there is nothing to score")
    return Span(min(times), max(times) + 1, _sensors(folder / "sensors.csv", truths))


def _sensors(path: Path, truths: list[Truth]) -> dict[str, int]:
    """How many of each domain, by the quantities named in the truth; what is in none of it counts as itself."""
    if not path.is_file():
        return {}
    series: dict[str, list[str]] = {}
    for name in {name for truth in truths for name in truth.series}:
        series.setdefault(name.partition("/")[0], []).append(name)
    counts: dict[str, int] = {}
    for sensor in read_sensors(path):
        domain = domain_of(series.get(sensor.sensor, [])) or "other"
        counts[domain] = counts.get(domain, 0) + 1
    return counts


def _from_api(base: str) -> list[Said]:
    rows = api_client.pages(base.rstrip("/"), "/v1/alerts", {"limit": 1_000})
    return [
        Said(
            row["id"], row["kind"], row["area"], tuple(row["series"]), parse_time(row["onset"]),
            parse_time(row["raised"]), _verdict(row.get("actions", [])),
        )
        for row in rows
    ]  # fmt: skip


def said_of(alert: Alert) -> Said:
    """An alert of this process."""
    verdict = next((action.verdict for action in reversed(alert.actions) if action.verdict), "")
    return Said(alert.id, alert.kind, alert.area, tuple(alert.series), alert.onset, alert.raised, verdict)


def _verdict(actions: list[dict[str, Any]]) -> str:
    return next((str(action["verdict"]) for action in reversed(actions) if action.get("verdict")), "")


def scored(case: Case) -> tuple[Score, list[Gate]]:
    result = score(case.truths, case.alerts, case.span)
    return result, gates(case.expect, result)


def report_of(case: Case, result: Score, held: list[Gate]) -> dict[str, Any]:
    """The score as plain values, for JSON and for the page."""
    from domain.times import format_time
    from simulator.scoreboard_figures import YARDSTICKS

    return {
        "case": case.name,
        "start": format_time(case.span.start),
        "end": format_time(case.span.end),
        "sensors": dict(case.span.sensors),
        "figures": result.figures,
        "by_kind": by_kind(result),
        "by_domain": by_domain(result),
        "roads": on_roads(result),
        "yardsticks": [{"name": name, **bounds} for name, bounds in YARDSTICKS],
        "gates": [{"gate": g.name, "bound": g.bound, "figure": g.figure, "holds": g.holds} for g in held],
        "events": happened(result),
    }
