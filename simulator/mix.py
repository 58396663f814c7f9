"""Things drawn by a seed at given rates: the ordinary trouble of a town over weeks."""

from collections.abc import Mapping, Sequence

from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.kinds import KINDS, PLACES, Item
from simulator.noise import Noise
from simulator.plan import Town

#: How long each kind lasts, minutes: shortest and longest. Faults wait until somebody looks after them.
_MINUTES = {
    "crash": (15, 60), "stopped-vehicle": (6, 30), "roadworks": (240, 480), "burst-main": (180, 420),
    "event-crowd": (60, 150), "fog": (90, 240), "ice": (90, 240),
    "feeder-fault": (8, 45), "overload": (30, 90), "voltage-sag": (5, 20), "pv-trip": (45, 180),
    "lighting-stuck-on": (180, 420), "pollution-episode": (60, 180), "construction-dust": (60, 240),
    "bonfire-night": (120, 240), "inversion": (240, 600), "saharan-dust": (600, 1_440),
    "late": (20, 60), "out-of-order": (20, 60), "duplicate": (20, 60), "burst": (10, 30), "lost": (20, 60),
    "feed-down": (10, 40), "corrupt": (20, 60),
}  # fmt: skip
_FAULT_MINUTES = (60, 360)
#: Local events keep to the hours in which they happen; others come at any hour (UTC).
_HOURS = {
    "crash": (6, 21), "stopped-vehicle": (6, 22), "roadworks": (8, 15), "event-crowd": (17, 20),
    "construction-dust": (8, 16), "bonfire-night": (18, 20), "pv-trip": (10, 14), "lighting-stuck-on": (9, 14),
    "fog": (4, 8), "ice": (4, 7),
}  # fmt: skip
_STRENGTH = (0.8, 1.0)  # share of the kind's default
_TRIES = 20


def draw(
    rates: Mapping[str, float], town: Town, seed: int, since: int, until: int, besides: Sequence[Item] = ()
) -> list[Item]:
    """``rates`` times a day of each kind between ``since`` and ``until`` (epoch ms); the same seed, the same things.

    Two things never lie at one place within an hour of each other, nor at the place of what is there ``besides``.
    """
    noise = Noise(seed, "mix")
    taken: dict[str, list[tuple[int, int]]] = {}
    for item in besides:
        taken.setdefault(_place(town, item.target), []).append((item.start, item.end))
    found: list[Item] = []
    for kind in sorted(rates):
        wanted = rates[kind] * (until - since) / DAY_MS
        count = int(wanted) + int(noise.fraction(f"{kind} rest", 0) < wanted % 1)
        for k in range(count):
            one = _one(noise, kind, k, town, (since, until), taken)
            if one is not None:
                found.append(one)
    return found


def _one(
    noise: Noise, kind: str, k: int, town: Town, span: tuple[int, int], taken: dict[str, list[tuple[int, int]]]
) -> Item | None:
    """Number ``k`` of a kind; None where there is no place for it, or none was free in so many tries."""
    row = KINDS[kind]
    places = sorted({name for place in row.targets[:1] for name in PLACES[place](town)})
    if not places:
        return None  # a small town may have no solar roof
    shortest, longest = _MINUTES.get(kind, _FAULT_MINUTES)
    first, last = _HOURS.get(kind, (0, 24))
    midnight = span[0] // DAY_MS * DAY_MS
    days = -(-(span[1] - midnight) // DAY_MS)
    for attempt in range(k * _TRIES, (k + 1) * _TRIES):
        lasts = int(shortest + (longest - shortest) * noise.fraction(f"{kind} lasts", attempt)) * MINUTE_MS
        day = midnight + noise.pick(f"{kind} day", attempt, days) * DAY_MS
        start = day + int((first + (last - first) * noise.fraction(f"{kind} hour", attempt)) * 60) * MINUTE_MS
        target = places[noise.pick(f"{kind} place", attempt, len(places))]
        low, high = _STRENGTH
        strength = row.strength.default * (low + (high - low) * noise.fraction(f"{kind} strength", attempt))
        near = taken.setdefault(_place(town, target), [])
        free = all(start >= end + HOUR_MS or begin >= start + lasts + HOUR_MS for begin, end in near)
        if free and span[0] <= start and start + lasts <= span[1]:
            near.append((start, start + lasts))
            return row.make(target, start, start + lasts, max(strength, row.strength.lower))
    return None


def _place(town: Town, target: str) -> str:
    """What must not be hit twice at a time: a sensor, or an area."""
    return target.partition("/")[0]
