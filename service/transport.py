"""From settings to the broker and the store of a distributed run: addresses, and how to get in there."""

from typing import TYPE_CHECKING

from connectors.kafka_security import KafkaSecurity
from domain.errors import Misconfigured
from service.settings import Settings

if TYPE_CHECKING:  # the client of InfluxDB takes long to import
    from connectors.influx_store import InfluxStore


def broker_address(settings: Settings) -> str:
    """``host:port``, several separated by commas."""
    return settings.broker.partition("://")[2]


def broker_security(settings: Settings) -> KafkaSecurity:
    """Raises: Misconfigured: settings that do not go together."""
    if settings.broker_user and not settings.broker_password:
        raise Misconfigured(
            "broker_password (BOROUGH_BROKER_PASSWORD) is missing: broker_user is given, so is a password needed; "
            "or its file, as broker_password_file (BOROUGH_BROKER_PASSWORD_FILE)"
        )
    if settings.broker_password and not settings.broker_user:
        raise Misconfigured("broker_user (BOROUGH_BROKER_USER) is missing: there is a password for the broker")
    return KafkaSecurity(
        tls=settings.broker.startswith("kafkas://"),
        ca_file=settings.broker_ca_file,
        mechanism=settings.broker_mechanism.upper() if settings.broker_user else "",
        username=settings.broker_user,
        password=settings.broker_password,
    )


def influx(settings: Settings) -> "InfluxStore":
    """The store of the settings; nothing is asked of it yet. Raises: Misconfigured."""
    from connectors.influx_store import InfluxStore

    return InfluxStore.from_url(settings.store, settings.store_token or None, ca_file=settings.store_ca_file)
