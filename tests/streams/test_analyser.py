"""Who has written is remembered, for as many starts of gateways as is worth it."""

from domain.codec import encode_frame, encode_tick
from domain.readings import Frame, Readings, Tick
from domain.sensors import Sensor, SensorRegister
from domain.topics import READINGS_AIR, partition_of
from streams.area_clock import Patience
from streams.setup import Setup

BEGIN = 1_772_431_200_000


def test_old_names_of_gateways_are_forgotten_and_their_readings_still_count_once() -> None:
    setup = Setup(SensorRegister([Sensor("air-1", "park", interval_s=60.0)]), Patience(1_000, 86_400_000), "seasonal")
    analyser = setup.analyser(READINGS_AIR, partition_of("park"))
    readings = Readings.of([("air-1/air.no2", BEGIN, 10.0)])
    first = encode_frame(Frame("gw-1.start-0", 1, "park", readings))
    analyser.apply(first)
    assert analyser.apply(first).flows == []  # told by gateway and seq
    for start in range(1, 1_200):
        analyser.apply(encode_tick(Tick(f"gw-1.start-{start}", 1, BEGIN + 120_000 + start)))
    assert len(analyser.seqs) == 1_000
    assert "gw-1.start-0" not in analyser.seqs
    assert analyser.apply(encode_tick(Tick("gw-1.start-1199", 1, BEGIN + 240_000))).flows == []
    (flow,) = analyser.apply(first).flows  # told by series, time and value
    assert len(flow.readings) == 0
    assert flow.closed == []
