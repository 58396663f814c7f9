"""The series of one area: each has a row, given out once and kept."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from domain.errors import Rejected
from domain.readings import Floats, Rows
from domain.sensors import Sensor, SensorRegister
from domain.series import parse_series
from models.series_spec import SeriesSpec

UNKNOWN = -1  # the sensor is not registered
UNUSABLE = -2  # not a series name


class SeriesIndex:
    """Names to rows and rows to names; a row is only given to a series whose sensor is registered."""

    kind: ClassVar[str] = "series-index"
    version: ClassVar[str] = "1"

    def __init__(self, register: SensorRegister) -> None:
        self._register = register
        self._row: dict[str, int] = {}
        self.specs: list[SeriesSpec] = []
        self.names: list[str] = []
        self.lower: Floats = np.empty(0)
        self.upper: Floats = np.empty(0)

    def __len__(self) -> int:
        return len(self.specs)

    def rows(self, names: Sequence[str]) -> Rows:
        """``int32[len(names)]``: each series' row, new rows where needed, else ``UNKNOWN`` or ``UNUSABLE``."""
        found = [self._row.get(name, UNKNOWN) for name in names]
        if UNKNOWN in found:
            found = [self._add(name) if row == UNKNOWN else row for name, row in zip(names, found, strict=True)]
        return np.array(found, dtype=np.int32)

    def _add(self, name: str) -> int:
        try:
            parsed = parse_series(name)
        except Rejected:
            return UNUSABLE
        sensor = self._register.find(parsed.sensor)
        return UNKNOWN if sensor is None else self._append(SeriesSpec(name, parsed.quantity, sensor))

    def _append(self, spec: SeriesSpec) -> int:
        row = self._row[spec.name] = len(self.specs)
        self.specs.append(spec)
        self.names.append(spec.name)
        self.lower = np.append(self.lower, spec.quantity.lower)
        self.upper = np.append(self.upper, spec.quantity.upper)
        return row

    def snapshot(self) -> dict[str, Any]:
        return {"names": list(self.names)}

    def restore(self, payload: Mapping[str, Any]) -> None:
        """Rows come back in the same order; a sensor that is no longer registered keeps its row and defaults.

        Raises:
            Rejected: a quantity that this program does not know, so that rows would not come back as they were.
        """
        for name in payload["names"]:
            parsed = parse_series(name)
            if self._add(name) == UNKNOWN:
                self._append(SeriesSpec(name, parsed.quantity, Sensor(parsed.sensor, area="")))
