"""What must hold at the end of every history, whatever happened in it.

Three accounts of the same readings are compared: what is stored, what the stages say in memory of the log as it
stands, and what a plain recomputation says of the readings that senders were told to be accepted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.codec import decode
from domain.messages import Alert
from domain.readings import Frame, Tick
from streams.desk_in_memory import DeskInMemory
from streams.records import records_of_step, result_of
from streams.setup import Setup
from tests.faults.simulation.keepers import SimStore
from tests.streams.make import recomputed

Log = Mapping[tuple[str, int], list[bytes]]
Row = tuple[str, int, float]


@dataclass(frozen=True)
class Outcome:
    """The readings topics as they were written, and what was kept."""

    log: Log
    aggregates: dict[tuple[str, int, int], tuple[float, ...]]
    others: dict[tuple[Any, ...], bytes]
    alerts: dict[str, Alert]


def differences(outcome: Outcome, setup: Setup, accepted: list[Row]) -> list[str]:
    """In words, everything that is not as it must be; empty when all is well."""
    store, alerts = in_memory(outcome.log, setup)
    found = _missing(outcome.log, accepted)
    found += _unlike("aggregate", outcome.aggregates, store.aggregates)
    found += _unlike("result", outcome.others, store.others)
    found += _unlike("alert", _told(outcome.alerts.values()), _told(alerts.values()))
    return found + _windows(outcome, accepted)


def in_memory(log: Log, setup: Setup) -> tuple[SimStore, dict[str, Alert]]:
    """The log through fresh stages, without any fault."""
    store, desk = SimStore(lambda: False), DeskInMemory()
    for (topic, partition), values in log.items():
        analyser = setup.analyser(topic, partition)
        for value in values:
            step = analyser.apply(value)
            store.write([result_of(record.topic, record.value) for record in records_of_step(step, partition)])
            desk.follow(step)
    return store, desk.alerts


def _missing(log: Log, accepted: Iterable[Row]) -> list[str]:
    written = {row for values in log.values() for row in rows_of(values)}
    return [f"accepted and nowhere in the log: {row}" for row in sorted(set(accepted) - written)]


def rows_of(values: Iterable[bytes]) -> Iterable[Row]:
    """The readings of messages, in their order."""
    for value in values:
        message = decode(value)
        assert isinstance(message, Frame | Tick)
        if isinstance(message, Frame):
            r = message.readings
            for i, t, x in zip(r.i.tolist(), r.t.tolist(), r.x.tolist(), strict=True):
                yield r.series[i], t, x


def _unlike(what: str, kept: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> list[str]:
    found = [f"{what} {key} is not kept" for key in wanted if key not in kept]
    found += [f"{what} {key} is kept and should not be" for key in kept if key not in wanted]
    both = [key for key in wanted if key in kept and kept[key] != wanted[key]]
    return found + [f"{what} {key} is {kept[key]!r}, {wanted[key]!r} is right" for key in both]


def _told(alerts: Iterable[Alert]) -> dict[str, tuple[Any, ...]]:
    """Of an alert, what does not depend on which partition was read first (the incident does, and the revision)."""
    return {a.id: (a.kind, a.state, a.area, a.onset, a.raised, a.cleared, a.score, tuple(a.series)) for a in alerts}


def _windows(outcome: Outcome, accepted: list[Row]) -> list[str]:
    """Each accepted reading once; of several values of one time, the one that came last and had not come before."""
    values: dict[tuple[str, int], float] = {}
    met: set[Row] = set()
    for row in (row for lane in outcome.log.values() for row in rows_of(lane)):
        if row not in met:
            met.add(row)
            values[row[:2]] = row[2]
    found = [f"{row} is in the log and was accepted by nobody" for row in sorted(met - set(accepted))]
    ticks = [m.time for lane in outcome.log.values() for v in lane if isinstance(m := decode(v), Tick)]
    closed = max(ticks) - 10_000
    expected = {key: value for key, value in recomputed(values).items() if key[2] + key[1] * 1_000 <= closed}
    for key in sorted(expected.keys() | outcome.aggregates.keys()):
        if key not in expected or key not in outcome.aggregates:
            found.append(f"window {key} is {'not ' if key in expected else ''}stored")
            continue
        count, total, low, high, last = expected[key]
        row = outcome.aggregates[key]
        same = (row[0], row[2], row[3], row[4]) == (count, low, high, last)
        if not same or not np.isclose(row[1] * count, total, rtol=1e-9):
            found.append(f"window {key} holds {row[:5]}, {expected[key]} is right")
    return found
