"""How to get in at a Kafka broker: plain, TLS, or a name and password. One value, for every Kafka client used here."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import Misconfigured

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """Nothing given: no encryption, no name. ``ca_file`` alone trusts that authority instead of the system's."""

    tls: bool = False
    ca_file: Path | None = None
    mechanism: str = ""
    username: str = ""
    password: str = ""

    def __post_init__(self) -> None:
        if self.mechanism and self.mechanism not in MECHANISMS:
            raise Misconfigured(f"Kafka mechanism {self.mechanism} is not one of {', '.join(MECHANISMS)}")
        if bool(self.mechanism) != bool(self.username):
            raise Misconfigured("Kafka: a mechanism and a user name go together")
        if self.ca_file is not None and not self.tls:
            raise Misconfigured(f"Kafka: the authority {self.ca_file} is of no use without TLS")

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
                raise Misconfigured(f"Kafka: cannot use the authority {self.ca_file}: {error}") from None
        if self.mechanism:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options


PLAIN = KafkaSecurity()
