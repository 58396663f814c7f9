"""The same log through the running system, through it again, and in memory: the same results, or the first difference.

Results are compared as they stand at the end: an aggregate with its highest revision, everything else under its key.
What depends on which partition happened to be read first (the incident of an alert, its revision) is left out, and so
is what operators did.
"""

import asyncio
import dataclasses
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from connectors.gateway_frames import frame_entries
from connectors.gateway_judge import Judge
from domain import topics
from domain.codec import decode_as, encode, encode_tick
from domain.errors import Rejected, Rejection
from domain.messages import Alert, Finding, Forecast, Health, Quarantined
from domain.ports import Record, Result
from domain.readings import Readings, Tick
from domain.sensors import SensorRegister
from domain.times import HOUR_MS
from domain.windows import Aggregates
from service.assemble import add_desk, add_store, add_worker, make_setup, open_alerts, open_site, start_agents
from service.crew import Crew
from service.settings import Settings
from streams.desk import FOLDED
from streams.desk_in_memory import DeskInMemory
from streams.records import records_of_step, result_of
from streams.setup import Setup
from streams.threshold_book import ThresholdBook, adoption_of

_GATEWAY = "recording"
_FRAME_READINGS_MAX = 1_000
_CHUNK = 200  # messages
_COLUMNS = ("count", "mean", "min", "max", "last", "coverage", "flag", "revision")
_PAST = 1 << 62

Log = Mapping[tuple[str, int], Sequence[tuple[bytes, bytes]]]  # topic and partition → key and value, in their order


class Found:
    """Results under their keys; implements what ``StoreTaker`` asks of a store."""

    def __init__(self) -> None:
        self.by_topic: dict[str, dict[str, Any]] = {topic: {} for topic in (*topics.RESULTS, topics.ALERTS)}

    def write(self, results: Iterable[Result]) -> list[Rejection]:
        for result in results:
            if isinstance(result, Aggregates):
                self._aggregates(result)
            else:
                topic, key = _place(result)
                self.by_topic[topic][key] = encode(result).decode()
        return []

    def alerts(self, alerts: Iterable[Alert]) -> None:
        kept, folded = self.by_topic[topics.ALERTS], list[Alert]()
        for a in alerts:
            if a.rule in FOLDED:
                folded.append(a)
            else:
                told = (a.kind, a.area, a.onset, a.raised, a.cleared, a.score, a.severity, a.series)
                kept[a.id] = repr(told)
        kept |= _outages(folded)

    def _aggregates(self, batch: Aggregates) -> None:
        kept = self.by_topic[topics.AGGREGATES]
        columns = [getattr(batch, name).tolist() for name in _COLUMNS]
        for i, start, *row in zip(batch.i.tolist(), batch.start.tolist(), *columns, strict=True):
            key = f"{batch.series[i]} {batch.window_s} {start}"
            if key not in kept or kept[key][-1] <= row[-1]:
                kept[key] = row


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """``hashes``: topic → run → hash of its results; ``difference``: the first one, in words, empty when equal."""

    messages: int
    counts: dict[str, int]
    hashes: dict[str, dict[str, str]]
    difference: str


async def compare(
    log: Log,
    settings: Settings,
    register: SensorRegister,
    found: Found | None = None,
    book: ThresholdBook | None = None,
) -> Comparison:
    """In memory against the embedded system twice, or against what a broker's result topics hold (``found``).

    ``book``: the thresholds that were adopted there.

    Raises: Unavailable.
    """
    setup = make_setup(settings, register)
    runs = {"in memory": await asyncio.to_thread(in_memory, log, setup, book)}
    if found is not None:
        runs["topics"] = found
    else:
        for name in ("system", "system again"):
            runs[name] = await through_system(log, settings, register)
    first = runs["in memory"].by_topic
    hashes = {topic: {run: _hash(results.by_topic[topic]) for run, results in runs.items()} for topic in first}
    differences = (_first_difference(topic, run, first[topic], results.by_topic[topic])
                   for topic in first for run, results in runs.items())  # fmt: skip
    counts = {topic: len(results) for topic, results in first.items()}
    return Comparison(sum(map(len, log.values())), counts, hashes, next(filter(None, differences), ""))


def in_memory(log: Log, setup: Setup, book: ThresholdBook | None = None) -> Found:
    """The log through fresh stages and the rules of the desk."""
    results, desk, findings = Found(), DeskInMemory(book), list[tuple[int, Finding]]()
    for (topic, partition), messages in sorted(log.items()):
        analyser, now = setup.analyser(topic, partition), 0
        for _, value in messages:
            step = analyser.apply(value)
            results.write([result_of(record.topic, record.value) for record in records_of_step(step, partition)])
            for finding in (finding for flow in step.flows for finding in flow.findings):
                now = max(now, finding.time)
                findings.append((now, finding))
    for _, finding in sorted(findings, key=lambda told: told[0]):
        desk.take(finding)
    results.alerts(desk.alerts.values())
    return results


async def through_system(log: Log, settings: Settings, register: SensorRegister) -> Found:
    """The log through an embedded broker, the agents, the desk and the checkpoints of a folder of its own."""
    results: Any = Found()
    with tempfile.TemporaryDirectory(prefix="borough-verify-") as folder:
        place: dict[str, Any] = {"data_dir": Path(folder), "broker": "embedded", "store": "embedded"}
        own = dataclasses.replace(settings, **place, checkpoint_s=1.0)
        async with Crew() as crew:
            site = await open_site(own, crew, register)
            for partition in range(topics.PARTITIONS):  # no page here that would take the alerts
                site.ground.progress.taken("web", topics.ALERTS, partition, _PAST)
            alerts = await open_alerts(site)
            add_store(site, results)
            add_desk(site, alerts)
            await start_agents(site, add_worker(site))
            publisher = site.ground.publisher()
            waiting = _in_turn(log)
            while chunk := list(islice(waiting, _CHUNK)):
                await publisher.send(chunk)
            await publisher.settle()  # taken: behind a checkpoint, which is behind store and desk
            results.alerts(await asyncio.to_thread(alerts.find, None, None, None, 1_000_000))
    return results  # type: ignore[no-any-return]


