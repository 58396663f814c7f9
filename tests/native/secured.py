"""A Kafka and an InfluxDB that let nobody in without a name: TLS, SCRAM and default deny; HTTPS and users.

Certificates are made when the servers are: of an authority of this run.
"""

import json
import secrets
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.native.influx import NativeInflux
from tests.native.kafka import NativeKafka
from tests.native.service import free_port
from tests.native.tools import ROOT

ADMIN = "admin"
_BROKER = ROOT / "deploy" / "secured" / "server.properties"


class Authority:
    """Signs certificates for this machine's loopback; ``ca`` is the file to trust."""

    def __init__(self, folder: Path, *hosts: str) -> None:
        self.authority = trustme.CA()
        self._hosts = hosts or ("127.0.0.1", "localhost")
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca))

    def pem(self, name: str, *hosts: str) -> Path:
        """Key (PKCS#8, the form Java reads) and chain in one file."""
        signed = self.authority.issue_cert(*(hosts or self._hosts), common_name=name)
        key = load_pem_private_key(signed.private_key_pem.bytes(), None)
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self.folder / f"{name}.pem"
        path.write_bytes(text + b"".join(blob.bytes() for blob in signed.cert_chain_pems))
        return path

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)


class SecuredKafka(NativeKafka):
    """The broker of ``deploy/secured``; only :data:`ADMIN` has a password, by both SCRAM mechanisms."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.password = secrets.token_hex(16)
        super().__init__()

    def properties(self) -> str:
        controller, broker = free_port(), free_port()
        pem = self.authority.pem("kafka")
        own = {
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"CLIENTS://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller},"
            f"BROKER://127.0.0.1:{broker}",
            "advertised.listeners": f"CLIENTS://127.0.0.1:{self.port},BROKER://127.0.0.1:{broker}",
            "log.dirs": str(self.folder / "data"),
            "ssl.keystore.location": str(pem),
            "ssl.truststore.location": str(self.authority.ca),
        }
        lines = []
        for line in _BROKER.read_text(encoding="utf-8").splitlines():
            name = line.partition("=")[0]
            lines.append(f"{name}={own.pop(name)}" if name in own else line)
        assert not own, f"{_BROKER} does not say {sorted(own)}"
        return "\n".join(lines) + "\n"

    def format_options(self) -> list[str]:
        scram = f"[name={ADMIN},password={self.password}]"
        return ["--add-scram", f"SCRAM-SHA-512={scram}", "--add-scram", f"SCRAM-SHA-256={scram}"]


class SecuredInflux(NativeInflux):
    """HTTPS with users; :data:`ADMIN` is the only one, and no database is there."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.password = secrets.token_hex(16)
        super().__init__()
        pem = authority.pem("influxdb")
        text = self._config.read_text(encoding="utf-8").replace("auth-enabled = false", "auth-enabled = true")
        https = f'[http]\n  https-enabled = true\n  https-certificate = "{pem}"\n  https-private-key = "{pem}"\n'
        self._config.write_text(text.replace("[http]\n", https), encoding="utf-8")
        self.url = self.url.replace("http://", "https://")

    def ready(self) -> bool:
        try:
            self.ask(f"CREATE USER {ADMIN} WITH PASSWORD '{self.password}' WITH ALL PRIVILEGES")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def ask(self, query: str) -> object:
        """InfluxQL as admin."""
        data = urllib.parse.urlencode({"q": query}).encode()
        request = urllib.request.Request(f"{self.url}/query", data, {"Authorization": f"Token {ADMIN}:{self.password}"})
        with urllib.request.urlopen(request, timeout=10, context=self.authority.context()) as answer:
            return json.load(answer)
