"""Readings of sensors that nobody has registered: kept in a SQLite file until somebody does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from connectors.sqlite_file import open_database, transaction, translated
from domain.readings import Readings

_SCHEMA = """
CREATE TABLE IF NOT EXISTS held (
    id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, series TEXT NOT NULL, t INTEGER NOT NULL, x REAL NOT NULL,
    UNIQUE (sensor, series, t, x));
"""


@dataclass(frozen=True, slots=True)
class HeldSensor:
    """What is kept of one sensor: its series, how many readings, and between which event times (epoch ms)."""

    sensor: str
    series: list[str]
    readings: int
    first: int
    last: int


class HeldReadings:
    """Blocking, safe to call from several threads; what ``hold`` says it kept is durable.

    Args:
        path: the file, used by one process at a time.
        readings_max: how many readings are kept in all; ``sensor_readings_max``: of one sensor.

    Raises:
        Misconfigured: the file is damaged (it is set aside), in use, or cannot be written.
    """

    def __init__(self, path: Path, readings_max: int = 200_000, sensor_readings_max: int = 10_000) -> None:
        self.path = path
        self._readings_max = readings_max
        self._sensor_readings_max = sensor_readings_max
        self._lock = Lock()
        self._db = open_database(path, "quarantine of unknown sensors", _SCHEMA)
        self._count: dict[str, int] = dict(self._db.execute("SELECT sensor, count(*) FROM held GROUP BY sensor"))
        self._total = sum(self._count.values())

    def hold(self, readings: Readings, sensors: Sequence[str]) -> NDArray[np.bool_]:
        """Keep readings as far as there is room; which of the n were kept. ``sensors[m]`` belong to the m series.

        One that is kept already is not kept twice and counts as kept. Raises: Full, Unavailable: none was kept.
        """
        kept = np.zeros(len(readings), dtype=np.bool_)
        with self._lock:
            counts = dict(self._count)
            total = self._total
            with transaction(self._db, self.path):
                rows = zip(readings.i.tolist(), readings.t.tolist(), readings.x.tolist(), strict=True)
                for k, (i, t, x) in enumerate(rows):
                    sensor = sensors[i]
                    if total >= self._readings_max or counts.get(sensor, 0) >= self._sensor_readings_max:
                        continue
                    added = self._db.execute(
                        "INSERT OR IGNORE INTO held (sensor, series, t, x) VALUES (?, ?, ?, ?)",
                        (sensor, readings.series[i], t, x),
                    ).rowcount
                    kept[k] = True
                    total += added
                    counts[sensor] = counts.get(sensor, 0) + added
            self._count, self._total = counts, total
        return kept

    def sensors(self) -> list[str]:
        """The sensors of which something is kept."""
        with self._lock:
            return sorted(self._count)

    def readings_of(self, sensor: str) -> Readings:
        """All that is kept of a sensor, in the order in which it came."""
        with self._lock, translated(self.path):
            rows = self._db.execute("SELECT series, t, x FROM held WHERE sensor = ? ORDER BY id", (sensor,)).fetchall()
        return Readings.of(rows)

    def forget(self, sensor: str) -> None:
        """Delete what is kept of a sensor."""
        with self._lock:
            with transaction(self._db, self.path):
                self._db.execute("DELETE FROM held WHERE sensor = ?", (sensor,))
            self._total -= self._count.pop(sensor, 0)

    def total(self) -> int:
        """How many readings are kept."""
        return self._total

    def listing(self, limit: int = 1_000) -> list[HeldSensor]:
        """What is kept, by sensor, at most ``limit`` sensors, those with the most readings first."""
        with self._lock, translated(self.path):
            rows = self._db.execute(
                "SELECT sensor, group_concat(DISTINCT series), count(*), min(t), max(t) FROM held"
                " GROUP BY sensor ORDER BY count(*) DESC, sensor LIMIT ?",
                (limit,),
            ).fetchall()
        return [HeldSensor(row[0], sorted(row[1].split(",")), *row[2:]) for row in rows]

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()
