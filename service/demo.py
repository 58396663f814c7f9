"""``borough demo``: the whole system in one process, on a simulated town that has a past.

The demo lives in its own time: it starts at the wall clock's now, and from there runs at the chosen speed. On a data
folder that has been used before it goes on where it was: what the town did in between is played at full speed first.
"""

import asyncio
import json
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.errors import Misconfigured
from domain.times import HOUR_MS, SECOND_MS
from service import data_dir
from service.http import bind, url_of
from service.loading import loading
from service.settings import Settings

if TYPE_CHECKING:
    from connectors.gateway import Gateway
    from service.assemble import Site
    from simulator.script import Script
    from simulator.signals import City

WARM_UP_MS = 26 * HOUR_MS  # the default detector says nothing on its first day
TOWN_SENSORS = 120
_STEP_MS = HOUR_MS  # of the past, played at once: a frame holds an hour of an area
_OUTBOX_DEPTH_MAX = 2_000
_NOTE_S = 5.0
_NOTE = "demo.json"


@dataclass(slots=True)
class DemoClock:
    """Simulated time, epoch ms: stands at ``at`` until let go, then runs ``speed`` times as fast as the wall's."""

    at: int
    speed: float
    _since: float | None = None

    def __call__(self) -> int:
        passed = 0.0 if self._since is None else time.monotonic() - self._since
        return self.at + int(passed * self.speed * SECOND_MS)

    def let_go(self) -> None:
        self._since = time.monotonic()


@dataclass(frozen=True, slots=True)
class Past:
    """What the data folder says of earlier runs: the town's seed, when its story began, how far it came (epoch ms)."""

    seed: int
    began: int
    until: int


def read_past(folder: Path, seed: int) -> Past | None:
    """Raises: Misconfigured: the folder holds another town, or the note cannot be read."""
    try:
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        past = Past(int(note["seed"]), int(note["began"]), int(note["until"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(f"{folder / _NOTE} cannot be read ({error}): give another --data-dir") from None
    if past.seed != seed:
        raise Misconfigured(
            f"data folder {folder} holds the town of seed {past.seed}: give --seed {past.seed} or another --data-dir"
        )
    return past


def write_past(folder: Path, past: Past) -> None:
    temporary = folder / (_NOTE + ".new")
    temporary.write_text(json.dumps({"seed": past.seed, "began": past.began, "until": past.until}), encoding="utf-8")
    temporary.replace(folder / _NOTE)


def demo(settings: Settings, *, seed: int, speed: float, for_s: float | None, open_browser: bool) -> int:
    """Run the demo until Ctrl-C, or for ``for_s`` seconds; the exit code. Raises: Misconfigured, Unavailable."""
    data_dir.prepare(settings.data_dir)
    past = read_past(settings.data_dir, seed)
    sock = bind(settings.host, settings.port)
    print(f"Borough demo: {url_of(sock)}", flush=True)
    print(f"seed {seed} · data in {settings.data_dir} · Ctrl-C stops it", flush=True)
    if open_browser:
        webbrowser.open(url_of(sock))
    with loading():
        from service import logs
        from service.demo_run import run_demo

    logs.set_up(settings)
    return asyncio.run(run_demo(settings, sock, past, seed=seed, speed=speed, for_s=for_s))


async def warm_up(
    site: "Site", gateway: "Gateway", city: "City", script: "Script", clock: DemoClock, start: int, end: int
) -> int:
    """Play the town's past at full speed, through the door like everything else; how many readings."""
    import numpy as np

    from connectors.intake_columns import Intake
    from service.cli_progress import Meter
    from simulator.publisher import history

    stretches = history(city, script, start, end, _STEP_MS)
    sent = 0
    with Meter("warming up the models on recent days", "readings") as meter:
        told = Tenths("warming up the models on recent days", print)
        while (stretch := await asyncio.to_thread(next, stretches, None)) is not None:
            stop, by_area = stretch
            clock.at = stop
            for readings in by_area.values():
                await gateway.accept(Intake(readings, np.arange(len(readings), dtype=np.int64), []))
                sent += len(readings)
                meter.advance(len(readings))
            await gateway.tick(stop)
            told.reached((stop - start) / max(1, end - start))
            site.states["warm-up"] = partial(_percent, stop - start, end - start)
            while gateway.outbox.depth() > _OUTBOX_DEPTH_MAX:
                await asyncio.sleep(0.05)
        while gateway.outbox.depth() > 0:
            await asyncio.sleep(0.05)
    site.states["warm-up"] = lambda: "ok"
    return sent


def _percent(done: int, whole: int) -> str:
    return f"at {100 * done // max(1, whole)} %"


class Tenths:
    """Says each tenth of a long work once."""

    def __init__(self, what: str, say: Callable[[str], None]) -> None:
        self._what = what
        self._say = say
        self._next = 1

    def reached(self, share: float) -> None:
        if share * 10 >= self._next:
            self._next = int(share * 10) + 1
            self._say(f"{self._what}: {min(100, int(share * 100))} %")


async def keep_note(folder: Path, seed: int, began: int, clock: Callable[[], int]) -> None:
    """Write down every few seconds how far the story has come."""
    while True:
        await asyncio.to_thread(write_past, folder, Past(seed, began, clock()))
        await asyncio.sleep(_NOTE_S)


def begin_and_end(past: Past | None, now: int) -> tuple[int, int, int]:
    """When the story began, from when its past is to be played, and up to when (epoch ms)."""
    if past is None:
        return now, now - WARM_UP_MS, now
    return past.began, max(past.until, now - WARM_UP_MS), max(past.until, now)


def summary(parts: dict[str, Any]) -> str:
    return " · ".join(f"{count:,} {what}" for what, count in parts.items())
