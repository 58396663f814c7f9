"""Records what a running system receives, as tidy tables for ``replay`` and ``simulate inject``.

The readings topics are followed with Kafka's protocol, on Kafka and on the embedded broker alike (the running service
notes its address in its data folder): every reading, every correction, in the order in which they came.
"""

import asyncio
import csv
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from connectors.kafka_security import PLAIN, KafkaSecurity, knock
from connectors.kafka_tail import Tailed, tail
from connectors.table_columns import SENSORS
from connectors.tables_in import read_sensors
from domain import topics
from domain.codec import decode
from domain.errors import Misconfigured, Rejected, Unavailable
from domain.readings import Frame, Tick
from domain.times import format_time
from service import api_client
from service.cli_progress import Meter
from service.data_dir import recorded_broker
from service.sending import address_of
from service.settings import Settings
from service.transport import broker_address, broker_security

Reading = tuple[str, str, float]  # time, series, value; NaN where nothing was measured


@dataclass(slots=True)
class Heard:
    """What has come so far: sensors by name, and how many messages were dropped before they could be read."""

    sensors: dict[str, Mapping[str, Any]]
    dropped: int = 0
    _next: dict[tuple[str, int], int] = field(default_factory=dict)
    _seen: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def readings(self, message: Tailed) -> Iterator[Reading]:
        """Of one message; none of what is no reading (it goes into quarantine), nor of a frame that is sent again."""
        place = (message.topic, message.partition)
        self.dropped += max(0, message.offset - self._next.get(place, message.offset))
        self._next[place] = message.offset + 1
        try:
            found = decode(message.value)
        except Rejected:
            return
        if isinstance(found, Tick) or (isinstance(found, Frame) and self._again(found, place)):
            return
        readings = found.readings
        for name in readings.series:
            sensor = name.partition("/")[0]
            area = found.area if isinstance(found, Frame) else sensor
            self.sensors.setdefault(sensor, {"sensor": sensor, "area": area})
        for i, t, x in zip(readings.i.tolist(), readings.t.tolist(), readings.x.tolist(), strict=True):
            yield format_time(t), readings.series[i], x

    def _again(self, frame: Frame, place: tuple[str, int]) -> bool:
        last = self._seen.get((frame.gateway, *place), -1)
        self._seen[(frame.gateway, *place)] = max(frame.seq, last)
        return frame.seq <= last


def record(settings: Settings, out: Path, seconds: float) -> int:
    """Listen for so long, or until Ctrl-C; how many readings were written. ``readings.csv`` is there once it listens.

    Raises: Misconfigured, Unavailable: nobody to listen to, or the broker dropped some before they could be read.
    """
    address, security = _broker(settings)
    heard = Heard(_sensors(settings))
    with asyncio.Runner() as runner:
        batches = _batches(address, security, seconds)
        runner.run(_next(batches))
        count = _written(out, _heard(runner, batches, heard), heard)
    if heard.dropped:
        raise Unavailable(
            f"{heard.dropped} messages were dropped by the broker before they could be recorded: {out} is not complete"
        )
    return count


def _broker(settings: Settings) -> tuple[str, KafkaSecurity]:
    """Raises: Unavailable, Misconfigured."""
    if settings.broker != "embedded":
        knock(broker_address(settings), broker_security(settings))
        return broker_address(settings), broker_security(settings)
    address = recorded_broker(settings.data_dir)
    if address is None:
        raise Unavailable(
            f"no running service with an embedded broker is noted in {settings.data_dir}: "
            "give its --data-dir, or --broker kafka://host:port"
        )
    return address, PLAIN


def _sensors(settings: Settings) -> dict[str, Mapping[str, Any]]:
    """Those of ``--sensors``, else those that a running system tells; without either they are known by messages."""
    if settings.sensors:
        return {one.sensor: {name: getattr(one, name) for name in SENSORS} for one in read_sensors(settings.sensors)}
    try:
        return {row["sensor"]: row for row in api_client.pages(address_of(settings), "/v1/sensors", {})}
    except Unavailable:
        return {}


def _heard(runner: asyncio.Runner, batches: AsyncIterator[list[Tailed]], heard: Heard) -> Iterator[list[Reading]]:
    while (batch := runner.run(_next(batches))) is not None:
        yield [reading for message in batch for reading in heard.readings(message)]


async def _next(batches: AsyncIterator[list[Tailed]]) -> list[Tailed] | None:
    return await anext(batches, None)


async def _batches(address: str, security: KafkaSecurity, seconds: float) -> AsyncIterator[list[Tailed]]:
    """The first, an empty one, comes when nothing is missed any more."""
    batches = tail(address, topics.READINGS, start="end", security=security)
    async with aclosing(batches):  # type: ignore[type-var]
        until: float | None = None
        async for batch in batches:
            yield batch
            now = asyncio.get_running_loop().time()
            until = until or now + seconds
            if now >= until:
                return


def _written(out: Path, source: Iterable[list[Reading]], heard: Heard) -> int:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            meter = stack.enter_context(Meter("recording", "readings"))
            file = stack.enter_context((out / "readings.csv").open("w", encoding="utf-8", newline=""))
            count = _write(file, source, meter)
        with (out / "sensors.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(SENSORS)
            rows.writerows([_cell(row.get(name)) for name in SENSORS] for row in heard.sensors.values())
    except OSError as error:
        raise Misconfigured(f"--out: {out} cannot be written: {error.strerror}") from None
    return count


def _write(file: IO[str], source: Iterable[list[Reading]], meter: Meter) -> int:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(("time", "series", "value"))
    file.flush()
    count = 0
    with suppress(KeyboardInterrupt):  # Ctrl-C: enough has been heard
        for batch in source:
            rows.writerows((t, series, _number(x)) for t, series, x in batch)
            file.flush()
            count += len(batch)
            meter.advance(len(batch))
    return count


def _number(x: float) -> str:
    """As scenarios write it where that is exact; empty where nothing was measured."""
    if x != x:
        return ""
    short = format(x, ".12g")
    return short if float(short) == x else repr(x)


def _cell(value: Any) -> Any:
    return "" if value is None else value
