"""What only InfluxDB can do wrong: its text, its addresses, its errors."""

import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from connectors.influx_http import parse_address
from connectors.influx_lines import message_line, tag, untag
from connectors.influx_store import InfluxStore, aggregates_lines
from domain.errors import Misconfigured, Unavailable
from domain.messages import Health, Quarantined
from domain.windows import Aggregates

T0 = 1_772_431_200_000


def batch(n: int, name: str = "a/air.no2", area: str = "ring north") -> Aggregates:
    mean = np.arange(n) + 0.5
    return Aggregates(
        area, 60, [name], np.zeros(n, np.int32), T0 + np.arange(n) * 60_000, np.full(n, 6), mean, mean - 1, mean + 1,
        mean, np.full(n, np.nan), np.full(n, 1, np.uint8), np.full(n, 1),
    )  # fmt: skip


def test_a_batch_as_line_protocol() -> None:
    one = batch(2)
    one.coverage[1] = 1 / 3
    assert aggregates_lines(one).split("\n") == [
        "aggregates,area=ring\\ north,series=a/air.no2,window_s=60"
        f" count=6i,flag=1i,revision=1i,mean=0.5,min=-0.5,max=1.5,last=0.5 {T0}",
        "aggregates,area=ring\\ north,series=a/air.no2,window_s=60"
        f" count=6i,flag=1i,revision=1i,mean=1.5,min=0.5,max=2.5,last=1.5,coverage=0.3333333333333333 {T0 + 60_000}",
    ]
    assert aggregates_lines(batch(0)) == ""


@pytest.mark.parametrize(
    "text", ["a,b=c d", "back\\slash", "end\\", "two\nlines", "100%", "%5C", "Ø 交", "\t\r\x00\x7f"]
)
def test_a_tag_is_one_word_and_comes_back(text: str) -> None:
    escaped = tag(text)
    assert not set("\n\r\t\x00") & set(escaped)
    seen_by_the_database = escaped.replace("\\,", ",").replace("\\=", "=").replace("\\ ", " ")
    assert untag(seen_by_the_database) == text


def test_quarantined_of_one_millisecond_are_told_apart() -> None:
    lines = {message_line(Quarantined(f"q{k}", T0, "t", "g", "s", "v", "f", "r")) for k in range(500)}
    points = {(line.split(" ", 1)[0], line.rsplit(" ", 1)[1]) for line in lines}
    assert len(points) == 500
    assert {int(time) // 1_000_000 for _, time in points} == {T0}


def test_addresses() -> None:
    address = parse_address("influx://db:8087/borough/autogen?org=city&token=s%2Fcret")
    assert (address.url, address.bucket, address.org, address.token) == (
        "http://db:8087", "borough/autogen", "city", "s/cret",
    )  # fmt: skip
    assert parse_address("influx://db/b?token=old", "new").token == "new"
    assert parse_address("influx://db/b").url == "http://db:8086"
    assert parse_address("influxs://[::1]:1/b").url == "https://[::1]:1"
    assert "s/cret" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "http://db/b",
        "influx://db",
        "influx:///b",
        "influx://db:port/b",
        "influx://u:p@db/b",
        "influx://db/b?orgs=x",
        "db",
    ],
)
def test_a_bad_address_is_told_without_its_token(text: str) -> None:
    with pytest.raises(Misconfigured) as told:
        parse_address(text + ("&" if "?" in text else "?") + "token=s3cret")
    assert "s3cret" not in str(told.value)


# --- on a real InfluxDB


@pytest.fixture
def store(influx_url: str) -> Iterator[InfluxStore]:
    url = influx_url.replace("http://", "influx://")
    made = InfluxStore.from_url(f"{url}/t{uuid.uuid4().hex}/autogen?org=borough&token=borough:borough", None, 60)
    made.provision()
    yield made
    made.close()


def test_refused_lines_are_found_and_the_others_stored(store: InfluxStore) -> None:
    """The database holds ``mean`` of one day as text: every line of that shard with a number there is refused."""
    store._http.write(f'aggregates,series=x mean="text" {T0}', "ms")
    bad, good = batch(40), batch(300, "b/air.o3")
    object.__setattr__(good, "start", good.start + 30 * 86_400_000)
    many = [Health(f"p{k}", "ring", T0, {}) for k in range(20)]
    rejections = store.write([*many[:10], good, bad, *many[10:]])
    assert [rejection.position for rejection in rejections] == [11]
    assert "field type conflict" in rejections[0].reason
    assert len(store.health(None, 100)) == 20
    assert len(store.aggregates("b/air.o3", 60, 0, T0 * 2, 1000)) == 300


