"""What could keep Borough from running with these settings: one finding per check, with what to change."""

import platform
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from domain.errors import BoroughError, Misconfigured
from domain.rights import rules
from service import api_client, data_dir
from service.settings import Settings
from service.transport import broker_address, broker_security, influx

_FREE_BYTES_MIN = 1 << 30
_BESIDE = ("-wal", "-shm")
#: No program of today runs before it was written: a clock before this stands wrong.
_BUILT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Check:
    """``words`` say what was found; ``advice`` what to change, empty when all is well."""

    name: str
    words: str
    advice: str = ""

    @property
    def ok(self) -> bool:
        return not self.advice


def examine(settings: Settings) -> list[Check]:
    """Every check, in order; none of them changes anything but for a probe file in the data folder."""
    checks: tuple[Callable[[Settings], Check], ...] = (
        _python,
        _data_folder,
        _disk,
        _damage,
        _port,
        _broker,
        _store,
        _rights,
        _sensors,
        _clock,
    )
    return [check(settings) for check in checks]


def _python(settings: Settings) -> Check:
    words = f"Python {platform.python_version()}, Borough {version('borough')}"
    return Check("python", words, "" if sys.version_info >= (3, 11) else "Python 3.11 or later is needed")


def _data_folder(settings: Settings) -> Check:
    folder = settings.data_dir
    try:
        data_dir.prepare(folder)
    except BoroughError as error:
        return Check("data folder", f"{folder} cannot be written", str(error))
    return Check("data folder", f"{folder} can be written")


def _disk(settings: Settings) -> Check:
    there = next(
        path for path in (settings.data_dir.absolute(), *settings.data_dir.absolute().parents) if path.exists()
    )
    free = shutil.disk_usage(there).free
    wanted = max(_FREE_BYTES_MIN, settings.outbox_bytes_max)
    words = f"{free / (1 << 30):.1f} GiB free at {there}"
    if free >= wanted:
        return Check("disk", words)
    advice = f"free {wanted / (1 << 30):.1f} GiB, or lower --outbox-bytes-max (BOROUGH_OUTBOX_BYTES_MAX)"
    return Check("disk", words, advice)


def _damage(settings: Settings) -> Check:
    """Files that were set aside when they were opened: what they hold may be wanted, so somebody has to decide."""
    aside = sorted(path.name for path in settings.data_dir.glob("*.damaged-*") if not path.name.endswith(_BESIDE))
    if not aside:
        return Check("damage", "no file has been set aside")
    advice = f"look into {', '.join(aside)} in {settings.data_dir} (sqlite3 FILE .recover), then move them away"
    return Check("damage", f"{len(aside)} damaged files were set aside", advice)


def _port(settings: Settings) -> Check:
    running = data_dir.recorded_service(settings.data_dir)
    if running and api_client.answers(running):
        return Check("port", f"Borough runs at {running}")
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            words = f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}"
            return Check("port", words, "choose another --port (BOROUGH_PORT) or --host, or stop what listens there")
    return Check("port", f"{settings.host}:{settings.port} is free")


def _broker(settings: Settings) -> Check:
    if settings.broker == "embedded":
        return Check("broker", "embedded")
    from connectors.kafka_admin import check
    from connectors.kafka_security import knock

    try:
        address, security = broker_address(settings), broker_security(settings)
        knock(address, security)
        problems = check(address, security)
    except Misconfigured as error:
        return Check("broker", str(error), str(error))
    except BoroughError as error:
        return Check("broker", str(error), f"start Kafka, or change --broker (BOROUGH_BROKER={settings.broker})")
    if problems:
        return Check("broker", "; ".join(problems), "run 'borough provision'")
    return Check("broker", f"{settings.broker} answers, its topics are right")


def _store(settings: Settings) -> Check:
    if settings.store == "embedded":
        return Check("store", "embedded")
    try:
        store = influx(settings)
        try:
            return Check("store", store.check())
        finally:
            store.close()
    except BoroughError as error:
        return Check("store", str(error), "start InfluxDB, or change --store (BOROUGH_STORE) or its token")


def _rights(settings: Settings) -> Check:
    if settings.principals is None or settings.broker == "embedded":
        return Check("rights", "not looked after (no --principals): whoever reaches broker and store may do anything")
    from connectors.kafka_rights import differences

    try:
        missing, surplus = differences(broker_address(settings), broker_security(settings), rules())
    except BoroughError as error:
        return Check("rights", str(error), str(error))
    wrong = [f"{r.principal} may not {r.operation} {r.resource.lower()} {r.name}" for r in missing]
    wrong += [f"{words}, which is not in the table" for words in surplus]
    if wrong:
        return Check("rights", "; ".join(wrong), "run 'borough provision'")
    return Check("rights", f"{len(rules())} rules at the broker, exactly those of the table")


def _sensors(settings: Settings) -> Check:
    if settings.sensors is None:
        if settings.accept_unknown:
            return Check("sensors", "no sensors table: every sensor is taken")
        advice = "give --sensors (BOROUGH_SENSORS), or --accept-unknown to take every sensor"
        return Check("sensors", "no sensors table: every reading goes to quarantine", advice)
    from connectors.tables_in import read_sensors

    try:
        count = len(list(read_sensors(Path(settings.sensors))))
    except BoroughError as error:
        return Check("sensors", str(error), f"correct {settings.sensors}, or change --sensors (BOROUGH_SENSORS)")
    return Check("sensors", f"{count} sensors in {settings.sensors}")


def _clock(settings: Settings) -> Check:
    now = datetime.now(UTC)
    words = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    return Check(
        "clock", words, "" if now > _BUILT else "set the machine's clock: readings would be rejected as future"
    )
