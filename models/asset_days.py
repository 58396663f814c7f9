"""From the signals of series to the days of assets: sensors of one machine are put together."""

from collections.abc import Sequence

from models.health_signals import DaySignals
from models.series_spec import SeriesSpec


def measurement_names(specs: Sequence[SeriesSpec]) -> list[str]:
    """A name for each row that alike assets share: its quantity, and what tells it from others of its asset.

    ``engine-7-s04/generic.heat`` of asset ``engine-7`` becomes ``generic.heat|s04``; ``engine-7/generic.heat`` stays
    ``generic.heat``; sensors whose names do not hold the asset's are numbered within asset and quantity.
    """
    met: dict[tuple[str, str], int] = {}
    names = []
    for spec in specs:
        asset, sensor, quantity = spec.sensor.asset_name, spec.sensor.sensor, spec.quantity.name
        if sensor != asset and asset in sensor:
            names.append(f"{quantity}|{sensor.replace(asset, '', 1).strip('-_.:+@')}")
            continue
        number = met[asset, quantity] = met.get((asset, quantity), 0) + 1
        names.append(quantity if number == 1 else f"{quantity}|{number}")
    return names


def asset_days(specs: Sequence[SeriesSpec], told: Sequence[DaySignals]) -> dict[tuple[int, str], dict[str, float]]:
    """``(day, asset)`` → measurements for :class:`models.remaining_life.RemainingLife`, by day and asset.

    A row's daily mean goes under its measurement name, its other signals under ``<measurement name>|<signal>``.
    """
    names = measurement_names(specs)
    days: dict[tuple[int, str], dict[str, float]] = {}
    for part in told:
        measurements = days.setdefault((part.day, specs[part.row].sensor.asset_name), {})
        for signal, value in part.signals.items():
            name = names[part.row] if signal == "mean" else f"{names[part.row]}|{signal}"
            measurements[name] = value
    return days
