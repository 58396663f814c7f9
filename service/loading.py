"""Loading what the running system is made of takes seconds; somebody may change their mind meanwhile."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_INTERRUPTED = 130


@contextmanager
def loading() -> Iterator[None]:
    """Ctrl-C ends the program there and then: raised amid an import it would come out as that module's error."""
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
