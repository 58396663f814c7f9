"""What customers take of the grid by clock and weather, as a share of their rated power."""

import numpy as np

from domain.readings import Floats
from simulator.local_time import LocalTime, bump
from simulator.weather import Weather


def _homes(clock: LocalTime, sky: Weather) -> Floats:
    hour, home = clock.hour, 1 - clock.working
    shape = 0.17 + 0.20 * bump(hour, 7.6, 1.0) * (1 - 0.5 * home) + 0.42 * bump(hour, 18.6, 1.9)
    shape = shape + (0.12 + 0.12 * home) * bump(hour, 13.0, 3.0) + 0.10 * bump(hour, 21.6, 1.6)
    return shape * (1 + 0.035 * np.clip(15 - sky.temperature, 0, 20))


def _offices(clock: LocalTime, sky: Weather) -> Floats:
    opened = 1 / (1 + np.exp(-(clock.hour - 7.6) * 2.2)) - 1 / (1 + np.exp(-(clock.hour - 18.2) * 1.9))
    busy = clock.mixed(1.0, 0.25, 0.12)
    climate = 1 + 0.022 * np.abs(sky.temperature - 16)
    return 0.16 + 0.56 * opened * busy * climate


def _lighting(clock: LocalTime, sky: Weather) -> Floats:
    dark = 1 / (1 + np.exp((sky.elevation + 3) * 1.5))
    dimmed = 1 - 0.25 * bump(clock.hour, 3.0, 1.6)  # dimmed in the small hours
    return 0.05 + 0.85 * dark * dimmed


def _vehicles(clock: LocalTime, sky: Weather) -> Floats:
    work = 0.16 * bump(clock.hour, 10.5, 2.2) * clock.mixed(1.0, 0.6, 0.6)
    return (0.10 + 0.46 * bump(clock.hour, 20.4, 2.6) + work) * (1 + 0.008 * np.clip(12 - sky.temperature, 0, 20))


def _school(clock: LocalTime, sky: Weather) -> Floats:
    opened = 1 / (1 + np.exp(-(clock.hour - 7.4) * 2.5)) - 1 / (1 + np.exp(-(clock.hour - 16.2) * 2.0))
    taught = clock.mixed(1.0, 0.06, 0.06) * (1 - 0.8 * clock.school_out)
    return np.asarray(0.16 + 0.58 * opened * taught, dtype=np.float64)


def _substation(clock: LocalTime, sky: Weather) -> Floats:
    """Customers of a main feeder that have no meter of their own here."""
    mixed = 0.52 * _homes(clock, sky) + 0.30 * _offices(clock, sky) + 0.07 * _lighting(clock, sky)
    return np.asarray(0.4 * (mixed + 0.11 * _vehicles(clock, sky)), dtype=np.float64)


def solar(clock: LocalTime, sky: Weather) -> Floats:
    """What a solar roof makes behind an inverter that never exports: at most most of the school's load."""
    return np.minimum(0.42 * sky.sun, 0.6 * _school(clock, sky))


#: kind of customer → share of the rated power by clock and weather
KINDS = {
    "homes": _homes,
    "offices": _offices,
    "lighting": _lighting,
    "vehicles": _vehicles,
    "school": _school,
    "substation": _substation,
}
#: how much a single customer differs from its kind from hour to hour
LIVELY = {"homes": 0.06, "offices": 0.04, "lighting": 0.006, "vehicles": 0.11, "school": 0.05, "substation": 0.02}