def test_a_line_that_cannot_be_parsed_is_found_among_many(store: InfluxStore) -> None:
    early = Health("too early", "ring", -(10**16), {})
    messages = [*(Health(f"p{k}", "ring", T0, {}) for k in range(200)), early]
    (rejection,) = store.write(messages)
    assert rejection.position == 200
    assert len(store.health(None, 1000)) == 200


def test_a_missing_bucket_is_a_matter_of_configuration(influx_url: str) -> None:
    store = InfluxStore(influx_url, f"none{uuid.uuid4().hex}/autogen")
    with pytest.raises(Misconfigured, match="provision"):
        store.write([batch(1)])
    with pytest.raises(Misconfigured, match="provision"):
        store.check()
    assert "database" in store.provision()
    assert "database" in store.provision()
    assert "can be read" in store.check()
    assert store.write([batch(1)]) == []
    store.close()


def test_another_retention_policy_is_made_too(influx_url: str) -> None:
    store = InfluxStore(influx_url, f'o"dd{uuid.uuid4().hex}/years')
    store.provision()
    assert store.write([batch(3)]) == []
    assert len(store.aggregates("a/air.no2", 60, 0, T0 * 2, 10)) == 3
    store.close()


# --- on a server that answers what it is told


class _Answers(ThreadingHTTPServer):
    status, headers, body = 204, dict[str, str](), b""
    knows_queries = False  # a query is answered with an empty table
    requests: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: _Answers

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append(f"{self.command} {self.path.split('?')[0]}")
        if self.server.knows_queries and self.path.startswith("/api/v2/query"):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Answers]:
    made = _Answers(("127.0.0.1", 0), _Handler)
    made.requests = []
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (500, Unavailable, "answers 500: sorry"),
        (503, Unavailable, "answers 503"),
        (429, Unavailable, "answers 429"),
        (401, Misconfigured, "token"),
        (403, Misconfigured, "token"),
        (404, Misconfigured, "no bucket b"),
    ],
)
def test_answers_are_told_apart(server: _Answers, status: int, error: type[Exception], words: str) -> None:
    server.status, server.body = status, b'{"code":"x","message":"sorry"}'
    store = InfluxStore(f"http://127.0.0.1:{server.server_port}", "b", "o", "secret")
    with pytest.raises(error, match=words) as told:
        store.write([batch(1)])
    assert "secret" not in str(told.value)
    with pytest.raises(error):
        store.series()
    store.close()


def test_retry_after_is_kept(server: _Answers) -> None:
    server.status, server.headers = 429, {"Retry-After": "60"}
    store = InfluxStore(f"http://127.0.0.1:{server.server_port}", "b", "o", "t")
    with pytest.raises(Unavailable):
        store.write([batch(1)])
    server.status = 204
    with pytest.raises(Unavailable, match="asked to wait"):
        store.write([batch(1)])
    assert len(server.requests) == 1
    store.close()


def test_nobody_there(server: _Answers) -> None:
    store = InfluxStore("http://127.0.0.1:9", "b", "o", "t", timeout_s=2)
    with pytest.raises(Unavailable, match="cannot be reached"):
        store.write([batch(1)])
    with pytest.raises(Unavailable, match="cannot be reached"):
        store.check()
    with pytest.raises(Unavailable, match="cannot be reached"):
        store.provision()
    store.close()


def test_everything_refused_is_told_per_result_not_per_line(server: _Answers) -> None:
    server.knows_queries = True
    server.status, server.body = 422, b'{"code":"unprocessable entity","message":"beyond retention policy"}'
    store = InfluxStore(f"http://127.0.0.1:{server.server_port}", "b", "o", "t")
    rejections = store.write([batch(4), batch(3, "b/air.o3")])
    assert [rejection.position for rejection in rejections] == [0, 1]
    assert "beyond retention policy" in rejections[0].reason
    store.close()


def test_provision_on_version_2_finds_the_bucket(server: _Answers) -> None:
    server.status, server.body = 200, b'{"buckets":[{"id":"1","name":"b"}],"orgs":[{"id":"2"}]}'
    store = InfluxStore(f"http://127.0.0.1:{server.server_port}", "b", "o", "t")
    assert store.provision() == "bucket b is there"
    server.body = b'{"buckets":[],"orgs":[{"id":"2"}]}'
    assert store.provision() == "bucket b made"
    assert server.requests == ["GET /api/v2/buckets", "GET /api/v2/buckets", "GET /api/v2/orgs", "POST /api/v2/buckets"]
    store.close()
