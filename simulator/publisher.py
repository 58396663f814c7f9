"""Plays the city in time: the only file of the simulator that has a clock and waits."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

from domain.readings import Readings
from domain.times import MINUTE_MS
from simulator.script import Script
from simulator.signals import City
from simulator.transport import Arrivals, arrivals

Sink = Callable[[Readings], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]

_AHEAD_MS = MINUTE_MS  # simulated time computed at once
_BATCH_S = 1.0  # wall time between batches


async def publish(
    city: City,
    script: Script,
    sink: Sink,
    *,
    start: int,
    speed: float = 1.0,
    until: int | None = None,
    revision: Callable[[], int] = lambda: 0,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Send every reading when its simulated time of arrival comes, in batches about once a second of ``clock``.

    Simulated time is ``start`` (epoch ms) at the call and runs ``speed`` times as fast as ``clock`` (seconds). What
    falls behind is sent as fast as the sink takes it. Runs until cancelled, or until ``until`` (epoch ms, simulated).
    When ``revision`` of the script changes, what was computed ahead is computed anew from now on. The sink may raise;
    that ends the publisher.
    """
    began = clock()
    played = revision()
    made_until = start
    waiting: Arrivals | None = None
    while True:
        now = start + int((clock() - began) * speed * 1_000)
        now = now if until is None else min(now, until)
        if waiting is not None and played != revision():
            waiting, made_until = _measured_before(waiting, now), min(made_until, now)
        played = revision()
        while made_until <= now and (until is None or made_until < until):
            ahead = made_until + max(_AHEAD_MS, int(_BATCH_S * speed * 1_000))
            ahead = ahead if until is None else min(ahead, until)
            faults = script.transport(made_until, ahead)
            fresh = arrivals(city.town, city.readings(made_until, ahead, script), faults, city.seed)
            waiting = fresh if waiting is None else waiting.merged(fresh)
            made_until = ahead
            due, waiting = waiting.split(min(now, made_until))
            if len(due.readings):
                await sink(due.readings)
        if waiting is not None:
            due, waiting = waiting.split(now)
            if len(due.readings):
                await sink(due.readings)
        if until is not None and now >= until:
            return
        await sleep(_BATCH_S)


def _measured_before(waiting: Arrivals, now: int) -> Arrivals:
    """Without what is measured at ``now`` or later."""
    kept, r = waiting.readings.t < now, waiting.readings
    return Arrivals(waiting.at[kept], Readings(r.series, r.i[kept], r.t[kept], r.x[kept]), waiting.garbage)


def history(
    city: City, script: Script, start: int, end: int, step: int = 15 * MINUTE_MS
) -> Iterator[tuple[int, dict[str, Readings]]]:
    """The past as fast as it goes: ``(end of the stretch in epoch ms, readings of each area)``, ``step`` ms at a time.

    Readings come in order and on time; transport faults do not touch history.
    """
    for begin in range(start, end, step):
        stop = min(begin + step, end)
        yield stop, city.by_area(begin, stop, script)
