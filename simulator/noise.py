"""Randomness that is a function of place and time: a hash of (seed, purpose, key, slot), nothing is drawn in turn.

So a value does not depend on which values were asked for before it, nor on how the time range is cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints

Keys = NDArray[np.uint64]

_TWO_PI = 2 * np.pi


def keys_of(names: Sequence[str]) -> Keys:
    """A 64-bit key of each name, the same on every machine."""
    digests = [blake2b(name.encode(), digest_size=8).digest() for name in names]
    return np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.uint64)


def _mix(x: Keys) -> Keys:
    """Finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise for one purpose; ``purpose`` keeps the noises of one seed apart."""

    seed: int
    purpose: str

    def _bits(self, keys: Keys, slots: Ints) -> Keys:
        base = keys_of([f"{self.seed}/{self.purpose}"])[0]
        stem = _mix(keys ^ base)[:, None]
        return _mix(stem + slots.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))

    def uniform(self, keys: Keys, slots: Ints) -> Floats:
        """``float64[m, n]`` in [0, 1) for m keys and n slots (``slots`` is ``[n]`` or ``[m, n]``)."""
        return np.asarray((self._bits(keys, slots) >> np.uint64(11)) * 2.0**-53, dtype=np.float64)

    def normal(self, keys: Keys, slots: Ints) -> Floats:
        """``float64[m, n]`` standard normal (Box and Muller 1958, 32 bits each; |z| < 6.7)."""
        bits = self._bits(keys, slots)
        radius = np.sqrt(-2 * np.log(((bits >> np.uint64(32)).astype(np.float64) + 1) * 2.0**-32))
        angle = (bits & np.uint64(0xFFFFFFFF)).astype(np.float64) * (_TWO_PI * 2.0**-32)
        return np.asarray(radius * np.cos(angle), dtype=np.float64)

    def smooth(self, keys: Keys, t: Ints, period_ms: int) -> Floats:
        """``float64[m, n]`` of unit variance that wanders with the given period: hashed nodes, interpolated.

        Args:
            t: epoch ms, ``[n]`` for all keys or ``[m, n]``.
        """
        if t.size == 0:
            return np.zeros((len(keys), t.shape[-1]))
        k = t // period_ms
        first = int(k.min())
        nodes = self.normal(keys, np.arange(first, int(k.max()) + 2))
        f = (t - k * period_ms) / period_ms
        w = f * f * (3 - 2 * f)
        at = k - first
        if t.ndim == 1:
            before, after = nodes[:, at], nodes[:, at + 1]
        else:
            before, after = np.take_along_axis(nodes, at, 1), np.take_along_axis(nodes, at + 1, 1)
        return np.asarray(((1 - w) * before + w * after) / np.sqrt((1 - w) ** 2 + w * w), dtype=np.float64)

    def pick(self, name: str, slot: int, count: int) -> int:
        """One whole number in ``0 .. count - 1``."""
        return int(self.uniform(keys_of([name]), np.array([slot]))[0, 0] * count)

    def fraction(self, name: str, slot: int) -> float:
        """One number in [0, 1)."""
        return float(self.uniform(keys_of([name]), np.array([slot]))[0, 0])


def between_nodes(nodes: Floats, first_ms: int, step_ms: int, t: Ints) -> Floats:
    """Linear interpolation of ``nodes[..., K]``, which stand at ``first_ms + k * step_ms``.

    ``t`` is ``[n]`` for all rows, or ``[m, n]`` for the m rows of ``nodes``.
    """
    at = (t - first_ms) // step_ms
    f = (t - first_ms - at * step_ms) / step_ms
    if nodes.ndim == 1:
        before, after = nodes[at], nodes[at + 1]
    elif t.ndim == 1:
        before, after = nodes[:, at], nodes[:, at + 1]
    else:
        before, after = np.take_along_axis(nodes, at, 1), np.take_along_axis(nodes, at + 1, 1)
    return np.asarray(before + (after - before) * f, dtype=np.float64)


def node_times(start: int, end: int, step_ms: int) -> Ints:
    """Whole multiples of ``step_ms`` that enclose ``start <= t <= end``, one to spare at the end."""
    return np.arange(start // step_ms, end // step_ms + 2, dtype=np.int64) * step_ms