def log_of(chunks: Iterable[tuple[int, Readings]], register: SensorRegister, lateness_ms: int) -> Log:
    """What a gateway writes of readings: frames, and a tick on every partition at the end of each chunk (epoch ms)."""
    judge = Judge(register, 0, 0)
    log: dict[tuple[str, int], list[tuple[bytes, bytes]]] = defaultdict(list)
    lanes = [(topic, partition) for topic in topics.READINGS for partition in range(topics.PARTITIONS)]

    def tick(now: int) -> None:
        for lane in lanes:
            log[lane].append((b"", encode_tick(Tick(_GATEWAY, len(log[lane]), now))))

    taken: dict[tuple[str, int], int] = {}

    def take_seq(topic: str, partition: int) -> int:
        seq = taken[topic, partition] = max(taken.get((topic, partition), -1) + 1, len(log[topic, partition]))
        return seq

    end = 0
    for end, readings in chunks:
        if not log:
            tick(int(readings.t.min()))
        for entry in frame_entries(_GATEWAY, [readings], judge.place, take_seq, _FRAME_READINGS_MAX):
            log[entry.topic, entry.partition].append((entry.key, entry.value))
        tick(end)
    if log:
        tick(end + HOUR_MS + lateness_ms)
    return log


def by_hour(chunks: Iterable[Readings]) -> Iterator[tuple[int, Readings]]:
    """Readings sorted by time, an hour at a time, with the end of the hour."""
    waiting: list[Readings] = []
    hour = None
    for chunk in chunks:
        which = chunk.t // HOUR_MS
        for part in np.split(np.arange(len(chunk)), np.flatnonzero(np.diff(which)) + 1):
            if not len(part):
                continue
            if hour is not None and which[part[0]] != hour:
                yield (hour + 1) * HOUR_MS, Readings.joined(waiting)
                waiting = []
            hour = int(which[part[0]])
            waiting.append(chunk.take(part))
    if hour is not None:
        yield (hour + 1) * HOUR_MS, Readings.joined(waiting)


def collected(messages: Iterable[tuple[str, bytes]]) -> tuple[Found, ThresholdBook]:
    """What the result topics, the alerts and the actions hold, from their beginning; the thresholds adopted there."""
    found, alerts, book = Found(), dict[str, Alert](), ThresholdBook()
    for topic, value in messages:
        try:
            if topic == topics.ALERTS:
                alert = decode_as(Alert, value)
                alerts[alert.id] = alert
            elif topic == topics.ALERT_ACTIONS:
                if adoption := adoption_of(value):
                    book.take(adoption)
            else:
                found.write([result_of(topic, value)])
        except Rejected:
            continue  # nothing of ours: whoever wrote it, it is no result
    found.alerts(alerts.values())
    return found, book


def _in_turn(log: Log) -> Iterator[Record]:
    """A message of each partition in turn, so that all move on together."""
    longest = max(map(len, log.values()), default=0)
    for k in range(longest):
        for (topic, partition), messages in log.items():
            if k < len(messages):
                yield Record(topic, partition, *messages[k])


def _outages(alerts: Iterable[Alert]) -> dict[str, str]:
    """Alerts about a feed, line or controller: what they say together of each stretch of time in which it was down.

    Which of several areas speaks first is chance, and when a log is read as fast as it goes also whether the next one
    does before the first has it back.
    """
    spans: list[tuple[str, int, int | None, set[str]]] = []
    for a in sorted(alerts, key=lambda a: (a.rule, a.place, a.onset)):
        name, onset, cleared, series = f"{a.rule} {a.place}", a.onset, a.cleared, set(a.series)
        if spans and spans[-1][0] == name and (spans[-1][2] is None or onset <= spans[-1][2]):
            _, onset, before, more = spans.pop()
            cleared = None if cleared is None or before is None else max(cleared, before)
            series |= more
        spans.append((name, onset, cleared, series))
    return {f"{name} {onset}": repr((cleared, sorted(series))) for name, onset, cleared, series in spans}


def _place(result: Finding | Forecast | Health | Quarantined) -> tuple[str, str]:
    if isinstance(result, Finding):
        return topics.FINDINGS, f"{result.id} {result.phase} {result.time}"
    if isinstance(result, Forecast):
        return topics.FORECASTS, f"{result.series} {result.issued}"
    if isinstance(result, Health):
        return topics.HEALTH, f"{result.asset} {result.time}"
    return topics.QUARANTINE, result.id


def _hash(results: Mapping[str, Any]) -> str:
    digest = sha256()
    for key in sorted(results):
        digest.update(f"{key}\t{results[key]}\n".encode())
    return digest.hexdigest()


def _first_difference(topic: str, run: str, wanted: Mapping[str, Any], got: Mapping[str, Any]) -> str:
    for key in sorted(wanted.keys() | got.keys()):
        one, other = str(wanted.get(key, "nothing")), str(got.get(key, "nothing"))
        if one != other:
            return f"{topic}, {key}: in memory {one[:300]}, {run} {other[:300]}"
    return ""
