"""An invented town with a day of data, for screenshots and page tests: streets, sensors, curves, alerts."""

import math
from typing import Any

import msgspec
import numpy as np

from domain.messages import Action, Alert, Channel, ModelRef, Point, Why
from domain.readings import Readings
from domain.sensors import Sensor
from tests.web.fakes import MINUTE, FakeWorld, make_world

LAT, LON = 52.4050, -1.5100
STREETS = (
    "Station Road",
    "Mill Lane",
    "Castle Street",
    "Ring Road North",
    "Ring Road South",
    "Canal Side",
    "Abbey Road",
)
UNITS = {"traffic.flow": "veh/h", "traffic.speed": "km/h", "air.no2": "µg/m³", "energy.active_power": "kW"}


def _at(east: float, north: float) -> list[float]:
    """Kilometres from the centre to GeoJSON [lon, lat]."""
    return [round(LON + east / 67.9, 6), round(LAT + north / 111.3, 6)]


def _feature(kind: str, geometry: str, coordinates: Any, name: str = "") -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"kind": kind, "name": name},
        "geometry": {"type": geometry, "coordinates": coordinates},
    }


def town_map() -> dict[str, Any]:
    ring = [_at(1.6 * math.cos(a), 1.25 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 49)]
    river = [_at(e, 0.55 * math.sin(e * 1.7) - 0.35) for e in np.linspace(-2.6, 2.6, 40)]
    park = [_at(-0.9 + 0.34 * math.cos(a), 0.5 + 0.22 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 25)]
    roads = [
        _feature("road", "LineString", [_at(e, slope * e + north) for e in np.linspace(-2.4, 2.4, 12)], name)
        for name, slope, north in (("Station Road", 0.12, 0.25), ("Mill Lane", -0.35, -0.1), ("Canal Side", 0.05, -0.8))
    ]
    roads += [
        _feature("road", "LineString", [_at(east + 0.1 * math.sin(n * 2), n) for n in np.linspace(-1.7, 1.7, 12)], name)
        for name, east in (("Castle Street", -0.55), ("Abbey Road", 0.5), ("Quarry Hill", 1.1))
    ]
    return {
        "type": "FeatureCollection",
        "features": [
            _feature("park", "Polygon", [park], "Castle Park"),
            _feature("water", "LineString", river, "River Sherbourne"),
            _feature("motorway", "LineString", ring, "Ring Road"),
            *roads,
        ],
    }


def sensors(count: int = 126, seed: int = 7) -> list[Sensor]:
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(count):
        kind = "air" if n % 9 == 0 else "meter" if n % 3 == 1 else "loop"
        angle, out = rng.uniform(0, 2 * math.pi), rng.uniform(0.15, 1.0)
        if kind == "loop" and n % 2:
            east, north = 1.6 * math.cos(angle), 1.25 * math.sin(angle)
        else:
            east, north = 1.9 * out * math.cos(angle), 1.4 * out * math.sin(angle)
        side = "north" if north > 0.4 else "south" if north < -0.4 else "centre"
        lon, lat = _at(east, north)
        place = f"{STREETS[n % len(STREETS)]}, {('northbound', 'southbound', 'junction', 'bridge')[n % 4]}"
        area = {"loop": f"ring-{side}", "air": "town", "meter": f"substation-{side}"}[kind]
        rows.append(Sensor(f"{kind}-{n:03d}", area, lat, lon, 60.0, place=place))
    return rows


def quantities(sensor: Sensor) -> list[str]:
    kind = sensor.sensor.split("-")[0]
    return {"loop": ["traffic.flow", "traffic.speed"], "air": ["air.no2"], "meter": ["energy.active_power"]}[kind]


def expected(series: str, t: np.ndarray) -> np.ndarray:
    """The usual value by time of day; ``t`` in epoch ms."""
    hour = (t / 3_600_000.0) % 24
    rush = np.exp(-((hour - 8.2) ** 2) / 2.2) + 0.9 * np.exp(-((hour - 17.3) ** 2) / 3.4) + 0.35
    scale = 0.8 + (sum(map(ord, series)) % 40) / 100
    if series.endswith("speed"):
        return (58 - 17 * rush) * scale
    if series.endswith("flow"):
        return 900 * rush * scale
    return (38 if series.endswith("no2") else 120) * rush * scale


