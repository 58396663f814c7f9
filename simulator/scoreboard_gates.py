"""Gates: bounds that a scenario's ``expect`` sets on the figures of its score."""

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.scoreboard_figures import Figure, Score


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure of the score, bounded from below (``_min``) or above (``_max``), and how high the bound may be."""

    figure: str
    upper: float | None  # of the gate's own value; None: no limit
    says: str

    def holds(self, gate: str, value: float, figure: Figure) -> bool:
        """A figure that there is none of does not hold: what cannot be measured has not been shown."""
        if figure is None:
            return False
        return figure >= value if gate.endswith("_min") else figure <= value


#: Name in ``expect`` → what it bounds.
BOUNDS: dict[str, Bound] = {
    "detection_min": Bound("detection", 1.0, "share of the events of the town that raise an alert"),
    "sensor_detection_min": Bound("sensor_detection", 1.0, "share of the sensor faults that raise an alert"),
    "named_right_min": Bound("named_right", 1.0, "share of what was found whose first alert names the cause"),
    "false_share_max": Bound("false_share", 1.0, "share of the alerts that nothing explains"),
    "cannot_verify_share_max": Bound("cannot_verify_share", 1.0, "share of the alerts in the hour after an event"),
    "transport_alerted_max": Bound("transport_alerted", 1.0, "share of the transport faults alerted as incidents"),
    "delay_mean_max_s": Bound("delay_mean_s", None, "mean seconds from an event to its first alert"),
    "delay_median_max_s": Bound("delay_median_s", None, "median seconds from an event to its first alert"),
    "delay_p95_max_s": Bound("delay_p95_s", None, "95th percentile of these seconds"),
    "sensor_delay_median_max_s": Bound("sensor_delay_median_s", None, "median seconds to the alert of a sensor fault"),
    "false_per_operator_hour_max": Bound("false_per_operator_hour", None, "false alerts an hour"),
    "false_per_sensor_week_max": Bound("false_per_sensor_week", None, "false alerts a sensor and week"),
    "alerts_max": Bound("alerts", None, "alerts in all"),
    "flood_minutes_max": Bound("flood_minutes", None, "minutes in flood: ten alerts in ten minutes"),
}


@dataclass(frozen=True, slots=True)
class Gate:
    """One bound held against a score."""

    name: str
    bound: float
    figure: Figure
    holds: bool


def gates(expect: Mapping[str, float], result: Score) -> list[Gate]:
    """Every gate with its outcome; the names are keys of :data:`BOUNDS`."""
    found = []
    for name, value in expect.items():
        bound = BOUNDS[name]
        figure = result.figures[bound.figure]
        found.append(Gate(name, value, figure, bound.holds(name, value, figure)))
    return found
