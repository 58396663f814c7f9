"""Users and their grants in InfluxDB 1.8 (a real one), and authorizations in version 2 (its API, played back)."""

import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.influx_http import InfluxAddress, InfluxHttp
from connectors.influx_setup import grant, provision
from domain.errors import Misconfigured


def test_users_of_version_1_get_one_grant(influx_url: str) -> None:
    """Nobody is asked for a name there (the secured system test does that), but grants are kept and shown."""
    database, other, user = (f"{kind}{uuid.uuid4().hex}" for kind in ("d", "o", "u"))
    for name in (other, database):
        http = InfluxHttp(InfluxAddress(influx_url, f"{name}/autogen"), 60)
        provision(http)
        first = grant(http, user, "READ", None, "it's \\ secret")
    assert first == f"{user}:it's \\ secret"
    assert grant(http, user, "WRITE", first, "another") == first
    shown = http.call("POST", "/query", {"q": f'SHOW GRANTS FOR "{user}"'}) or {}
    (series,) = shown["results"][0]["series"]
    assert dict(series["values"]) == {database: "WRITE", other: "NO PRIVILEGES"}
    http.close()


class _Version2(ThreadingHTTPServer):
    """The calls of version 2 that set-up needs, as its API describes them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: list[dict[str, Any]] = []
        self.authorizations: dict[str, dict[str, Any]] = {}
        self.shows_tokens = True

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        match method, path:
            case "GET", "/api/v2/buckets":
                return 200, {"buckets": [b for b in self.buckets if b["name"] == query["name"][0]]}
            case "POST", "/api/v2/buckets":
                self.buckets.append({"id": f"b{len(self.buckets)}", **body})
                return 201, self.buckets[-1]
            case "GET", "/api/v2/orgs":
                return 200, {"orgs": [{"id": "o1"}] if query["org"] == ["city"] else []}
            case "GET", "/api/v2/authorizations":
                assert query["orgID"] == ["o1"]
                shown = [dict(found) for found in self.authorizations.values()]
                for found in shown:
                    if not self.shows_tokens:
                        del found["token"]
                return 200, {"authorizations": shown}
            case "POST", "/api/v2/authorizations":
                made = {"id": uuid.uuid4().hex, "token": uuid.uuid4().hex, **body}
                self.authorizations[made["id"]] = made
                return 201, made
            case "DELETE", _:
                del self.authorizations[path.rpartition("/")[2]]
                return 204, None
        return 404, {"message": "unknown"}


class _Handler(BaseHTTPRequestHandler):
    server: _Version2

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path)
        status, body = self.server.answer(
            self.command, path.path, parse_qs(path.query), json.loads(sent) if sent.strip() else None
        )
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def version_2() -> Iterator[_Version2]:
    server = _Version2()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("shows_tokens", [True, False])
def test_a_user_of_version_2_has_one_authorization_for_one_bucket(version_2: _Version2, shows_tokens: bool) -> None:
    version_2.shows_tokens = shows_tokens
    http = InfluxHttp(InfluxAddress(f"http://127.0.0.1:{version_2.server_port}", "town", "city", "t"))
    with pytest.raises(Misconfigured, match="no bucket town"):
        grant(http, "borough-store", "WRITE", None, "")
    provision(http)
    token = grant(http, "borough-store", "WRITE", None, "")
    assert grant(http, "borough-store", "WRITE", token, "") == token
    (found,) = version_2.authorizations.values()
    resource = {"type": "buckets", "id": "b0", "orgID": "o1"}
    assert found["permissions"] == [{"action": "write", "resource": resource}]

    version_2.authorizations["more"] = {**found, "id": "more", "token": "x", "permissions": [*found["permissions"], {
        "action": "read", "resource": resource}]}  # fmt: skip
    assert grant(http, "borough-store", "WRITE", token, "") == token
    assert list(version_2.authorizations.values()) == [found]

    reading = grant(http, "borough-store", "READ", token, "")
    assert reading != token
    (found,) = version_2.authorizations.values()
    assert (found["token"], found["permissions"][0]["action"]) == (reading, "read")
    fresh = grant(http, "borough-store", "READ", None, "")  # its file was deleted: a new token, the old one is void
    assert [one["token"] for one in version_2.authorizations.values()] == [fresh]
    http.close()


def test_an_organisation_that_is_not_there(version_2: _Version2) -> None:
    http = InfluxHttp(InfluxAddress(f"http://127.0.0.1:{version_2.server_port}", "town", "elsewhere", "t"))
    with pytest.raises(Misconfigured, match="no organisation 'elsewhere'"):
        provision(http)
    http.close()


def test_read_and_write_of_version_2_are_one_authorization(version_2: _Version2) -> None:
    http = InfluxHttp(InfluxAddress(f"http://127.0.0.1:{version_2.server_port}", "town", "city", "t"))
    provision(http)
    token = grant(http, "borough-store", "ALL", None, "")
    assert grant(http, "borough-store", "ALL", token, "") == token
    (found,) = version_2.authorizations.values()
    assert [permission["action"] for permission in found["permissions"]] == ["read", "write"]
