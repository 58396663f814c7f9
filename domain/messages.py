"""What Borough says: findings, alerts, actions, health, forecasts and what it could not read. All are versioned."""

from typing import Any

import msgspec

VERSION = 1

KINDS = ("anomaly", "quality", "silence", "maintenance", "incident")
SEVERITIES = ("low", "medium", "high")
PHASES = ("open", "update", "close")
STATES = (
    "open",
    "acknowledged",
    "resolved",
    "closed",
)  # resolved: over, nobody acknowledged it; closed: over and acknowledged
VERDICTS = ("true", "false", "cannot_verify", "sensor_fault")


class Channel(msgspec.Struct, frozen=True):
    """What contributed to a finding; shares of one finding sum to 1."""

    name: str
    share: float


class ModelRef(msgspec.Struct, frozen=True):
    """The rule or model that spoke; ``parameters`` are those in force."""

    name: str
    version: str
    parameters: dict[str, Any] = {}


class Point(msgspec.Struct, frozen=True):
    """One scored value with its expected interval: the picture of a finding is drawn from these."""

    time: int
    value: float | None
    expected: float | None = None
    lower: float | None = None
    upper: float | None = None


class Earlier(msgspec.Struct, frozen=True):
    """The mean of the same hour on an earlier day; ``time`` is the begin of the hour, epoch ms."""

    time: int
    value: float | None


class Why(msgspec.Struct, frozen=True):
    """The explanation of a finding, for people and for machines; values in the unit of the series."""

    sentence: str
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    one_in: float | None  # how unusual: once in so many readings of this series
    since: int  # epoch ms
    channels: list[Channel] = []
    neighbours: list[dict[str, Any]] = []
    model: ModelRef = ModelRef("", "")
    trace: list[Point] = []  # the scored values just before and around the onset
    # The same hour on the seven days before the onset, of the first series; absent in messages of older programs.
    earlier: list[Earlier] | msgspec.UnsetType = msgspec.UNSET


class Finding(msgspec.Struct, frozen=True):
    """What a detector or a quality test says about series of an area, at an event time.

    ``id`` names the episode: hash of rule, place and onset; it has one ``open``, any ``update`` and one ``close``.
    """

    id: str
    rule: str
    kind: str
    phase: str
    area: str
    place: str
    series: list[str]
    time: int
    onset: int
    score: float
    severity: str
    why: Why
    v: int = VERSION


class Action(msgspec.Struct, frozen=True):
    """What an operator did: ``acknowledge``, ``comment`` or ``verdict``; ``time`` is when the API took it."""

    id: str
    alert: str
    action: str
    time: int
    by: str = ""
    reason: str = ""
    verdict: str = ""
    v: int = VERSION


class Adoption(msgspec.Struct, frozen=True):
    """From ``time`` on, findings of ``rule`` in ``area`` that score less than ``threshold`` raise no alert.

    Travels on ``alert.actions``. ``before`` is the threshold it takes the place of, ``effect`` what was shown to
    whoever adopted it; ``reverts`` names the adoption that it takes back.
    """

    id: str
    rule: str
    area: str
    threshold: float
    before: float
    time: int
    by: str
    reason: str
    effect: dict[str, Any] = {}
    reverts: str = ""
    v: int = VERSION


class Alert(msgspec.Struct, frozen=True):
    """Something an operator must answer. ``revision`` rises with each change; times are epoch ms."""

    id: str
    kind: str
    severity: str
    state: str
    area: str
    place: str
    series: list[str]
    onset: int
    raised: int
    cleared: int | None
    score: float
    why: Why
    rule: str = ""
    revision: int = 1
    incident: str = ""
    actions: list[Action] = []
    v: int = VERSION
    children: list[str] = []  # findings of other areas that this alert has taken in and that are still open


class Verdict(msgspec.Struct, frozen=True):
    """What a sensor was worth on one day, in PeMS words: ``good``, or why not.

    ``share`` 0..1 of the expected readings that speak for it, ``impact`` readings affected × importance: a worklist is
    the verdicts of a day by impact.
    """

    sensor: str
    verdict: str
    cause: str
    share: float
    impact: float


class Health(msgspec.Struct, frozen=True):
    """Health signals and remaining life of one asset on one day; life in days, ``p_failure`` within 30 days.

    ``remaining_life``, its interval and ``p_failure`` are None while there are not enough failures to learn from.
    """

    asset: str
    area: str
    time: int
    signals: dict[str, float]
    remaining_life: float | None = None
    lower: float | None = None
    upper: float | None = None
    p_failure: float | None = None
    note: str = ""
    v: int = VERSION
    verdicts: list[Verdict] = []  # of the asset's sensors, for the day that begins at ``time``


class Forecast(msgspec.Struct, frozen=True):
    """Forecasts of one series, issued at the event time of the last reading used; columns have equal length."""

    series: str
    area: str
    issued: int
    target: list[int]
    value: list[float]
    lower: list[float]
    upper: list[float]
    v: int = VERSION


class Anticipated(msgspec.Struct, frozen=True):
    """The probability that something bad (``congestion``, ``pollution``, ``overload``) begins within ``within_s``."""

    issued: int
    series: str
    kind: str
    within_s: int
    probability: float
    v: int = VERSION


class Quarantined(msgspec.Struct, frozen=True):
    """What could not be used, why, and enough of it to look at. ``id`` is the same when the same thing comes again."""

    id: str
    time: int  # event-time clock when it was met, epoch ms
    topic: str
    gateway: str
    series: str
    value: str
    field: str
    reason: str
    excerpt: str = ""
    reading_time: int | None = None
    v: int = VERSION
