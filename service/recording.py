"""Records what a running system receives, as tidy tables for ``replay`` and ``simulate inject``.

With Kafka the readings topics are followed: every reading, every correction. The embedded broker lives inside its
process, so there the live feed is followed: the newest value of each series once a second.
"""

import asyncio
import csv
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import ExitStack, aclosing, suppress
from pathlib import Path
from typing import IO, Any
from urllib.request import ProxyHandler, Request, build_opener

from connectors.kafka_tail import Tailed, tail
from connectors.table_columns import SENSORS
from domain import topics
from domain.codec import decode
from domain.errors import Misconfigured, Rejected, Unavailable
from domain.readings import Frame, Tick
from domain.times import format_time
from service import api_client
from service.cli_progress import Meter
from service.sending import address_of
from service.settings import Settings

Reading = tuple[str, str, float | None]  # time, series, value
_SILENCE_S = 15.0  # the live feed says the time every second
_opener = build_opener(ProxyHandler({}))


def record(settings: Settings, out: Path, seconds: float) -> int:
    """Listen for so long, or until Ctrl-C; how many readings were written. Raises: Misconfigured, Unavailable."""
    sensors: dict[str, Mapping[str, Any]] = {}
    source = (
        _from_api(address_of(settings), seconds, sensors)
        if settings.broker == "embedded"
        else _from_topics(settings.broker.removeprefix("kafka://"), seconds, sensors)
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            meter = stack.enter_context(Meter("recording", "readings"))
            file = stack.enter_context((out / "readings.csv").open("w", encoding="utf-8", newline=""))
            count = _write(file, source, meter)
        with (out / "sensors.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(SENSORS)
            rows.writerows([_cell(row.get(name)) for name in SENSORS] for _, row in sorted(sensors.items()))
    except OSError as error:
        raise Misconfigured(f"--out: {out} cannot be written: {error.strerror}") from None
    return count


def _write(file: IO[str], source: Iterable[list[Reading]], meter: Meter) -> int:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(("time", "series", "value"))
    count = 0
    with suppress(KeyboardInterrupt):  # Ctrl-C: enough has been heard
        for batch in source:
            rows.writerows((t, series, _cell(value)) for t, series, value in batch)
            count += len(batch)
            meter.advance(len(batch))
    return count


def _cell(value: Any) -> Any:
    return "" if value is None else value


def _from_api(base: str, seconds: float, sensors: dict[str, Mapping[str, Any]]) -> Iterator[list[Reading]]:
    sensors.update({row["sensor"]: row for row in api_client.pages(base, "/v1/sensors", {})})
    until = time.monotonic() + seconds
    try:
        with _opener.open(
            Request(f"{base}/v1/live", headers={"Accept": "text/event-stream"}), timeout=_SILENCE_S
        ) as feed:
            kind = ""
            for raw in feed:
                line = raw.decode("utf-8").rstrip("\r\n")
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("data:") and kind == "latest":
                    values = json.loads(line[5:])
                    yield [(row["time"], series, row["value"]) for series, row in values.items() if row]
                if time.monotonic() >= until:
                    return
    except OSError as error:
        raise Unavailable(f"{base}/v1/live cannot be followed: {error}") from None


def _from_topics(address: str, seconds: float, sensors: dict[str, Mapping[str, Any]]) -> Iterator[list[Reading]]:
    with asyncio.Runner() as runner:
        batches = _batches(address, seconds)
        while (batch := runner.run(anext(batches, None))) is not None:
            yield [reading for message in batch for reading in _readings(message, sensors)]


async def _batches(address: str, seconds: float) -> AsyncIterator[list[Tailed]]:
    until = time.monotonic() + seconds
    async with aclosing(tail(address, topics.READINGS, start="end")) as batches:  # type: ignore[type-var]
        async for batch in batches:
            yield batch
            if time.monotonic() >= until:
                return


def _readings(message: Tailed, sensors: dict[str, Mapping[str, Any]]) -> Iterator[Reading]:
    try:
        found = decode(message.value)
    except Rejected:
        return  # no reading: the analyse agent puts it into quarantine
    if isinstance(found, Tick):
        return
    readings = found.readings
    for name in readings.series:
        sensor = name.partition("/")[0]
        area = found.area if isinstance(found, Frame) else sensor
        sensors.setdefault(sensor, {"sensor": sensor, "area": area})
    for i, t, x in zip(readings.i.tolist(), readings.t.tolist(), readings.x.tolist(), strict=True):
        yield format_time(t), readings.series[i], None if x != x else x
