"""Fetch what the native tests need: ``python tests/native/install.py``. Says what it could not get, and why."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.native import tools


def main() -> int:
    missing = 0
    for name, get in (
        ("Kafka", tools.kafka_jars),
        ("InfluxDB", tools.influxd),
        ("Compose validator", tools.compose_validator),
        ("browser", tools.browser),
    ):
        began = time.monotonic()
        try:
            print(f"{name}: {get()} ({time.monotonic() - began:.1f} s)")
        except tools.Missing as error:
            print(f"{name}: {error}", file=sys.stderr)
            missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
