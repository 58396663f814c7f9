"""What ``borough provision`` does, and what it would do: topics and bucket, and with ``principals`` the users, too.

A part's secrets lie in its own folder, so that a container can be given one part's and no other's:
``PART/broker_password`` and ``PART/store_token``. Those that are missing are made; to change one, delete its file.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from connectors import kafka_admin, kafka_rights
from connectors.kafka_security import knock
from domain.errors import Misconfigured
from domain.rights import PARTS, principal, rules
from service.settings import Settings
from service.transport import broker_address, broker_security, influx

_PASSWORD, _TOKEN = "broker_password", "store_token"
_SECRET_BYTES = 24


def carry_out(settings: Settings, replication: int) -> Iterator[str]:
    """Do it; a sentence after each step. Raises: Misconfigured, Unavailable."""
    if settings.broker != "embedded":
        yield from _broker(settings, replication)
    if settings.store != "embedded":
        yield from _store(settings)


def plan(settings: Settings) -> Iterator[str]:
    """What is missing at the broker; nothing is changed. Raises: Misconfigured, Unavailable."""
    if settings.broker == "embedded":
        return
    address, security = broker_address(settings), broker_security(settings)
    knock(address, security)
    yield from (f"Kafka: {problem}" for problem in kafka_admin.check(address, security))
    if settings.principals is None:
        yield "Kafka: no rights are given, because --principals (BOROUGH_PRINCIPALS) names no folder"
        return
    missing, surplus = kafka_rights.differences(address, security, rules())
    yield from (f"Kafka: would let {r.principal} {r.operation} {r.resource.lower()} {r.name}" for r in missing)
    yield from (f"Kafka: would take away: {words}" for words in surplus)
    for part in PARTS:
        if _read(settings.principals / part / _PASSWORD) is None:
            yield f"Kafka: would make a password for {principal(part)} in {settings.principals / part / _PASSWORD}"


def _broker(settings: Settings, replication: int) -> Iterator[str]:
    address, security = broker_address(settings), broker_security(settings)
    knock(address, security)
    made = kafka_admin.provision(address, security, replication_factor=replication)
    yield f"Kafka: {', '.join(made) + ' made' if made else 'all topics are there'}"
    if settings.principals is None:
        return
    added, taken = kafka_rights.apply(address, security, rules())
    yield f"Kafka: {len(rules())} rules, {added} of them new; {taken} taken away that are not in the table"
    passwords = {principal(part): _kept(settings.principals / part / _PASSWORD) for part in PARTS}
    kafka_rights.set_passwords(address, security, passwords)
    yield f"Kafka: {', '.join(passwords)} can sign in; their passwords are in {settings.principals}"


def _store(settings: Settings) -> Iterator[str]:
    store = influx(settings)
    try:
        yield f"InfluxDB: {store.provision()}"
        if settings.principals is None:
            return
        for part, rights in PARTS.items():
            if rights.store:
                file = settings.principals / part / _TOKEN
                old = _read(file)
                token = store.grant(principal(part), rights.store, old, secrets.token_urlsafe(_SECRET_BYTES))
                if token != old:
                    _write(file, token)
                yield f"InfluxDB: {principal(part)} may {rights.store.lower()}; its token is in {file}"
    finally:
        store.close()


def _kept(file: Path) -> str:
    """The password in a file; made when there is none."""
    password = _read(file)
    if password is None:
        password = secrets.token_urlsafe(_SECRET_BYTES)
        _write(file, password)
    return password


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"principals (BOROUGH_PRINCIPALS): {file} cannot be read: {_said(error)}") from None


def _write(file: Path, secret: str) -> None:
    """For this user only. Whole or not at all."""
    fresh = file.with_name(file.name + ".new")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(secret + "\n")
        fresh.replace(file)
    except OSError as error:
        raise Misconfigured(f"principals (BOROUGH_PRINCIPALS): {file} cannot be written: {_said(error)}") from None


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
