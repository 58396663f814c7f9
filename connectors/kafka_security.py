"""How to get in at a Kafka broker: plain, TLS, or a name and password. One value, for every Kafka client used here."""

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from domain.errors import Misconfigured, Unavailable

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """Nothing given: no encryption, no name. ``ca_file`` alone trusts that authority instead of the system's."""

    tls: bool = False
    ca_file: Path | None = None
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.mechanism and self.mechanism not in MECHANISMS:
            raise Misconfigured(f"Kafka mechanism {self.mechanism} is not one of {', '.join(MECHANISMS)}")
        if bool(self.mechanism) != bool(self.username):
            raise Misconfigured("Kafka: a mechanism and a user name go together")
        if self.mechanism == "PLAIN" and not self.tls:
            raise Misconfigured("Kafka: the mechanism PLAIN sends the password readable, so it needs kafkas://")
        if self.ca_file is not None and not self.tls:
            raise Misconfigured(
                f"broker_ca_file (BOROUGH_BROKER_CA_FILE): the authority {self.ca_file} is of no use without TLS: "
                "write the broker's address as kafkas://host:port"
            )

    def options(self) -> dict[str, Any]:
        """Keyword arguments that aiokafka and kafka-python understand alike.

        Raises:
            Misconfigured: the file with the authority cannot be read.
        """
        options: dict[str, Any] = {
            "security_protocol": ("SASL_" if self.mechanism else "") + ("SSL" if self.tls else "PLAINTEXT")
        }
        if self.tls:
            try:
                options["ssl_context"] = ssl.create_default_context(cafile=self.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise Misconfigured(
                    f"broker_ca_file (BOROUGH_BROKER_CA_FILE): {self.ca_file} cannot be used: {_said(error)}"
                ) from None
        if self.mechanism:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options


PLAIN = KafkaSecurity()


def knock(address: str, security: KafkaSecurity, timeout_s: float = 5.0) -> None:
    """Get in at one of the brokers, or tell exactly why not; the clients only say that they could not. Blocking.

    Raises:
        Misconfigured: certificate, name or password are wrong; one line that names the setting, never a secret.
        Unavailable: nobody answers.
    """
    options = security.options()
    refused: Unavailable | None = None
    for node in address.split(","):
        try:
            asyncio.run(_knock(node, security, options, timeout_s))
            return
        except Unavailable as error:
            refused = error
    assert refused is not None
    raise refused


async def _knock(node: str, security: KafkaSecurity, options: dict[str, Any], timeout_s: float) -> None:
    host, _, port = node.rpartition(":")
    try:
        async with asyncio.timeout(timeout_s):
            connection = await create_conn(
                host.strip("[]"), int(port), request_timeout_ms=int(timeout_s * 1_000), **options
            )
        connection.close()
    except ssl.SSLCertVerificationError as error:
        raise Misconfigured(
            f"broker at {node}: its certificate is not accepted: {error.verify_message}; give its authority as "
            "broker_ca_file (BOROUGH_BROKER_CA_FILE) and write its address (BOROUGH_BROKER) as the certificate does"
        ) from None
    except ssl.SSLError as error:
        raise Misconfigured(
            f"broker at {node} does not speak TLS ({error.reason or 'no handshake'}): "
            "BOROUGH_BROKER is kafkas://…, which asks for it"
        ) from None
    except SaslAuthenticationFailed:
        raise Misconfigured(
            f"broker at {node} does not let {security.username!r} in: broker_user (BOROUGH_BROKER_USER) or "
            "broker_password (BOROUGH_BROKER_PASSWORD, BOROUGH_BROKER_PASSWORD_FILE) is wrong"
        ) from None
    except UnsupportedSaslMechanismError:
        raise Misconfigured(
            f"broker at {node} does not know {security.mechanism}: change broker_mechanism (BOROUGH_BROKER_MECHANISM)"
        ) from None
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"Kafka at {node} cannot be reached: {_said(error)}{_hint(error, security)}") from None


def _hint(error: BaseException, security: KafkaSecurity) -> str:
    """What a connection that was made and then cut by the broker may mean."""
    if security.tls or isinstance(error, ConnectionRefusedError):
        return ""
    return " (does it ask for TLS? then BOROUGH_BROKER is kafkas://…)" if isinstance(error, KafkaError) else ""


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and not isinstance(error, KafkaError):
        return error.strerror
    return str(error) or type(error).__name__
