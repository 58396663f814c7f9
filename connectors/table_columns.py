"""The columns of the tidy tables that people can bring and take, in their order (docs: files)."""

READINGS = ("time", "series", "value")
SENSORS = ("sensor", "area", "lat", "lon", "interval_s", "place", "asset", "road_class", "free_flow_speed", "rated_kw")
LINKS = ("from", "to", "metres")
EVENTS = ("time", "asset", "event")
EVENT_KINDS = ("failure", "repair", "inspection")

AGGREGATES = (
    "window_start", "window_s", "series", "count", "mean", "min", "max", "last", "coverage", "flag", "revision",
)  # fmt: skip
SCORES = ("time", "series", "value", "score", "expected", "lower", "upper", "flag")
QUALITY = ("time", "series", "flag", "tests")
ALERTS = ("alert", "series", "area", "kind", "severity", "onset", "raised", "cleared", "score", "why")
FORECASTS = ("issued", "target", "series", "value", "lower", "upper")
MAINTENANCE = ("time", "asset", "remaining_life", "lower", "upper", "p_failure")
VERDICTS = ("day", "sensor", "verdict", "cause", "share", "impact")
ANTICIPATED = ("issued", "series", "kind", "within_s", "probability")

OUT = {
    "aggregates": AGGREGATES,
    "scores": SCORES,
    "quality": QUALITY,
    "alerts": ALERTS,
    "forecasts": FORECASTS,
    "maintenance": MAINTENANCE,
    "verdicts": VERDICTS,
    "anticipated": ANTICIPATED,
}
