"""One plain sentence that says why: what was seen, what was expected, how unusual that is, and what carried it."""

import math
from collections.abc import Mapping

from domain.times import format_time
from models.series_spec import SeriesSpec

NAMES = {
    "traffic.flow": "Traffic flow",
    "traffic.speed": "Traffic speed",
    "traffic.occupancy": "Occupancy",
    "air.no2": "NO2",
    "air.no": "NO",
    "air.nox": "NOx",
    "air.o3": "Ozone",
    "air.so2": "SO2",
    "air.pm10": "PM10",
    "air.pm25": "PM2.5",
    "air.co": "CO",
    "air.temperature": "Air temperature",
    "air.humidity": "Humidity",
    "air.pressure": "Air pressure",
    "air.wind_speed": "Wind speed",
    "air.wind_direction": "Wind direction",
    "energy.active_power": "Power",
    "energy.reactive_power": "Reactive power",
    "energy.apparent_power": "Apparent power",
    "energy.energy_import": "Imported energy",
    "energy.energy_export": "Exported energy",
    "energy.voltage": "Voltage",
    "energy.current": "Current",
    "energy.power_factor": "Power factor",
    "energy.frequency": "Frequency",
}

CHANNEL_CLAUSES = {
    "change": "it moved further at once than it usually does",
    "level": "it has stayed to one side of the usual for hours",
    "noise": "it has been more restless than usual for the last hour",
    "value": "no value like this has been seen before",
    "recent": "no value like this has followed hours like these before",
    "pattern": "the last six hours are unlike those of any earlier day",
    "hour": "the last hour is unlike the same hour of earlier days",
    "time": "no value like this has been seen at this time of day",
    "record": "the last six hours are more unlike any earlier day than ever",
    "range": "it is outside all that has been seen before",
}
_ONE_IN_MAX = 1_000_000


def sentence(
    spec: SeriesSpec,
    observed: float,
    expected: float,
    lower: float,
    upper: float,
    one_in: float,
    since: int,
    channels: Mapping[str, float],
) -> str:
    """``NO2 at air-03 is 212 µg/m³ where 40 to 95 was expected at this hour; a value this unusual comes about once …``.

    ``channels`` maps names to evidence or shares; numbers are in the unit of the series, ``since`` in epoch ms.
    Numbers that are NaN are left out.
    """
    place = spec.sensor.place or spec.sensor.sensor
    subject = quantity_name(spec.quantity.name)
    if spec.quantity.cumulative and math.isfinite(expected):
        return _counter(subject, place, observed, expected, spec.quantity.unit, one_in)
    step = _step(observed, lower, upper)
    text = f"{subject} at {place} is {_amount(observed, step, spec.quantity.unit)}"
    if math.isfinite(lower) and math.isfinite(upper):
        text += _expectation(observed, expected, lower, upper, step)
    carried = max(channels, key=lambda name: channels[name], default="")
    if carried in CHANNEL_CLAUSES and carried != "change":
        text += f" since {format_time(since)}: {CHANNEL_CLAUSES[carried]}"
    if math.isfinite(one_in) and one_in >= 2:
        what = "a value" if carried in ("change", "") else "behaviour"
        text += f"; {what} this unusual comes {_rarity(one_in)}"
    return text + "."


def quantity_name(quantity: str) -> str:
    """What people call a quantity."""
    return NAMES.get(quantity, quantity.split(".", 1)[1].replace("_", " ").capitalize())


def _counter(subject: str, place: str, observed: float, expected: float, unit: str, one_in: float) -> str:
    """A counter says little by its level: what matters is how far it has run ahead or stayed behind."""
    off = observed - expected
    step = _step(off)
    side = "above" if off > 0 else "below"
    text = f"{subject} at {place} stands {_amount(abs(off), step, unit)} {side} what was expected"
    if math.isfinite(one_in) and one_in >= 2:
        text += f"; a step this unusual comes {_rarity(one_in)}"
    return text + "."


def _expectation(observed: float, expected: float, lower: float, upper: float, step: float) -> str:
    if _rounded(lower, step) == _rounded(upper, step):
        return f" where {_plain(expected, step)} was expected at this hour"
    inside = ", within the" if lower <= observed <= upper else " where"
    band = f"{_plain(lower, step)} to {_plain(upper, step)}"
    return f"{inside} {band} {'expected' if lower <= observed <= upper else 'was expected'} at this hour"


def _rarity(one_in: float) -> str:
    if one_in >= _ONE_IN_MAX:
        return "less than once in a million readings"
    digits = 10 ** max(math.floor(math.log10(one_in)) - 1, 0)
    return f"about once in {int(round(one_in / digits) * digits):,} readings"


def _step(*values: float) -> float:
    """The rounding step that leaves three figures to the largest number, but never rounds finer than it needs."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest == 0:
        return 1.0
    return float(min(10.0 ** (math.floor(math.log10(largest)) - 2), 1.0)) if largest < 1e5 else 1.0


def _rounded(value: float, step: float) -> float:
    return round(value / step) * step


def _plain(value: float, step: float) -> str:
    decimals = max(-math.floor(math.log10(step) + 0.5), 0)
    text = f"{_rounded(value, step):,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _amount(value: float, step: float, unit: str) -> str:
    number = _plain(value, step)
    if unit in ("", "1"):
        return number
    return number + unit if unit in ("%", "°") else f"{number} {unit}"
