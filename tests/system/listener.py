"""A reader of ``GET /v1/live``: server-sent events, as a browser takes them."""

import http.client
import json
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit


class Event(NamedTuple):
    kind: str
    id: str | None
    data: Any


class Listener:
    """``events`` grows while it listens; ``last_id`` is sent as ``Last-Event-ID``."""

    def __init__(self, base: str, last_id: str | None = None) -> None:
        self.events: list[Event] = []
        where = urlsplit(base)
        self._connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=60)
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id is not None else {})
        self._connection.request("GET", "/v1/live", headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        assert self._answer.headers["content-type"].startswith("text/event-stream")
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def alerts(self) -> list[Event]:
        return [event for event in self.events if event.kind == "alert"]

    def _listen(self) -> None:
        fields: dict[str, str] = {}
        with suppress(OSError, ValueError, AttributeError, http.client.HTTPException):  # closed by us
            while line := self._answer.readline():
                name, _, value = line.decode().rstrip("\r\n").partition(":")
                if name:
                    fields[name] = value.removeprefix(" ")
                elif "data" in fields:
                    event = Event(fields.get("event", "message"), fields.get("id"), json.loads(fields["data"]))
                    self.events.append(event)
                    fields = {}
                else:
                    fields = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._connection.sock is not None:
            with suppress(OSError):
                self._connection.sock.shutdown(2)
        self._thread.join(10)
        self._connection.close()
