"""Which series there are: those with history, and those of which a reading has come."""

from dataclasses import dataclass
from typing import Any

from domain.errors import Rejected
from domain.series import parse_series
from web.parts import WebParts
from web.problems import Problem
from web.shapes import latest_object, time_text


@dataclass(frozen=True, slots=True)
class Known:
    """A series as the page and the API list it; times in epoch ms, None while there is no aggregate."""

    series: str
    sensor: str
    quantity: str
    unit: str
    area: str
    first: int | None
    last: int | None
    latest: dict[str, Any] | None

    def object(self) -> dict[str, Any]:
        return {
            "series": self.series,
            "quantity": self.quantity,
            "unit": self.unit,
            "sensor": self.sensor,
            "area": self.area,
            "first": time_text(self.first),
            "last": time_text(self.last),
            "latest": self.latest,
        }


def known_series(parts: WebParts) -> dict[str, Known]:
    """Every series by name. Blocking: asks the store."""
    stored = {info.series: info for info in parts.store.series()}
    fresh = parts.latest.snapshot()
    known = {}
    for name in sorted(stored.keys() | fresh.keys()):
        try:
            sensor, quantity = parse_series(name)
        except Rejected:
            continue  # written by a version that knew more quantities
        info, value = stored.get(name), fresh.get(name)
        row = parts.register.find(sensor)
        latest = latest_object(value) if value else None
        if info is not None and (value is None or value.time < info.last):
            latest = {"time": time_text(info.last), "value": info.latest}
        area = row.area if row else info.area if info else sensor
        first, last = (info.first, info.last) if info else (None, None)
        known[name] = Known(name, sensor, quantity.name, quantity.unit, area, first, last, latest)
    return known


def find_series(parts: WebParts, sensor: str, quantity: str) -> Known:
    """Blocking.

    Raises:
        Problem: 404, no such series.
    """
    name = f"{sensor}/{quantity}"
    known = known_series(parts).get(name)
    if known is None:
        raise Problem(404, f"There is no series {name[:160]}. GET /v1/series lists them.", series=name[:160])
    return known
