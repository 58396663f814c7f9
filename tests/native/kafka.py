"""A real Kafka broker, one node in KRaft mode. By hand: ``python tests/native/kafka.py`` and Ctrl-C."""

import socket
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.native import tools
from tests.native.service import NativeService, free_port

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
"""


class NativeKafka(NativeService):
    """``address`` is ``127.0.0.1:port``. Raises: tools.Missing, when made."""

    name = "kafka"

    def __init__(self) -> None:
        jars = tools.kafka_jars()
        super().__init__()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._java = [
            "java",
            "-Xms256m",
            "-Xmx512m",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            f"{jars}/*",
        ]
        self._properties = self.folder / "server.properties"
        self._properties.write_text(self.properties())
        identity = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        self._tool("format", "-t", identity, "-c", str(self._properties), *self.format_options())

    def properties(self) -> str:
        """The server's file; ``port`` and ``folder`` are set."""
        return _PROPERTIES.format(port=self.port, controller=free_port(), data=self.folder / "data")

    def format_options(self) -> list[str]:
        """What else the new data folder begins with."""
        return []

    def command(self) -> list[str]:
        return [*self._java, "kafka.Kafka", str(self._properties)]

    def ready(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _tool(self, *arguments: str) -> str:
        return subprocess.run(
            [*self._java, "kafka.tools.StorageTool", *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout


if __name__ == "__main__":
    with NativeKafka() as kafka:
        print(f"BOROUGH_TEST_KAFKA={kafka.address}", flush=True)
        while True:
            time.sleep(60)
