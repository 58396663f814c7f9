"""A past that a detector can learn from: daily rhythm and noise, and at its end a shift that nobody can overlook."""

import math
import random

from tests.system.recomputed import Reading

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def past(
    series: list[str], start: int, seed: int, *, days: int = 3, step_s: int = 300, shifted: str = "", shift_h: int = 3
) -> list[Reading]:
    """Readings of vehicles per hour, by time; ``shifted`` has 1,500 more in the last ``shift_h`` hours."""
    rng = random.Random(seed)
    steps = days * 86_400 // step_s
    readings = []
    for k in range(steps):
        ms = start + k * step_s * 1_000
        rhythm = 900 + 600 * math.sin(((ms / HOUR_MS) % 24 - 9) / 24 * math.tau)
        for name in series:
            extra = 1_500 if name == shifted and steps - k <= shift_h * 3_600 // step_s else 0
            readings.append(Reading(ms, name, round(rhythm + extra + rng.gauss(0, 30), 3)))
    return readings
