import math

import pytest

from domain.quantities import quantity
from domain.sensors import Sensor
from models.explain import sentence
from models.series_spec import SeriesSpec


def say(name: str, *numbers: float, channels: dict[str, float] | None = None, place: str | None = None) -> str:
    spec = SeriesSpec(f"air-03/{name}", quantity(name), Sensor("air-03", "a", place=place))
    return sentence(spec, *numbers, since=0, channels=channels or {"change": 5.0, "level": 1.0})


def test_the_sentence_of_the_design():
    assert say("air.no2", 212.3, 66.0, 40.2, 95.1, 20_120.0) == (
        "NO2 at air-03 is 212 µg/m³ where 40 to 95 was expected at this hour; "
        "a value this unusual comes about once in 20,000 readings."
    )


def test_the_place_is_named_where_it_is_known():
    assert say("traffic.speed", 12, 50, 40, 60, 99, place="Ring Road North").startswith("Traffic speed at Ring Road")


@pytest.mark.parametrize(
    ("numbers", "part"),
    [
        ((0.0, 0.12, 0.08, 0.16), "Occupancy at air-03 is 0 where 0.08 to 0.16"),
        ((0.9, 0.12, 0.08, 0.16), "is 0.9 where 0.08 to 0.16"),
        ((0.1234, 0.01, 0.004, 0.02), "is 0.123 where 0.004 to 0.02"),
    ],
)
def test_small_numbers_keep_their_figures(numbers: tuple[float, ...], part: str):
    assert part in say("traffic.occupancy", *numbers, 1_000.0)


def test_large_numbers_are_grouped_and_never_finer_than_needed():
    assert "is 25,012 kW where 31,000 to 36,001" in say(
        "energy.active_power", 25_012.4, 33_000, 31_000.2, 36_000.8, 1e9
    )
    assert "less than once in a million" in say("energy.active_power", 1, 2, 2, 3, 1e9)


def test_slow_channels_say_since_when_and_what():
    text = say("air.pm10", 40, 20, 5, 60, 5_000.0, channels={"level": 4.0, "change": 0.1})
    assert text == (
        "PM10 at air-03 is 40 µg/m³, within the 5 to 60 expected at this hour since 1970-01-01T00:00:00Z: it has "
        "stayed to one side of the usual for hours; behaviour this unusual comes about once in 5,000 readings."
    )


def test_what_is_not_known_is_left_out():
    text = say("generic.water_level", 3.5, math.nan, math.nan, math.nan, math.nan, channels={})
    assert text == "Water level at air-03 is 3.5."


def test_an_interval_without_width_gives_one_number():
    assert "is 230 V where 231 was expected" in say("energy.voltage", 230, 231, 231, 231, 1_000)
