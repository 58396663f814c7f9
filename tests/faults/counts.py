"""How often each fault is tried, in every test run and at night (``make faults``): the one place with these numbers."""

import os
from typing import NamedTuple


class Count(NamedTuple):
    """``bound_s`` is what the table of the contract promises: the system is back so many seconds after the fault."""

    ci: int
    nightly: int
    bound_s: float | None = None

    @property
    def times(self) -> int:
        return self.nightly if NIGHTLY else self.ci


NIGHTLY = os.environ.get("BOROUGH_FAULTS") == "nightly"
SEED = int(os.environ.get("BOROUGH_TEST_SEED", "1"))
CUT_S = (1.0, 60.0) if NIGHTLY else (1.0, 1.5)
POSTS_PER_S = 1.0 if NIGHTLY else 4.0  # the load has times for 28,800 posts: eight hours of a night
JOIN_EVERY_S = 10.0 if NIGHTLY else 5.0

COUNTS = {
    "kill worker": Count(5, 100, 15),
    "kill embedded": Count(5, 100, 10),
    "kill broker": Count(3, 50, 30),
    "kill store": Count(1, 50, 15),
    "store answers 503": Count(1, 50, 15),
    "store answers 429": Count(1, 50, 15),
    "store hangs": Count(1, 50, 15),
    "store half-open": Count(1, 50, 15),
    "cut": Count(3, 50, 15),
    "pause worker": Count(2, 30, 20),
    "disk full: outbox": Count(1, 10),
    "disk full: store": Count(1, 10),
    "disk full: checkpoint": Count(1, 10),
    "duplicates": Count(2, 10),
    "out of order": Count(3, 30),
    "join and leave": Count(5, 200, 30),
    "checker": Count(1_000, 1_000),
}
