"""Readings of many requests to frames of one area each, ready for the outbox."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from connectors.gateway_judge import Place
from domain.codec import encode_frame
from domain.ports import Entry
from domain.readings import Frame, Readings
from domain.topics import partition_of

#: ``next_seq(topic, partition)``: the seq of the next entry, each call one further.
TakeSeq = Callable[[str, int], int]


def frame_entries(
    gateway: str, requests: Sequence[Readings], place: Callable[[str], Place], take_seq: TakeSeq, readings_max: int
) -> list[Entry]:
    """One entry per topic, area and ``readings_max`` readings; within an area sorted by time, repeats in their order.

    A frame stays far below a message's limit: 1,000 readings with names of 200 characters are about 250 KB.
    """
    return [
        Entry(topic, partition, seq, area.encode(), encode_frame(Frame(gateway, seq, area, readings)))
        for topic, area, readings in _split(requests, place, readings_max)
        for partition in (partition_of(area),)
        for seq in (take_seq(topic, partition),)
    ]


def _split(
    requests: Sequence[Readings], place: Callable[[str], Place], readings_max: int
) -> Iterator[tuple[str, str, Readings]]:
    all_readings = merged(requests)
    names = all_readings.series
    groups: dict[tuple[str, str], int] = {}
    group = np.empty(len(names), dtype=np.int64)
    for k, name in enumerate(names):
        where = place(name)
        group[k] = groups.setdefault((where.topic, where.area), len(groups))
    of_group = list(groups)
    g = group[all_readings.i]
    order = np.lexsort((all_readings.t, g))
    starts = np.searchsorted(g[order], np.arange(len(groups) + 1))
    for k, (topic, area) in enumerate(of_group):
        for start in range(int(starts[k]), int(starts[k + 1]), readings_max):
            rows = order[start : min(start + readings_max, int(starts[k + 1]))]
            yield topic, area, all_readings.take(rows)


def merged(requests: Sequence[Readings]) -> Readings:
    """One after the other, each series once."""
    if len(requests) == 1:
        return requests[0]
    names: dict[str, int] = {}
    rows = []
    for r in requests:
        table = np.array([names.setdefault(name, len(names)) for name in r.series], dtype=np.int32)
        rows.append(table[r.i])
    return Readings(
        list(names),
        np.concatenate(rows),
        np.concatenate([r.t for r in requests]),
        np.concatenate([r.x for r in requests]),
    )
