"""What the stages found, as messages for the result topics."""

from collections.abc import Iterable, Iterator

import numpy as np

from domain import topics
from domain.codec import decode_aggregates, decode_as, encode, encode_aggregates
from domain.messages import Finding, Forecast, Health, Quarantined
from domain.ports import Record, Result
from domain.times import format_time
from domain.windows import Aggregates
from streams.analyser import Step
from streams.quarantine import identity
from streams.stage import Flow

_ROWS_PER_MESSAGE_MAX = 2_000
_SOURCE = b"/borough/analyse"


def records_of(flow: Flow, partition: int) -> list[Record]:
    """Every message that a flow gives rise to, in a fixed order; ``partition`` is the one it was read from."""
    records = [_aggregates(part, partition) for batch in flow.closed for part in _parts(batch)]
    records += [_message(topics.FINDINGS, partition, f.id, f, f.time) for f in flow.findings]
    records += [_message(topics.FORECASTS, partition, f.series, f, f.issued) for f in flow.forecasts]
    records += [_message(topics.HEALTH, partition, h.asset, h, h.time) for h in flow.health]
    return records + quarantine_records(flow.quarantined, partition)


def records_of_step(step: Step, partition: int) -> list[Record]:
    """Every message that one message of the log gives rise to."""
    records = [record for flow in step.flows for record in records_of(flow, partition)]
    return records + quarantine_records(step.quarantined, partition)


def quarantine_records(quarantined: Iterable[Quarantined], partition: int) -> list[Record]:
    return [_message(topics.QUARANTINE, partition, q.id, q, q.time) for q in quarantined]


def _message(
    topic: str, partition: int, key: str, message: Finding | Forecast | Health | Quarantined, time: int
) -> Record:
    return _record(topic, partition, key, encode(message), time)


def _aggregates(batch: Aggregates, partition: int) -> Record:
    start, end = int(batch.start.min()), int(batch.start.max())
    key = f"{batch.area}/{batch.window_s}/{start}"
    return _record(topics.AGGREGATES, partition, key, encode_aggregates(batch), end + batch.window_s * 1_000)


def _record(topic: str, partition: int, key: str, value: bytes, time: int) -> Record:
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", identity(topic, key, value).encode()),
        ("ce_type", f"borough.{topic}.v1".encode()),
        ("ce_source", _SOURCE),
        ("ce_time", format_time(time).encode()),
    )
    return Record(topic, partition, key.encode(), value, headers)


def _parts(batch: Aggregates) -> Iterator[Aggregates]:
    """Messages of bounded size; each names only the series it speaks of."""
    for begin in range(0, len(batch), _ROWS_PER_MESSAGE_MAX):
        part = slice(begin, begin + _ROWS_PER_MESSAGE_MAX)
        used, i = np.unique(batch.i[part], return_inverse=True)
        columns = {
            name: getattr(batch, name)[part]
            for name in ("start", "count", "mean", "min", "max", "last", "coverage", "flag", "revision")
        }
        yield Aggregates(batch.area, batch.window_s, [batch.series[row] for row in used], i.astype(np.int32), **columns)


def result_of(topic: str, raw: bytes) -> Result:
    """A message of a result topic, decoded. Raises: Rejected."""
    if topic == topics.AGGREGATES:
        return decode_aggregates(raw)
    return decode_as(_KINDS[topic], raw)


_KINDS: dict[str, type[Finding | Forecast | Health | Quarantined]] = {
    topics.FINDINGS: Finding,
    topics.FORECASTS: Forecast,
    topics.HEALTH: Health,
    topics.QUARANTINE: Quarantined,
}
