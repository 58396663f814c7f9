"""What the faults came to: one line for each fault tried, as a table for people and as JSON lines.

``BOROUGH_TEST_REPORT`` names the JSON lines file that a run adds to; without it the lines are printed only.
"""

import json
import os
from pathlib import Path

from tests.faults.counts import COUNTS, NIGHTLY, SEED


def record(fault: str, recovered_s: list[float], times: int = 0, **more: object) -> None:
    """``recovered_s``: seconds from the end of the fault until what is accepted was stored right, for each time, or for
    ``times`` of them together."""
    count = COUNTS[fault]
    row = {
        "fault": fault, "times": times or len(recovered_s), "planned": count.times, "nightly": NIGHTLY, "seed": SEED,
        "bound_s": count.bound_s, "worst_s": round(max(recovered_s, default=0.0), 1),
        "within": sum(count.bound_s is None or s <= count.bound_s for s in recovered_s),
        "all_s": [round(s, 1) for s in recovered_s], **more,
    }  # fmt: skip
    text = json.dumps(row)
    print(f"fault report: {text}")
    if path := os.environ.get("BOROUGH_TEST_REPORT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text + "\n")
