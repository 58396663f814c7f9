"""What must be stored, computed again in plain Python from the readings that were sent. Imports nothing of Borough."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

MINUTE, QUARTER, HOUR = 60, 900, 3_600


class Reading(NamedTuple):
    """``ms`` is the event time in epoch ms."""

    ms: int
    series: str
    value: float

    def json(self) -> dict[str, Any]:
        return {"time": rfc(self.ms), "series": self.series, "value": self.value}

    def csv(self) -> str:
        return f"{rfc(self.ms)},{self.series},{self.value!r}\n"


class Window(NamedTuple):
    """One aggregate as it must be."""

    readings: int
    mean: float
    min: float
    max: float
    last: float


def rfc(ms: int) -> str:
    text = datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ms % 1_000:03d}Z" if ms % 1_000 else f"{text}Z"


def millis(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def counted(readings: Iterable[Reading]) -> dict[tuple[str, int], float]:
    """Each (series, time) once; of several values, the one that came last and had not come before."""
    values: dict[tuple[str, int], float] = {}
    met: set[Reading] = set()
    for reading in readings:
        if reading not in met:
            met.add(reading)
            values[reading.series, reading.ms] = reading.value
    return values


def windows(readings: Iterable[Reading], window_s: int) -> dict[str, dict[str, Window]]:
    """Series → start of the window → what must be stored."""
    parts: dict[str, dict[int, list[tuple[int, float]]]] = {}
    for (series, ms), value in counted(readings).items():
        parts.setdefault(series, {}).setdefault(ms - ms % (window_s * 1_000), []).append((ms, value))
    return {series: {rfc(s): _window(sorted(p)) for s, p in starts.items()} for series, starts in parts.items()}


def _window(part: list[tuple[int, float]]) -> Window:
    values = [value for _, value in part]
    return Window(len(values), math.fsum(values) / len(values), min(values), max(values), values[-1])


def differences(rows: Iterable[Mapping[str, Any]], wanted: Mapping[str, Window]) -> list[str]:
    """In words, how rows of the aggregates table differ from what they must be; empty when they do not."""
    found: list[str] = []
    seen: set[str] = set()
    for row in rows:
        start = str(row["window_start"])
        if start in seen:
            found.append(f"{start} stands twice")
        seen.add(start)
        want = wanted.get(start)
        if want is None:
            found.append(f"{start} is stored and should not be: {dict(row)}")
            continue
        got = Window(int(row["count"]), *(float(row[name]) for name in ("mean", "min", "max", "last")))
        if (got.readings, got[2:]) != (want.readings, want[2:]) or not math.isclose(got.mean, want.mean, rel_tol=1e-9):
            found.append(f"{start}: {got} is stored, {want} is right")
    return found + [f"{start} is not stored" for start in sorted(wanted.keys() - seen)]
