"""Every topic by its name, and the one place where a partition is computed.

All topics have the same number of partitions, so that partition n of the readings topics lands on one worker. A
message goes to the partition of its area: Kafka's own default (murmur2 of the key) with the area as key, so that any
producer that sets the key places frames as we do.
"""

from functools import lru_cache

from domain.quantities import Quantity

PARTITIONS = 4

READINGS_TRAFFIC = "readings.traffic"
READINGS_AIR = "readings.air"
READINGS_ENERGY = "readings.energy"
READINGS = (READINGS_TRAFFIC, READINGS_AIR, READINGS_ENERGY)

AGGREGATES = "aggregates"
FINDINGS = "findings"
FORECASTS = "forecasts"
HEALTH = "health"
QUARANTINE = "quarantine"
RESULTS = (AGGREGATES, FINDINGS, FORECASTS, HEALTH, QUARANTINE)

ALERTS = "alerts"  # compacted by alert id
ALERT_ACTIONS = "alert.actions"
CHECKPOINTS = "checkpoints"  # compacted by topic and partition

TOPICS = (*READINGS, *RESULTS, ALERTS, ALERT_ACTIONS, CHECKPOINTS)
COMPACTED = frozenset({ALERTS, CHECKPOINTS})

_TOPIC_OF_FIELD = {
    "traffic": READINGS_TRAFFIC,
    "air": READINGS_AIR,
    "energy": READINGS_ENERGY,
    "generic": READINGS_ENERGY,  # other plant travels with the machines it belongs to
}


def topic_of(quantity: Quantity) -> str:
    """The readings topic on which a quantity travels."""
    return _TOPIC_OF_FIELD[quantity.field]


@lru_cache(maxsize=100_000)
def partition_of(area: str) -> int:
    """The partition of an area, 0 to 3."""
    return (_murmur2(area.encode()) & 0x7FFFFFFF) % PARTITIONS


def _murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bit, seed 0x9747b28c, as in ``org.apache.kafka.common.utils.Utils.murmur2``."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)
