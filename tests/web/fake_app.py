"""The page on invented data: ``python tests/web/fake_app.py --port 8900``. Stop it with Ctrl-C."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import uvicorn

from domain.readings import Readings
from tests.web.fakes import FakeWorld
from tests.web.town import expected, make_town, new_alert
from web.app import create_app


async def live_on(world: FakeWorld, alert_every_s: float) -> None:
    """A few readings each second, and now and then an alert."""
    rng = np.random.default_rng(1)
    names = sorted(world.latest.snapshot())
    number, raised = 100, time.monotonic()
    while True:
        now = int(time.time() * 1_000)
        chosen = rng.choice(names, 12, replace=False)
        values = [float(expected(name, np.array([now]))[0] * (1 + 0.05 * rng.standard_normal())) for name in chosen]
        world.latest.update(Readings.of([(name, now, value) for name, value in zip(chosen, values, strict=True)]))
        world.latest.tick(now)
        if alert_every_s and time.monotonic() - raised > alert_every_s:
            raised, number = time.monotonic(), number + 1
            new_alert(world, number, now, ("high", "medium", "low")[number % 3])
        await asyncio.sleep(1)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--alert-every", type=float, default=20.0, help="seconds; 0: none")
    options = parser.parse_args()
    world = make_town(int(time.time() * 1_000), every_s=1.0)
    server = uvicorn.Server(
        uvicorn.Config(create_app(world.parts), host="127.0.0.1", port=options.port, log_level="warning")
    )
    feeding = asyncio.create_task(live_on(world, options.alert_every))
    print(f"http://127.0.0.1:{options.port}/", flush=True)
    await server.serve()
    feeding.cancel()


if __name__ == "__main__":
    asyncio.run(main())
