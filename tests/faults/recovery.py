"""Whether a system under load is back: all that it has accepted by now is counted."""

import time
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException

from tests.faults.ledger import Load, Stream
from tests.system.program import call, until
from tests.system.recomputed import rfc

PATIENCE_S = 300.0  # a busy machine: what is asserted is that it comes back, how fast is reported
MINUTE_MS = 60_000
_PAUSE_S = 0.3  # asking costs the store something too


def back(load: Load, base: str, streams: Sequence[Stream], since: float) -> float:
    """Wait until all readings of these streams that are accepted by now are counted; seconds since ``since``.

    Args:
        base: address of the API that is asked.
        since: as ``time.monotonic`` has it.
    """
    load.wait_for(1, PATIENCE_S)
    target = dict(load.last)
    waiting = [stream for stream in streams if stream.series in target]

    def done() -> bool:
        time.sleep(_PAUSE_S)
        waiting[:] = [stream for stream in waiting if not _counted(base, stream, target[stream.series].ms)]
        return not waiting

    until(done, f"what was accepted is counted ({load.posts} posts)", PATIENCE_S)
    return time.monotonic() - since


def _counted(base: str, stream: Stream, ms: int) -> bool:
    """Whether the window of a reading holds as many readings as were sent up to it."""
    start = ms - ms % MINUTE_MS
    first = stream.begin + -(-max(0, start - stream.begin) // stream.step_ms) * stream.step_ms
    path = f"/v1/series/{stream.series}/aggregates?window=60&start={rfc(start)}&end={rfc(start + MINUTE_MS)}"
    with suppress(OSError, HTTPException):
        answer = call(base + path, timeout_s=15)
        rows = answer.json()["data"] if answer.status == 200 else []
        return bool(rows) and int(rows[0]["count"]) >= (ms - first) // stream.step_ms + 1
    return False
