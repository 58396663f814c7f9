"""An alert, recomputed from what was kept of the log: for ``borough explain`` and for the API."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from domain.errors import Misconfigured, Rejected
from domain.messages import Alert
from domain.sensors import Link, OpenRegister, Sensor, SensorRegister
from domain.series import parse_series
from domain.topics import partition_of, topic_of

if TYPE_CHECKING:
    from connectors.evidence_file import EvidenceFile
    from streams.analyser import Analyser
    from streams.evidence import Recomputed
    from streams.setup import Setup

EVIDENCE = "evidence.sqlite"


class _SetupNote(msgspec.Struct):
    """What analysers are made with, as it is kept beside their states."""

    detector: str
    lateness_ms: int
    horizon_ms: int
    future_ms: int
    open: bool
    sensors: list[Sensor]
    links: list[Link] = []
    road_detectors: tuple[str, ...] = ("california7",)  # all there was when a note did not say


def setup_note(setup: "Setup") -> bytes:
    patience, register = setup.patience, setup.register
    note = _SetupNote(
        setup.detector,
        patience.lateness_ms,
        patience.horizon_ms,
        patience.future_ms,
        isinstance(register, OpenRegister),
        list(register),
        list(register.links),
        setup.road_detectors,
    )
    return msgspec.json.encode(note)


def read_setup(raw: bytes) -> "Setup":
    from streams.area_clock import Patience
    from streams.setup import Setup

    note = msgspec.json.decode(raw, type=_SetupNote)
    register = (OpenRegister if note.open else SensorRegister)(note.sensors, note.links)
    patience = Patience(note.lateness_ms, note.horizon_ms, note.future_ms)
    return Setup(register, patience, note.detector, note.road_detectors)


def open_evidence(folder: Path, bytes_max: int, setup: "Setup") -> "EvidenceFile":
    """Raises: Misconfigured: the file cannot be opened."""
    from connectors.evidence_file import EvidenceFile

    return EvidenceFile(folder / EVIDENCE, bytes_max, lambda: setup_note(setup))


def recorded(setup: "Setup", evidence: "EvidenceFile") -> "Callable[[str, int], Analyser]":
    """Analysers whose input is kept."""
    from streams.evidence import Recorder

    def make(topic: str, partition: int) -> "Analyser":
        return cast("Analyser", Recorder(setup.analyser(topic, partition), f"{topic}-{partition}", evidence))

    return make


def explained(folder: Path, alert: Alert) -> dict[str, Any]:
    """The alert, recomputed, as the API and the command line show it. Raises: Rejected, Unavailable."""
    from web.shapes import alert_object

    try:
        found = recompute_alert(folder, alert)
    except Misconfigured as error:
        raise Rejected("alert", alert.id, str(error)) from None
    return {
        "alert": alert_object(alert),
        "recomputed": alert_object(found.alert) if found.alert else None,
        "equal": found.equal,
        "differs": list(found.differs),
        "messages": found.messages,
    }


def recompute_alert(folder: Path, alert: Alert) -> "Recomputed":
    """Run the stages again over what was kept; the alert must come out as it stands.

    Raises:
        Misconfigured: nothing was kept that reaches back to before the alert.
        Rejected: what was kept is of another version of this program.
    """
    from connectors.evidence_file import EvidenceReader
    from streams.evidence import recompute

    key = key_of(alert)
    reader = EvidenceReader(folder / EVIDENCE)
    try:
        cuts = reader.cuts(key)
        before = [cut for cut in cuts if cut.time < alert.raised] or cuts[:1]
        if not before:
            raise Misconfigured(f"nothing is kept any more of what alert {alert.id} was made of ({key})")
        topic, partition = key.rsplit("-", 1)
        analyser = read_setup(reader.setup(before[-1])).analyser(topic, int(partition))
        return recompute(alert, analyser, reader.state(before[-1]), reader.messages(before[-1]))
    finally:
        reader.close()


def key_of(alert: Alert) -> str:
    """Topic and partition from which an alert was made. Raises: Rejected: it names no series."""
    if not alert.series:
        raise Rejected("alert", alert.id, "it names no series, so it cannot be said what it was made of")
    return f"{topic_of(parse_series(alert.series[0]).quantity)}-{partition_of(alert.area)}"
