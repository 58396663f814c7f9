"""A real Kafka with one listener for each kind of part, each behind a proxy of its own: any pair can be cut apart."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tests.faults.proxy import Proxy
from tests.native.kafka import NativeKafka
from tests.native.service import free_port

KINDS = ("gateway", "worker", "alerts", "store", "web")


class ProxiedKafka(NativeKafka):
    """``proxies[kind]`` is the way of one kind of part to the broker; ``address`` goes straight to it.

    Raises: tests.native.tools.Missing, when made.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        ports = {kind: free_port() for kind in KINDS}
        self.proxies = {kind: Proxy(port, seed + k) for k, (kind, port) in enumerate(ports.items())}
        lines = []
        for line in self._properties.read_text().splitlines():
            name, _, value = line.partition("=")
            if name == "listeners":
                value += "".join(f",{kind.upper()}://127.0.0.1:{port}" for kind, port in ports.items())
            if name == "advertised.listeners":
                value += "".join(f",{kind.upper()}://{proxy.address}" for kind, proxy in self.proxies.items())
            lines.append(f"{name}={value}")
        protocols = ",".join(f"{name}:PLAINTEXT" for name in ("CONTROLLER", "PLAINTEXT", *map(str.upper, KINDS)))
        lines += [f"listener.security.protocol.map={protocols}", "inter.broker.listener.name=PLAINTEXT"]
        self._properties.write_text("\n".join(lines) + "\n")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for proxy in self.proxies.values():
            self._stack.enter_context(proxy)
        return super().__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        super().__exit__(kind, error, tb)
        self._stack.close()
