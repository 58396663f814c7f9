"""Does a machine run as it did? Judges the rows of one asset, all channels together, one after the other.

The first rows calibrate (:mod:`models.asset_baseline`): start-up is cut off, each channel gets a robust centre and
scale. From then on each row is folded into running means and running log variances over some twenty rows; the state is
novel when either lies further from its reference than its threshold. The references follow slowly (gated: not while
novel), the threshold rises with the logarithm of the rows watched and with each recent alarm: the more one looks, the
more it takes. A state that stays novel for longer than anybody leaves an alarm standing is the new usual one.

Why these numbers: a window of 20 rows averages noise down by 4 to 5 and costs 10 rows of delay, a small part of a
fault that lasts minutes; 320 rows of calibration are the fewest that hold sixteen independent windows. Nothing here is
per data set; what each does to the result is in docs/quality/assets.md.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from domain.readings import Floats
from models.asset_baseline import Baseline
from models.asset_calibration import filled, scales, settled_from
from models.asset_parameters import AssetParameters
from models.contract import Payload

_OUTLIER = 6.0  # in units of a channel's scale: more than that in one row counts as so much
_ENERGY_MAX = 9.0
_ENERGY_MIN = 0.05
_PRESENT = 0.7  # share of the calibration rows in which a channel must be there


@dataclass(frozen=True, slots=True)
class Sight:
    """What is said of one row.

    Attributes:
        ratio: statistic over threshold; novel from 1 on. deviance: the robust T² of the levels.
        begun: time from which the state has been leaving the usual, epoch ms; only on the row that opens an alarm.
        ended: time of the last novel row; only on the row that closes an alarm.
    """

    time: int
    ratio: float
    deviance: float
    begun: int | None = None
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """The state now, per channel; NaN for channels that are not judged.

    Attributes:
        share: ``float64[2, p]`` part of each channel's level (row 0) and noise (row 1) in the evidence, sums to 1.
        observed, expected, spread: ``float64[p]`` running mean, reference and its standard deviation, in the channels'
            units.
    """

    share: Floats
    observed: Floats
    expected: Floats
    spread: Floats


class AssetNovelty:
    """One asset with ``channels`` channels; ``observe`` its rows in the order of time."""

    kind: ClassVar[str] = "asset-novelty"
    version: ClassVar[str] = "1"

    def __init__(self, channels: int, parameters: AssetParameters | None = None) -> None:
        self._p = parameters or AssetParameters()
        self.parameters: Mapping[str, Any] = asdict(self._p)
        self._channels = channels
        self._alarms = 0.0
        self._restart()

    def _restart(self) -> None:
        self._waiting: list[Floats] = []
        self._level: Baseline | None = None
        self._noise: Baseline | None = None
        self._used = np.empty(0, np.int64)
        self._centre = self._scale = self._smooth = np.empty(0)
        self._values: deque[Floats] = deque(maxlen=self._p.window)
        self._energies: deque[Floats] = deque(maxlen=self._p.noise_window)
        self._watched = self._held = self._calm = self._since = 0
        self._opened: int | None = None
        self._peak = 0.0
        self._usual_at = self._high_at = 0

    @property
    def novel(self) -> bool:
        """An alarm is open."""
        return self._opened is not None

    @property
    def judging(self) -> int:
        """How many channels are judged; 0 while calibrating."""
        return len(self._used) if self._level is not None else 0

    def restart(self) -> None:
        """Calibrate anew: the machine has stood still, or has been changed."""
        self._restart()

    def widen(self, channels: int) -> None:
        """There are more channels now; those that come after the calibration are judged from the next one on."""
        more = channels - self._channels
        self._waiting = [np.append(row, np.full(more, np.nan)) for row in self._waiting]
        self._channels = channels

    def observe(self, t: int, x: Floats) -> Sight | None:
        """The next row, ``x[channels]`` with NaN where there is no value. None while calibrating."""
        if self._level is None:
            self._waiting.append(np.array(x, np.float64))
            if len(self._waiting) >= self._p.calibration:
                self._calibrate(t)
            return None
        self._fold((x[self._used] - self._centre) / self._scale)
        return self._judge(t)

    # --- calibration

    def _calibrate(self, t: int) -> None:
        rows = np.array(self._waiting)
        self._waiting = []
        self._used = np.flatnonzero(np.isfinite(rows).mean(axis=0) >= _PRESENT)
        rows = filled(rows[:, self._used])
        if len(self._used) < 2:
            return  # not a machine that can be judged yet: the next rows try again
        rows = rows[settled_from(rows) :]
        self._centre = np.median(rows, axis=0)
        self._scale = scales(rows, self._centre)
        z = (rows - self._centre) / self._scale
        self._smooth = np.clip(z[: self._p.window], -_OUTLIER, _OUTLIER).mean(axis=0)
        levels, noises = np.empty_like(z), np.empty_like(z)
        for k, row in enumerate(z):
            self._fold(row)
            levels[k], noises[k] = self._smooth, self._noisiness()
        self._level = Baseline.of(levels, self._p.window, self._p.memory, self._p.level)
        self._noise = Baseline.of(noises, self._p.noise_window, self._p.memory, self._p.noise)
        self._held = self._p.window
        self._watched = len(rows)
        self._usual_at = t

    # --- one row

    def _fold(self, z: Floats) -> None:
        off = np.where(np.isfinite(z), z, self._smooth) - self._smooth
        self._values.append(self._smooth + np.clip(off, -_OUTLIER, _OUTLIER))
        self._energies.append(np.minimum(off**2, _ENERGY_MAX))
        self._smooth = np.mean(self._values, axis=0)

    def _noisiness(self) -> Floats:
        return np.asarray(np.log(np.mean(self._energies, axis=0) + _ENERGY_MIN))

    def _judge(self, t: int) -> Sight:
        level, noise = self._level, self._noise
        assert level is not None
        assert noise is not None
        off_level, off_noise = self._smooth - level.reference, self._noisiness() - noise.reference
        robust, plain = level.deviance(off_level, self._held)
        robust_noise, plain_noise = noise.deviance(off_noise, self._held)
        ratio = max(robust / level.threshold, robust_noise / noise.threshold) / self._strictness()
        self._watched += 1
        self._alarms *= 1 - 1 / self._p.habit_memory
        begun, ended = self._turn(t, ratio, max(plain, plain_noise))
        if self.novel or ratio >= self._p.lower:
            self._held += 1
        else:
            level.follow(off_level, self._p.memory, self._watched)
            noise.follow(off_noise, self._p.memory, self._watched)
            self._held = max(self._p.window, self._held - 5)
        if ended is not None and ratio >= self._p.lower:
            self._settle()
        return Sight(t, ratio, robust, begun, ended)

    def _strictness(self) -> float:
        decades = max(0.0, float(np.log10(max(1, self._watched) / (3 * self._p.calibration))))
        return 1 + self._p.looks * decades + self._p.habit * self._alarms

    def _turn(self, t: int, ratio: float, plain: float) -> tuple[int | None, int | None]:
        """Open or close the alarm; returns the times of begin and end where there are any."""
        if self._opened is None:
            if ratio < self._p.lower:
                self._usual_at = t
            if ratio < 1:
                return None, None
            self._opened, self._high_at, self._peak = t, t, plain
            self._calm = self._since = 0
            self._alarms += 1
            return self._usual_at, None
        self._since += 1
        self._peak = max(self._peak, plain)
        if ratio < self._p.lower or plain < self._p.recovered * self._peak:
            self._calm += 1
        else:
            self._calm, self._high_at = 0, t
        if self._calm < self._p.rest and self._since < self._p.accept:
            return None, None
        self._opened = None
        self._usual_at = t
        return None, self._high_at

    def _settle(self) -> None:
        """Where the machine is now is usual: it came back to somewhere else, or stayed away for too long to matter."""
        assert self._level is not None
        assert self._noise is not None
        self._level.reference = self._smooth.copy()
        self._noise.reference = self._noisiness()
        self._held = self._p.window

    # --- for people

    def picture(self) -> Picture | None:
        """None while calibrating."""
        level, noise = self._level, self._noise
        if level is None or noise is None:
            return None
        offs = self._smooth - level.reference, self._noisiness() - noise.reference
        spread = level.spread(self._held)
        size = np.stack([(offs[0] / spread) ** 2, (offs[1] / noise.spread(self._held)) ** 2])
        share = np.zeros((2, self._channels))
        share[:, self._used] = size / max(size.sum(), 1e-300)
        return Picture(
            share,
            self._in_units(self._centre + self._scale * self._smooth),
            self._in_units(self._centre + self._scale * level.reference),
            self._in_units(self._scale * spread),
        )

    def _in_units(self, values: Floats) -> Floats:
        full = np.full(self._channels, np.nan)
        full[self._used] = values
        return full

    # --- state

    def snapshot(self) -> Payload:
        return {
            "channels": self._channels,
            "waiting": np.array(self._waiting).reshape(len(self._waiting), self._channels),
            "level": self._level.snapshot() if self._level else None,
            "noise": self._noise.snapshot() if self._noise else None,
            "used": self._used.copy(),
            "centre": self._centre.copy(),
            "scale": self._scale.copy(),
            "smooth": self._smooth.copy(),
            "values": np.array(self._values).reshape(len(self._values), len(self._used)),
            "energies": np.array(self._energies).reshape(len(self._energies), len(self._used)),
            "counts": [self._watched, self._held, self._calm, self._since],
            "opened": self._opened,
            "peak": self._peak,
            "times": [self._usual_at, self._high_at],
            "alarms": self._alarms,
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._channels = int(payload["channels"])
        self._restart()
        self._waiting = list(np.array(payload["waiting"], np.float64))
        self._level = Baseline.restored(payload["level"]) if payload["level"] else None
        self._noise = Baseline.restored(payload["noise"]) if payload["noise"] else None
        self._used = np.array(payload["used"], np.int64)
        self._centre, self._scale, self._smooth = (
            np.array(payload[name], np.float64) for name in ("centre", "scale", "smooth")
        )
        self._values.extend(np.array(payload["values"], np.float64))
        self._energies.extend(np.array(payload["energies"], np.float64))
        self._watched, self._held, self._calm, self._since = map(int, payload["counts"])
        self._opened = payload["opened"]
        self._peak = float(payload["peak"])
        self._usual_at, self._high_at = map(int, payload["times"])
        self._alarms = float(payload["alarms"])
