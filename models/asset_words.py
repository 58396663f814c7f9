"""What is said of a machine that does not run as it did: the sentence, and how unusual the state is."""

import math
from dataclasses import dataclass

from domain.quantities import Quantity
from domain.times import format_time
from models.explain import quantity_name

_ONE_IN_MAX = 1_000_000.0
_TOLD_MAX = 3


def one_in(deviance: float, channels: int) -> float:
    """Once in so many independent rows a chi-square with one degree per channel is so large (Wilson and Hilferty 1931).

    Capped at a million: nothing seen in minutes says more.
    """
    spread = 2 / (9 * max(1, channels))
    z = ((max(deviance, 0.0) / max(1, channels)) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    chance = 0.5 * math.erfc(z / math.sqrt(2))
    return min(_ONE_IN_MAX, 1 / max(chance, 1e-300))


@dataclass(frozen=True, slots=True)
class Told:
    """One channel in the sentence: ``what`` is ``level`` or ``noise``; numbers in the channel's unit."""

    quantity: Quantity
    what: str
    share: float
    observed: float
    expected: float
    lower: float
    upper: float


def asset_sentence(asset: str, since: int, channels: list[Told]) -> str:
    """``pump-1 does not run as it did, since …: Flow at pump-1 is 28.1 where 31 to 33 was usual (62 %), …``.

    Args:
        asset: its name.
        since: epoch ms.
        channels: what carries the evidence, largest share first.
    """
    told = [_told(c) for c in channels[:_TOLD_MAX] if c.share >= 0.1] or [_told(c) for c in channels[:1]]
    return f"{asset} does not run as it did, since {format_time(since)}: {', '.join(told)}."


def _told(channel: Told) -> str:
    name = quantity_name(channel.quantity.name)
    part = f"({channel.share:.0%} of the evidence)"
    if channel.what == "noise":
        return f"{name} is more or less restless than usual {part}"
    unit = f" {channel.quantity.unit}" if channel.quantity.unit not in ("", "1") else ""
    band = f"{_short(channel.lower, channel.expected)} to {_short(channel.upper, channel.expected)}"
    return f"{name} is {_short(channel.observed, channel.expected)}{unit} where {band} was usual {part}"


def _short(value: float, scale: float) -> str:
    """Four significant digits of the size of things here."""
    digits = 3 - math.floor(math.log10(max(abs(scale), 1e-9)))
    return f"{value:.{min(9, max(0, digits))}f}"
