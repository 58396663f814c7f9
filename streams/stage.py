"""The contract of a stage, and what passes through the stages.

A stage serves one area. It has no clock, no socket and no await; it takes a :class:`Flow` and returns one. Reading
``streams/pipeline.py`` next tells the whole story.
"""

from dataclasses import dataclass, field
from typing import Protocol

from domain.messages import Anticipated, Finding, Forecast, Health, Quarantined
from domain.readings import Readings
from domain.scores import Judged, Scores
from domain.windows import Aggregates
from models.contract import Stateful
from streams.area_clock import NEVER
from streams.quarantine import Origin


@dataclass(frozen=True, slots=True)
class Flow:
    """What has become of one frame, or of one tick, so far.

    Attributes:
        tick: the latest tick of the topic and partition, epoch ms, ``NEVER`` before the first.
        arrived: the readings of the frame as they came; None on a tick.
        names: the area's series by row; the area's own list, not a copy.
        now: the area's watermark, epoch ms: event time up to which the log has been written.
        readings: accepted readings of this frame; empty on a tick.
        revised: earlier readings whose flag is another now; none of them is in ``readings``.
        apart: those of ``revised`` that failed against their neighbours in an hour that is over now.
        unused: readings that do not count and why: flag MISSING (reported as missing, or never came: test GAP) or FAIL
            (cannot be true).
        closed: aggregates published by this step (closed windows and revisions); ``i`` is the row in the area.
        scored: readings or 1-minute means that were scored, ``scores`` what was said of them.
    """

    area: str
    origin: Origin
    tick: int
    names: list[str]
    arrived: Readings | None = None
    now: int = NEVER
    readings: Judged = field(default_factory=Judged.empty)
    revised: Judged = field(default_factory=Judged.empty)
    apart: Judged = field(default_factory=Judged.empty)
    unused: Judged = field(default_factory=Judged.empty)
    closed: list[Aggregates] = field(default_factory=list)
    scored: Judged = field(default_factory=Judged.empty)
    scores: Scores | None = None
    findings: list[Finding] = field(default_factory=list)
    forecasts: list[Forecast] = field(default_factory=list)
    anticipated: list[Anticipated] = field(default_factory=list)
    health: list[Health] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)


class Stage(Stateful, Protocol):
    """One step of the pipeline for one area."""

    def on_frame(self, flow: Flow) -> Flow: ...

    def on_tick(self, flow: Flow) -> Flow: ...
