"""Evidence in a file: findings come out again as they were, also beside a writer, after a restart, within its size."""

import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from connectors.evidence_file import EvidenceFile, EvidenceReader
from domain.codec import encode_frame, encode_tick
from domain.errors import Misconfigured
from domain.messages import Alert
from domain.readings import Frame, Readings, Tick
from domain.sensors import Sensor, SensorRegister
from domain.topics import partition_of
from streams.analyser import Analyser
from streams.area_clock import Patience
from streams.desk_in_memory import DeskInMemory
from streams.evidence import Recorder, differences, recompute
from streams.setup import Setup
from streams.state import restore, snapshot

T0, SECOND = 1_772_409_600_000, 1_000
AREA = "loop"
CHANNELS = ("acc1", "acc2", "current", "pressure", "flow")
KEY = f"readings.energy-{partition_of(AREA)}"


def setup() -> Setup:
    sensors = [Sensor(f"pump-1.{c}", AREA, interval_s=1.0, asset="pump-1") for c in CHANNELS]
    return Setup(SensorRegister(sensors), Patience(10_000, 7_200_000), "seasonal")


def analyser() -> Analyser:
    return setup().analyser("readings.energy", partition_of(AREA))


def messages() -> Iterator[bytes]:
    """A pump whose pressure and flow go wrong after ten minutes, and come back."""
    rng = np.random.default_rng(17)
    x = np.array([0.03, 0.04, 1.3, 2.0, 32.0]) + rng.normal(0, 1, (1_000, 5)) * [3e-4, 4e-4, 0.1, 0.2, 0.5]
    x[600:750, 3:] += [0.8, -2.5]
    for at in range(0, 1_000, 20):
        rows = [
            (f"pump-1.{c}/generic.{c}", T0 + (at + k) * SECOND, float(v))
            for k, row in enumerate(x[at : at + 20])
            for c, v in zip(CHANNELS, row, strict=True)
        ]
        yield encode_frame(Frame("gw", 2 * at, AREA, Readings.of(rows)))
        yield encode_tick(Tick("gw", 2 * at + 1, T0 + (at + 20) * SECOND))


def alerts_of(one: Analyser | Recorder, raws: Iterator[bytes] | list[bytes]) -> dict[str, Alert]:
    desk = DeskInMemory()
    for raw in raws:
        desk.follow(one.apply(raw))
    return desk.alerts


def machine_alert(known: dict[str, Alert]) -> Alert:
    (found,) = [alert for alert in known.values() if alert.rule == "asset.novelty"]
    return found


def keeper(path: Path, bytes_max: int = 1 << 24) -> EvidenceFile:
    return EvidenceFile(path, bytes_max, lambda: b"setup")


def recomputed(path: Path, alert: Alert):
    reader = EvidenceReader(path)
    cut = [cut for cut in reader.cuts(KEY) if cut.time < alert.raised][-1]
    try:
        return recompute(alert, analyser(), reader.state(cut), reader.messages(cut))
    finally:
        reader.close()


@pytest.mark.parametrize("every", [1 << 23, 100_000])
def test_an_alert_comes_out_again_to_the_last_bit(tmp_path: Path, every: int):
    path = tmp_path / "evidence.sqlite"
    evidence = keeper(path)
    alert = machine_alert(alerts_of(Recorder(analyser(), KEY, evidence, every), messages()))
    evidence.close()
    found = recomputed(path, alert)
    assert found.equal
    assert found.differs == ()
    assert found.alert is not None
    assert found.alert.why == alert.why


def test_an_alert_that_says_something_else_does_not(tmp_path: Path):
    path = tmp_path / "evidence.sqlite"
    evidence = keeper(path)
    alert = machine_alert(alerts_of(Recorder(analyser(), KEY, evidence), messages()))
    evidence.close()
    why = msgspec.structs.replace(alert.why, observed=(alert.why.observed or 0.0) + 1e-9)
    found = recomputed(path, msgspec.structs.replace(alert, why=why, severity="high"))
    assert not found.equal
    assert set(found.differs) == {"severity", "why"}
    assert found.alert is not None


def test_readings_that_were_tampered_with_give_another_alert(tmp_path: Path):
    path = tmp_path / "evidence.sqlite"
    evidence = keeper(path)
    alert = machine_alert(alerts_of(Recorder(analyser(), KEY, evidence), messages()))
    evidence.close()
    with sqlite3.connect(path) as db:
        number, body = db.execute("SELECT id, body FROM messages ORDER BY id LIMIT 1 OFFSET 58").fetchone()
        raw = zlib.decompress(body)
        changed = raw.replace(b'"x":[', b'"x":[9', 1)
        assert changed != raw
        db.execute("UPDATE messages SET body = ? WHERE id = ?", (zlib.compress(changed), number))
    assert not recomputed(path, alert).equal


def test_it_goes_on_after_a_restart_from_a_checkpoint_a_little_before(tmp_path: Path):
    path = tmp_path / "evidence.sqlite"
    raws = list(messages())
    evidence = keeper(path)
    first = Recorder(analyser(), KEY, evidence)
    alerts_of(first, raws[:40])
    kept = snapshot(first)  # type: ignore[arg-type]
    alerts_of(first, raws[40:50])
    evidence.close()
    evidence = keeper(path)
    second = Recorder(analyser(), KEY, evidence)
    restore(second, kept)  # type: ignore[arg-type]
    alert = machine_alert(alerts_of(second, raws[40:]))
    evidence.close()
    assert recomputed(path, alert).equal
    reader = EvidenceReader(path)
    assert len(reader.cuts(KEY)) == 2
    whole = recompute(alert, analyser(), reader.state(reader.cuts(KEY)[0]), reader.messages(reader.cuts(KEY)[0]))
    assert whole.equal, "frames that were applied twice count once"


def test_the_file_stays_within_its_size_and_keeps_the_newest(tmp_path: Path):
    path = tmp_path / "evidence.sqlite"
    evidence = keeper(path, bytes_max=20_000)
    recorder = Recorder(analyser(), KEY, evidence, every=20_000)
    alerts_of(recorder, messages())
    evidence.close()
    reader = EvidenceReader(path)
    cuts = reader.cuts(KEY)
    assert cuts, "the newest stays, however large"
    assert cuts[0].time > T0, "the first one is gone"
    assert len(list(reader.messages(cuts[-1]))) > 10


def test_it_can_be_read_while_it_is_written(tmp_path: Path):
    path = tmp_path / "evidence.sqlite"
    evidence = keeper(path)
    recorder = Recorder(analyser(), KEY, evidence)
    raws = list(messages())
    alerts_of(recorder, raws[:30])
    reader = EvidenceReader(path)
    alerts_of(recorder, raws[30:])
    evidence.close()
    assert len(list(reader.messages(reader.cuts(KEY)[0]))) == len(raws)
    assert reader.setup(reader.cuts(KEY)[0]) == b"setup"


def test_no_file_is_said(tmp_path: Path):
    with pytest.raises(Misconfigured, match="evidence_bytes_max"):
        EvidenceReader(tmp_path / "nothing.sqlite")


def test_differences_are_named():
    alert = machine_alert(alerts_of(analyser(), messages()))
    assert differences(alert, alert) == ()
