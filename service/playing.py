"""A scenario computed in one process or in several, to files or to a running system. The order is the same in all."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from domain.errors import Misconfigured
from service.cli_progress import Meter
from service.sending import Pace, Tally, address_of, send_steps
from service.settings import Settings
from simulator.scenario import Scenario
from simulator.scenario_run import HEADER, STRETCH_MS, Digest, Play, write_manifest, write_side_tables
from simulator.transport import Arrivals

_AHEAD = 4  # stretches computed ahead for each process: memory does not grow with the scenario

_mine: Play | None = None  # of a computing process


def write_play(play: Play, out: Path, processes: int) -> Digest:
    """The tidy tables and ``scenario.json``; the digest of the readings. Raises: Misconfigured."""
    digest = Digest()
    try:
        write_side_tables(play, out)
        with (
            (out / "readings.csv").open("wb") as file,
            Meter(play.scenario.name, "readings") as meter,
            stretches(play, processes) as parts,
        ):
            file.write(HEADER.encode())
            for _, due in play.steps(parts, STRETCH_MS):
                file.write(digest.take(due))
                meter.advance(len(due.readings))
        write_manifest(play, out, version("borough"), digest)
    except OSError as error:
        raise Misconfigured(f"--out: {out} cannot be written: {error.strerror}") from None
    return digest


def send_play(play: Play, settings: Settings, pace: Pace, processes: int, truth: Path | None) -> tuple[Tally, Digest]:
    """Through the running system. Raises: Misconfigured, Unavailable, Rejected."""
    base = address_of(settings)
    digest = Digest()
    if truth is not None:
        try:
            write_side_tables(play, truth)
        except OSError as error:
            raise Misconfigured(f"--truth: {truth} cannot be written: {error.strerror}") from None

    def counted(parts: Iterator[Arrivals]) -> Iterator[tuple[int, Arrivals]]:
        for now, due in play.steps(parts, pace.step_ms):
            digest.take(due)
            yield now, due

    with stretches(play, processes) as parts:
        name = f"scenario-{play.scenario.name[:40]}-{play.seed}"
        tally = send_steps(counted(parts), base, name, pace, settings.lateness_s)
    if truth is not None:
        write_manifest(play, truth, version("borough"), digest)
    return tally, digest


@contextmanager
def stretches(play: Play, processes: int) -> Generator[Iterator[Arrivals], None, None]:
    """All stretches of a play in order, computed by so many processes."""
    if processes == 1:
        yield play.stretches()
        return
    # Fresh processes: a fork would copy whatever threads hold just now.
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(play.scenario, play.seed)
    ) as pool:
        try:
            yield _in_order(pool, iter(play.starts), processes * _AHEAD)
        finally:
            pool.shutdown(cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, starts: Iterator[int], ahead: int) -> Iterator[Arrivals]:
    waiting: deque[Future[Arrivals]] = deque(pool.submit(_stretch, start) for start in islice(starts, ahead))
    while waiting:
        done = waiting.popleft().result()
        waiting.extend(pool.submit(_stretch, start) for start in islice(starts, 1))
        yield done


def _begin(scenario: Scenario, seed: int) -> None:
    global _mine
    _mine = Play.of(scenario, seed)


def _stretch(start: int) -> Arrivals:
    assert _mine is not None
    return _mine.stretch(start)