def observed(series: str, t: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    usual = expected(series, t)
    return usual * (1 + 0.045 * rng.standard_normal(len(t)))


CASES = (
    # sensor index, kind, severity, minutes ago, share of normal, state, sentence
    (14, "anomaly", "high", 6, 0.42, "open", "Traffic has slowed to {v} km/h; {e} km/h is usual here at this hour."),
    (11, "anomaly", "medium", 14, 0.61, "open", "Speed of {v} km/h is below the usual {e} km/h."),
    (18, "anomaly", "medium", 23, 1.9, "open", "Nitrogen dioxide is {v} µg/m³, twice the usual {e} µg/m³."),
    (4, "quality", "low", 41, 1.0, "acknowledged", "The meter has reported exactly {v} kW for 38 minutes."),
    (15, "silence", "low", 52, 1.0, "open", "No reading for 17 minutes; one a minute is usual."),
    (22, "anomaly", "medium", 75, 1.5, "acknowledged", "Demand of {v} kW is above the usual {e} kW."),
    (27, "anomaly", "high", 160, 1.8, "closed", "Nitrogen dioxide reached {v} µg/m³; {e} µg/m³ is usual."),
    (33, "anomaly", "low", 220, 0.7, "resolved", "Speed of {v} km/h is below the usual {e} km/h."),
)  # fmt: skip


def make_alert(sensor: Sensor, case: tuple[Any, ...], now: int, number: int) -> Alert:
    _, kind, severity, ago, share, state, sentence = case
    series = f"{sensor.sensor}/{quantities(sensor)[-1]}"
    onset = now - ago * MINUTE
    t = np.arange(onset - 90 * MINUTE, min(now, onset + 45 * MINUTE) + 1, MINUTE, dtype=np.int64)
    usual = expected(series, t)
    value = np.where(t >= onset, share, 1.0) * observed(series, t, np.random.default_rng(number))
    spread = 0.14 * usual
    trace = [
        Point(int(a), float(v), float(e), float(e - s), float(e + s))
        for a, v, e, s in zip(t, value, usual, spread, strict=True)
    ]
    at = int(np.searchsorted(t, onset))
    v, e = float(value[at]), float(usual[at])
    text = sentence.format(v=f"{v:.0f}", e=f"{e:.0f}")
    why = Why(
        text, v, e, e - float(spread[at]), e + float(spread[at]), 4_200.0 * (1 + number), onset,
        [Channel("level", 0.58), Channel("change", 0.27), Channel("neighbours", 0.15)],
        [{"series": f"loop-{number + 3:03d}/{quantities(sensor)[-1]}", "time": onset,
          "observed": e, "expected": e, "lower": 0.9 * e, "upper": 1.1 * e}],
        ModelRef("seasonal", "1", {"half_life_days": 14, "threshold": 0.5, "season": "hour of week"}),
        trace,
    )  # fmt: skip
    cleared = onset + 35 * MINUTE if state in ("resolved", "closed") else None
    actions = [Action(f"a{number}", f"alert-{number:04d}", "acknowledge", onset + 4 * MINUTE, "PB", "Crew informed")]
    return Alert(
        f"alert-{number:04d}", kind, severity, state, sensor.area, sensor.place or sensor.sensor, [series], onset,
        onset + MINUTE, cleared, 0.5 + 0.06 * number % 0.5, why, "seasonal",
        actions=actions if state in ("acknowledged", "closed") else [],
    )  # fmt: skip


def make_town(now: int, hours: int = 26, **more: Any) -> FakeWorld:
    """The town with ``hours`` of aggregates up to ``now`` (epoch ms) and its alerts."""
    rows = sensors()
    world = make_world(rows, town_map(), town="Shelbrook", **more)
    now -= now % MINUTE
    alerts = [make_alert(rows[case[0]], case, now, n) for n, case in enumerate(CASES, start=1)]
    world.alerts.put(alerts)
    traces = {alert.series[0]: alert for alert in alerts}
    triples = []
    for n, sensor in enumerate(rows):
        for quantity in quantities(sensor):
            series = f"{sensor.sensor}/{quantity}"
            start = np.arange(now - hours * 60 * MINUTE, now, MINUTE, dtype=np.int64)
            mean = observed(series, start, np.random.default_rng(n))
            if series in traces:
                for point in traces[series].why.trace:
                    mean[start == point.time] = point.value
            world.store.fill(series, sensor.area, 60, start, mean)
            world.store.fill(series, sensor.area, 900, start[::15], mean[::15])
            triples.append((series, now, float(mean[-1])))
    world.latest.update(Readings.of(triples))
    world.latest.tick(now)
    return world


def new_alert(world: FakeWorld, number: int, now: int, severity: str = "high") -> Alert:
    """One more alert, put into the store and sent to the pages."""
    rows = list(world.parts.register)
    case = (0, "anomaly", severity, 0, 0.5, "open", "Traffic has slowed to {v} km/h; {e} km/h is usual at this hour.")
    alert = make_alert(rows[2 + 3 * (number % 30)], case, now - now % MINUTE, number)
    world.live.publish(world.alerts.put([msgspec.structs.replace(alert, id=f"alert-{number:04d}")]))
    return alert
