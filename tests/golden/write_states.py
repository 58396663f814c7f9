"""Golden states: one small file per kind and version of state in the pipeline, as a checkpoint holds it.

``python tests/golden/write_states.py`` writes those that are missing and touches no other: a file once written stands
for the checkpoints that programs of that version have left behind.
"""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).resolve().parent
sys.path.insert(0, str(GOLDEN.parents[1]))

from domain.readings import Frame, Readings, Tick  # noqa: E402
from domain.sensors import Sensor, SensorRegister  # noqa: E402
from models.registry import DETECTORS  # noqa: E402
from streams.analyser import Analyser  # noqa: E402
from streams.area_clock import Patience  # noqa: E402
from streams.setup import Setup  # noqa: E402
from streams.state import pack, snapshot, unpack  # noqa: E402

T0 = 1_772_409_600_000  # 2026-03-02T00:00:00Z
MINUTE, HOUR = 60_000, 3_600_000
HOURS = 30
Key = tuple[str, str]  # kind, version


def path_of(key: Key) -> Path:
    return GOLDEN / f"state.{key[0]}.v{key[1]}.gz"


def fed(detector: str, hours: int = HOURS) -> Analyser:
    """An analyser after readings of three sensors every five minutes, one of which has fallen silent."""
    register = SensorRegister([Sensor(f"s{k}", "a2", asset="plant" if k else "", interval_s=300.0) for k in range(3)])
    analyser = Setup(register, Patience(10_000, 2 * HOUR), detector).analyser("readings.air", 1)
    for seq, frame in enumerate(frames(0, hours)):
        analyser.on_message(Frame("gw", 2 * seq, "a2", frame))
        analyser.on_message(Tick("gw", 2 * seq + 1, int(frame.t.max()) + MINUTE))
    return analyser


def frames(begin: int, end: int) -> Iterator[Readings]:
    """Half an hour each."""
    rng = np.random.default_rng(11)
    for half in range(2 * begin, 2 * end):
        t = T0 + half * HOUR // 2 + np.arange(6) * 5 * MINUTE
        series = range(3 if half < 2 * HOURS - 6 else 2)
        level = 40 + 10 * np.sin(2 * np.pi * half / 48)
        x = np.round(level + rng.normal(0, 2, (len(series), 6)), 3)
        i = np.repeat(np.arange(len(series), dtype=np.int32), 6)
        yield Readings([f"s{k}/air.no2" for k in series], i, np.tile(t, len(series)), x.ravel())


def parts(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Every ``{kind, version, payload}`` in a snapshot, with the keys that lead to it."""
    if isinstance(tree, dict):
        if tree.keys() == {"kind", "version", "payload"}:
            yield at, tree
        for key, value in tree.items():
            yield from parts(value, (*at, key))
    elif isinstance(tree, list):
        for k, value in enumerate(tree):
            yield from parts(value, (*at, k))


def present() -> dict[Key, tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Kind and version → detector of the pipeline it is from, where in the snapshot it stands, and the state."""
    found: dict[Key, tuple[str, tuple[Any, ...], dict[str, Any]]] = {}
    for name in DETECTORS:
        for at, part in parts(unpack(pack(snapshot(fed(name))))):
            found.setdefault((part["kind"], part["version"]), (name, at, part))
    return found


def main() -> None:
    """Write what is missing."""
    for key, (_, _, part) in present().items():
        if not path_of(key).exists():
            path_of(key).write_bytes(gzip.compress(pack(part), mtime=0))
            print(f"{path_of(key).name} written")


if __name__ == "__main__":
    main()
