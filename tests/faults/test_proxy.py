"""The proxy does what it says: a fault that does not happen proves nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.faults.proxy import Proxy
from tests.system.program import call, until


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says back what it hears."""
    server = socket.create_server(("127.0.0.1", 0))

    def talk(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            while data := sock.recv(65_536):
                sock.sendall(data)

    def serve() -> None:
        while True:
            try:
                sock, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(sock,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield int(server.getsockname()[1])
    server.close()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy(echo, seed=1) as proxy:
        yield proxy


def connected(proxy: Proxy, timeout_s: float = 20.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout_s)


def said(sock: socket.socket, text: bytes) -> bytes:
    sock.sendall(text)
    heard = b""
    while len(heard) < len(text):
        more = sock.recv(65_536)
        if not more:
            raise ConnectionResetError
        heard += more
    return heard


def test_it_passes_everything_on(proxy: Proxy) -> None:
    with connected(proxy) as sock:
        text = bytes(range(256)) * 4_000
        assert said(sock, text) == text
    until(lambda: proxy.passed == 2 * len(text), "the proxy has counted what it passed on")


def test_a_cut_holds_back_and_then_delivers(proxy: Proxy) -> None:
    with connected(proxy) as sock:
        assert said(sock, b"before") == b"before"
        with proxy.cut():
            sock.sendall(b"during")
            sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                sock.recv(100)
        sock.settimeout(20)
        assert sock.recv(100) == b"during"


def test_half_open_says_nothing_and_new_connections_work(proxy: Proxy) -> None:
    with connected(proxy) as old:
        assert said(old, b"before") == b"before"
        proxy.half_open()
        old.sendall(b"lost")
        old.settimeout(0.3)
        with pytest.raises(TimeoutError):
            old.recv(100)
        with connected(proxy) as new:
            assert said(new, b"after") == b"after"


def test_refusing_resets_old_and_new(proxy: Proxy) -> None:
    with connected(proxy) as old:
        assert said(old, b"before") == b"before"
        with proxy.refusing():
            with pytest.raises(OSError, match=r"reset|Broken pipe"):
                said(old, b"x")
            with pytest.raises(OSError, match=r"reset|Broken pipe"), connected(proxy) as new:
                said(new, b"x")
    with connected(proxy) as again:
        assert said(again, b"after") == b"after"


def test_a_delay_is_kept_each_way(proxy: Proxy) -> None:
    with connected(proxy) as sock, proxy.delayed(0.2):
        began = time.monotonic()
        assert said(sock, b"slow") == b"slow"
        assert time.monotonic() - began >= 0.4


def test_some_chunks_become_resets(proxy: Proxy) -> None:
    resets = 0
    with proxy.resets(0.2):
        for _ in range(60):
            try:
                with connected(proxy) as sock:
                    said(sock, b"x")
            except OSError:
                resets += 1
    assert 5 <= resets <= 40


def test_it_answers_for_the_server(proxy: Proxy) -> None:
    url = f"http://{proxy.address}/api/v2/write"
    with proxy.answering("429 Too Many Requests", "Retry-After: 3\r\n"):
        answer = call(url, b"body")
    assert (answer.status, answer.headers["retry-after"]) == (429, "3")
    assert proxy.passed == 0
