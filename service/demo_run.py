"""The running demo: everything assembled around the simulated town. Apart from ``service/demo.py`` because what it
imports takes seconds, and the address is to be seen before that."""

import asyncio
import socket

import numpy as np

from connectors.gateway import Gateway
from connectors.intake_columns import Intake
from domain.readings import Readings
from domain.sensors import OpenRegister
from service.assemble import (
    add_desk,
    add_store,
    add_worker,
    open_alerts,
    open_site,
    start_agents,
    start_gateway,
    start_ticking,
    start_web,
    wall_clock,
)
from service.crew import Crew
from service.demo import (
    TOWN_SENSORS,
    DemoClock,
    Past,
    begin_and_end,
    keep_note,
    summary,
    warm_up,
    write_past,
)
from service.demo_engine import DemoEngine
from service.ground import open_store
from service.running import note_address, open_door, until_told
from service.settings import Settings
from simulator.demo import demo_script
from simulator.plan import plan_town
from simulator.publisher import Sink, publish
from simulator.script import LiveScript
from simulator.signals import City


async def run_demo(
    settings: Settings, sock: socket.socket, past: Past | None, *, seed: int, speed: float, for_s: float | None
) -> int:
    """Assemble, warm up, then live until told to stop."""
    began, start, end = begin_and_end(past, wall_clock())
    town = plan_town(seed, TOWN_SENSORS)
    city, script = City(town, seed), LiveScript(demo_script(town, seed, began))
    clock = DemoClock(start, speed)
    async with Crew() as crew:
        site = await open_site(settings, crew, OpenRegister(town.sensors), clock)
        store = await open_store(settings, crew)
        alerts = await open_alerts(site)
        written, _ = add_store(site, store), add_desk(site, alerts)
        worker = add_worker(site)
        gateway = await start_gateway(site)
        engine = DemoEngine(city, script, alerts, clock, settings.data_dir)
        open_door(site, await start_web(site, store, alerts, gateway, town.map(), engine), sock)
        note_address(site, sock, lambda _: None)
        await start_agents(site, worker)
        stop = asyncio.create_task(_stop_after(crew, for_s))
        working = asyncio.create_task(warm_up(site, gateway, city, script, clock, start, end))
        await asyncio.wait({stop, working}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            played = working.result()
            clock.at = end
            clock.let_go()
            engine.live_since(end)
            print(f"{town.name} is live: {len(town.sensors)} sensors, {played:,} readings played first", flush=True)
            start_ticking(site, gateway)
            crew.run(keep_note(settings.data_dir, seed, began, clock), "note")
            playing = publish(city, script, sink_of(gateway), start=end, speed=speed, revision=lambda: script.revision)
            crew.run(playing, "town")
        code = await stop
        working.cancel()
        counts = {
            "readings accepted": gateway.accepted_total,
            "results stored": written.written,
            "alerts in the book": len(await asyncio.to_thread(alerts.find, None, None, None, 100_000)),
            "checkpoints": worker.counts.checkpoints,
        }
        last_word = await engine.last_word()
        write_past(settings.data_dir, Past(seed, began, clock()))
    print(summary(counts), flush=True)
    if last_word:
        print(last_word, flush=True)
    print(f"The same folder goes on where this ended: borough demo --data-dir {settings.data_dir} --seed {seed}")
    return code


def sink_of(gateway: Gateway) -> Sink:
    """Where the town's readings go: through the door like everybody's."""

    async def sink(readings: Readings) -> None:
        await gateway.accept(Intake(readings, np.arange(len(readings), dtype=np.int64), []))

    return sink


async def _stop_after(crew: Crew, for_s: float | None) -> int:
    try:
        async with asyncio.timeout(for_s):
            return await until_told(crew)
    except TimeoutError:
        return 0
