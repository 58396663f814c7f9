"""Remaining life of like machines, learned online from those that failed.

A day's label (days left, capped at 125) becomes known only when the machine fails; then its whole life is learned by
River's Bayesian linear regression on the self-referenced features of ``models/life_features.py``. Intervals and the
probability of failure within 30 days come from what the model said, before learning, about lives that ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version as installed
from typing import Any, ClassVar

import numpy as np

from domain.readings import Floats, Ints
from domain.times import DAY_MS
from models.contract import Payload
from models.life_features import Life as _Life
from models.life_features import Scale, feature_names, features

LIFE_CAP_DAYS = 125.0
WITHIN_DAYS = 30.0
FAILURES_NEEDED = 3
_PAIRS_PER_LIFE = 100
_PAIRS_MAX = 8_000
_NEIGHBOURS = 200
_COVERAGE = 0.90


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of an asset's remaining life: days, ``p_failure`` within 30 days; None while not known.

    ``remaining`` and ``upper`` end at 125: that many days or more.
    """

    remaining: float | None
    lower: float | None
    upper: float | None
    p_failure: float | None
    note: str


class RemainingLife:
    """One learner for the assets of an area, one model per group of assets that measure the same field.

    ``observe`` each asset once a day, in the order of days; events come after the last ``observe`` they follow.
    """

    kind: ClassVar[str] = "remaining-life"
    version: ClassVar[str] = "1"

    def __init__(self) -> None:
        self._lives: dict[str, _Life] = {}
        self._groups: dict[str, _Group] = {}

    def observe(self, asset: str, day_ms: int, measurements: Mapping[str, float]) -> None:
        """One day of one asset: mean of each measurement, by a name that like assets share; NaN is left out.

        A day that is not later than the asset's last one is ignored.
        """
        known = {name: float(x) for name, x in measurements.items() if np.isfinite(x)}
        life = self._lives.get(asset)
        if not known or (life is not None and life.days and day_ms <= life.days[-1]):
            return
        if life is None:
            life = self._lives[asset] = _Life(_group_of(known), day_ms)
        elif not life.days:
            life.start = day_ms
        self._groups.setdefault(life.group, _Group()).scale.observe(known)
        life.observe(day_ms, known)

    def event(self, asset: str, time_ms: int, kind: str) -> None:
        """``failure``: the life so far is learned and ends. ``repair``: it ends unlearned. Anything else: nothing."""
        life = self._lives.get(asset)
        if life is None or kind not in ("failure", "repair"):
            return
        if kind == "failure" and life.days:
            self._groups[life.group].learn(life, time_ms)
        self._lives[asset] = _Life(life.group, time_ms)

    def predict(self, asset: str) -> Life:
        """Remaining life from the asset's last observed day."""
        life = self._lives.get(asset)
        if life is None or not life.days:
            return Life(None, None, None, None, "no readings since the last failure or repair")
        return self._groups[life.group].predict(life)

    def failures(self, asset: str) -> int:
        """How many failures the asset's group has learned from."""
        life = self._lives.get(asset)
        return 0 if life is None else self._groups[life.group].failures

    def snapshot(self) -> Payload:
        return {
            "river": installed("river"),
            "lives": {asset: life.snapshot() for asset, life in self._lives.items()},
            "groups": {name: group.snapshot() for name, group in self._groups.items()},
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._lives = {asset: _Life.of(part) for asset, part in payload["lives"].items()}
        self._groups = {name: _Group.of(part) for name, part in payload["groups"].items()}


class _Group:
    """The regression of one group, its scale, and (said, true) pairs of lives that ended, oldest first."""

    def __init__(self) -> None:
        self.scale = Scale()
        self.failures = 0
        self._said = np.empty(0)
        self._true = np.empty(0)

    @cached_property
    def _regression(self) -> Any:
        """Made at the first failure: importing River costs seconds, and most towns have seen none."""
        from river.linear_model import BayesianLinearRegression

        return BayesianLinearRegression()

    def learn(self, life: _Life, failed_ms: int) -> None:
        """Note what was said about the life that ended, then learn it."""
        days = np.array(life.days, dtype=np.int64)
        self.scale.freeze()
        columns, table = self._features(life, life.table(), days)
        label = np.clip((failed_ms - days) / DAY_MS, 0.0, LIFE_CAP_DAYS)
        if self.failures:
            chosen = np.unique(np.linspace(0, len(days) - 1, min(_PAIRS_PER_LIFE, len(days))).astype(np.intp))
            said = np.array([self._say(columns, table[k]) for k in chosen])
            self._said = np.append(self._said, said)[-_PAIRS_MAX:]
            self._true = np.append(self._true, label[chosen])[-_PAIRS_MAX:]
        for row, y in zip(table.tolist(), label.tolist(), strict=True):
            self._regression.learn_one(dict(zip(columns, row, strict=True)), y)
        self.failures += 1

    def predict(self, life: _Life) -> Life:
        if self.failures < FAILURES_NEEDED:
            seen = f"not enough failures seen ({self.failures} of {FAILURES_NEEDED})"
            return Life(None, None, None, None, f"{seen}; {self._trend(life)}")
        days = np.array(life.days[-1:], dtype=np.int64)
        table = np.full((1, *life.means.shape), np.nan)
        table[0] = life.means
        columns, table = self._features(life, table, days)
        said = self._say(columns, table[0])
        lower, upper, p = self._spread(said)
        note = f"learned from {self.failures} failures; {self._trend(life)}"
        return Life(said, lower, upper, p, note)

    def _features(self, life: _Life, table: Floats, days: Ints) -> tuple[list[str], Floats]:
        """Names and columns of the measurements that have ever moved."""
        centre, spread = self.scale.of(life.names)
        moves = np.isfinite(spread)
        names = [name for name, moved in zip(life.names, moves, strict=True) if moved]
        age_days = (days - life.start) / DAY_MS
        return feature_names(names), features(table[:, :, moves], age_days, centre[moves], spread[moves])

    def _say(self, columns: list[str], row: Floats) -> float:
        said = self._regression.predict_one(dict(zip(columns, row.tolist(), strict=True)))
        return float(np.clip(said, 0.0, LIFE_CAP_DAYS))

    def _spread(self, said: float) -> tuple[float, float, float]:
        """Interval and probability of failure within 30 days, from lives of which much the same was said."""
        # Newest first among equals: late words come from a model that had learned more.
        near = len(self._said) - 1 - np.argsort(np.abs(self._said[::-1] - said), kind="stable")[:_NEIGHBOURS]
        error = self._true[near] - self._said[near]
        # Symmetric: machines that started together fail shortest life first, so the sign of past errors misleads.
        reach = float(np.quantile(np.abs(error), _COVERAGE))
        soon = np.count_nonzero(said + error <= WITHIN_DAYS)
        return max(0.0, said - reach), min(LIFE_CAP_DAYS, said + reach), (soon + 0.5) / (len(near) + 1.0)

    def _trend(self, life: _Life) -> str:
        """The measurement that moved most against its own past, in spreads of the group."""
        _, spread = self.scale.of(life.names)
        moved = np.nan_to_num((life.means[0] - life.means[-1]) / spread)
        k = int(np.argmax(np.abs(moved)))
        if abs(moved[k]) < 0.5:
            return "no clear trend"
        return f"{life.names[k]} is {'up' if moved[k] > 0 else 'down'} by {abs(moved[k]):.1f} spreads on its own past"

    def snapshot(self) -> dict[str, Any]:
        return {
            "scale": self.scale.snapshot(),
            "failures": self.failures,
            "said": self._said.copy(),
            "true": self._true.copy(),
            "regression": _kept(self._regression) if self.failures else None,
        }

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> "_Group":
        group = cls()
        group.scale = Scale.restored(payload["scale"])
        group.failures = int(payload["failures"])
        group._said = np.array(payload["said"], dtype=np.float64)
        group._true = np.array(payload["true"], dtype=np.float64)
        if payload["regression"] is not None:
            _put_back(group._regression, payload["regression"])
        return group


def _kept(model: Any) -> dict[str, Any]:
    return {
        "features": list(model._idx),
        "precision": model._ss_arr.copy(),
        "covariance": np.ascontiguousarray(model._ss_inv_arr),
        "natural_mean": model._eta_arr.copy(),
    }


def _put_back(model: Any, kept: Mapping[str, Any]) -> None:
    model._idx = {name: k for k, name in enumerate(kept["features"])}
    model._ss_arr = np.array(kept["precision"], dtype=np.float64)
    # River updates the covariance in place and needs it in column order.
    model._ss_inv_arr = np.array(kept["covariance"], dtype=np.float64, order="F")
    model._eta_arr = np.array(kept["natural_mean"], dtype=np.float64)
    model._cap = len(model._eta_arr)
    model._m_dirty = True


def _group_of(measurements: Mapping[str, float]) -> str:
    """Assets that measure the same fields (``traffic``, ``generic`` …) are alike; health signals do not count."""
    return "+".join(sorted({name.split(".", 1)[0] for name in measurements if "." in name})) or "health"
