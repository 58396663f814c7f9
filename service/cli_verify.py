"""``verify-replay``: the same log gives the same results."""

import asyncio
import dataclasses
import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli_options import AsJson, readable, with_settings
from service.settings import Settings

if TYPE_CHECKING:
    from domain.readings import Readings
    from domain.sensors import SensorRegister
    from service.verify_replay import Comparison, Found, Log
    from streams.threshold_book import ThresholdBook


@with_settings("broker", "sensors", "analysis", "logs")
def verify_replay(
    settings: Settings,
    readings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A recording: CSV (also .gz) or Parquet with time,series,value.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Without a recording and without Kafka: a town of the demo.")] = 7,
    town_sensors: Annotated[int, typer.Option(min=20, max=1_000, help="Sensors of that town.")] = 24,
    hours: Annotated[float, typer.Option(min=0.5, max=240, help="How much of that town's story.")] = 24.0,
    as_json: AsJson = False,
) -> int:
    """Check that the same log gives the same results: through the running system, again, and in memory.

    With Kafka the readings topics are read from their beginning and compared with what the result topics hold; let the
    system come to rest first. The exit code is 0 when all is equal and 1 when not.
    """
    from service import logs

    readable(readings, "--readings")
    logs.set_up(settings)
    comparison = asyncio.run(_compare(settings, readings, seed, town_sensors, hours))
    _report(comparison, as_json)
    return 1 if comparison.difference else 0


async def _compare(settings: Settings, file: Path | None, seed: int, sensors: int, hours: float) -> "Comparison":
    from domain.sensors import OpenRegister
    from domain.times import SECOND_MS
    from service.assemble import make_register
    from service.verify_replay import by_hour, compare, log_of

    lateness_ms = int(settings.lateness_s * SECOND_MS)
    if file is None and settings.broker != "embedded":
        log, found, book = await _read_topics(settings)
        return await compare(log, settings, make_register(settings), found, book)
    if file is not None:
        from connectors.tables_in import read_links, read_readings, read_sensors

        links = read_links(settings.links) if settings.links else []
        register: SensorRegister = OpenRegister(read_sensors(settings.sensors) if settings.sensors else [], links)
        return await compare(log_of(by_hour(read_readings(file)), register, lateness_ms), settings, register)
    town, chunks = _town(seed, sensors, hours)
    register = OpenRegister(town.sensors, town.links)
    return await compare(log_of(chunks, register, lateness_ms), settings, register)


def _town(seed: int, sensors: int, hours: float) -> "tuple[Any, Iterable[tuple[int, Readings]]]":
    """A town of the demo, and a stretch of its story that ends where the demo would begin."""
    from domain.readings import Readings
    from domain.times import HOUR_MS
    from simulator.demo import demo_script
    from simulator.plan import plan_town
    from simulator.publisher import history
    from simulator.signals import City

    began = 1_772_604_000_000  # 2026-03-04T06:00:00Z
    town = plan_town(seed, sensors)
    stretches = history(City(town, seed), demo_script(town, seed, began), began - int(hours * HOUR_MS), began)
    return town, ((end, Readings.joined(list(by_area.values()))) for end, by_area in stretches)


async def _read_topics(settings: Settings) -> "tuple[Log, Found, ThresholdBook]":
    """Everything that the readings topics and the result topics hold now. Raises: Unavailable."""
    from connectors.kafka_tail import tail
    from domain import topics
    from service.transport import broker_address, broker_security
    from service.verify_replay import collected

    log: dict[tuple[str, int], list[tuple[bytes, bytes]]] = defaultdict(list)
    results: list[tuple[str, bytes]] = []
    wanted = (*topics.READINGS, *topics.RESULTS, topics.ALERTS, topics.ALERT_ACTIONS)
    batches = tail(broker_address(settings), wanted, start="beginning", security=broker_security(settings))
    await anext(batches)
    async for batch in batches:
        if not batch:  # nothing new just now
            break
        for found in batch:
            if found.topic in topics.READINGS:
                log[found.topic, found.partition].append((found.key, found.value))
            else:
                results.append((found.topic, found.value))
    await batches.aclose()  # type: ignore[attr-defined]
    return log, *collected(results)


def _report(comparison: "Comparison", as_json: bool) -> None:
    if as_json:
        print(json.dumps({"data": dataclasses.asdict(comparison), "meta": {}, "links": {}}, indent=2))
        return
    for topic, hashes in comparison.hashes.items():
        same = len(set(hashes.values())) == 1
        print(f"{'equal    ' if same else 'DIFFERENT'}  {topic}: {comparison.counts[topic]} results, "
              + ", ".join(f"{run} {value[:12]}" for run, value in hashes.items()))  # fmt: skip
    print(f"{comparison.messages} messages of the log", file=sys.stderr)
    if comparison.difference:
        print(f"borough: first difference: {comparison.difference}", file=sys.stderr)
