"""A distributed run where nobody gets in without a name: every part does its work under its own, and no more."""

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka import KafkaError, Producer
from kafka.errors import GroupAuthorizationFailedError

from connectors.kafka_admin import admin_client
from connectors.kafka_rights import apply, set_passwords
from connectors.kafka_security import KafkaSecurity
from domain.errors import Misconfigured
from domain.rights import PARTS, Rule, principal, rules
from domain.topics import TOPICS, partition_of
from service.cli import main
from tests.native import tools
from tests.native.secured import ADMIN, Authority, SecuredInflux, SecuredKafka
from tests.system.program import Running, accept, all_pages, borough, call, get, quietly, sensors_table, until

ROOT = Path(__file__).resolve().parents[2]
FINDING = (ROOT / "tests" / "golden" / "finding.v1.json").read_bytes()
pytestmark = pytest.mark.timeout(420)  # seven processes and two servers start here, on whatever is left of a machine
GROUPS = sorted({rights.group for rights in PARTS.values()} - {""})


class Secured:
    """The servers, the folder with the users that ``provision`` has made, and settings for each of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.kafka, self.influx = SecuredKafka(self.authority), SecuredInflux(self.authority)
        self.principals = folder / "principals"
        self.sensors = sensors_table(folder / "sensors.csv", [("loop-1", "north", 20)])
        self.store = f"influxs://{self.influx.url.removeprefix('https://')}/borough/autogen?org=borough"

    def env(self, part: str = "", **more: str) -> dict[str, str]:
        """Of a part, or of the administrator."""
        own = {
            "BROKER": f"kafkas://{self.kafka.address}", "BROKER_CA_FILE": str(self.authority.ca),
            "STORE": self.store, "STORE_CA_FILE": str(self.authority.ca),
            "SENSORS": str(self.sensors), "LATENESS_S": "1", "CHECKPOINT_S": "1.5", "WAIT_S": "60", "PORT": "0",
        }  # fmt: skip
        if part:
            own |= {
                "BROKER_USER": principal(part),
                "BROKER_PASSWORD_FILE": str(self.principals / part / "broker_password"),
            }
            if PARTS[part].store:
                own["STORE_TOKEN_FILE"] = str(self.principals / part / "store_token")
        else:
            own |= {"BROKER_USER": ADMIN, "BROKER_PASSWORD": self.kafka.password}
            own |= {"STORE_TOKEN": f"{ADMIN}:{self.influx.password}", "PRINCIPALS": str(self.principals)}
        return {f"BOROUGH_{name}": value for name, value in (own | more).items()}

    def secrets(self) -> list[str]:
        kept = [path.read_text().strip() for path in self.principals.rglob("*") if path.is_file()]
        return [self.kafka.password, self.influx.password, *kept, *(text.rpartition(":")[2] for text in kept)]

    def password(self, part: str) -> str:
        """At the broker."""
        return (
            self.kafka.password if part == ADMIN else (self.principals / part / "broker_password").read_text().strip()
        )

    def security(self, part: str) -> KafkaSecurity:
        return KafkaSecurity(True, self.authority.ca, "SCRAM-SHA-512", principal(part), self.password(part))

    def client(self, part: str) -> dict[str, Any]:
        """Of Kafka's own C library: another client than ours."""
        return {
            "bootstrap.servers": self.kafka.address, "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.authority.ca), "sasl.mechanisms": "SCRAM-SHA-512",
            "sasl.username": ADMIN if part == ADMIN else principal(part), "sasl.password": self.password(part),
            "allow.auto.create.topics": False, "log_level": 0,
        }  # fmt: skip


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    try:
        made = Secured(tmp_path_factory.mktemp("secured"))
    except tools.Missing as error:
        pytest.skip(f"needs Kafka and InfluxDB: {error}")
    with made.kafka, made.influx:
        ran = borough("provision", "--dry-run", env=made.env())
        assert ran.returncode == 0, ran.stderr
        assert "topic alerts is missing" in ran.stderr
        assert "would let borough-web WRITE topic alert.actions" in ran.stderr
        assert not made.principals.exists()
        for _ in range(2):  # again is fine, and keeps the secrets
            before = made.secrets()
            ran = borough("provision", env=made.env())
            assert ran.returncode == 0, ran.stderr
        assert made.secrets() == before
        yield made


def test_every_part_works_under_its_own_name(secured: Secured) -> None:
    with ExitStack() as stack:
        running = {}
        for part in PARTS:
            words = (part, "--data-dir", secured.folder / part / "data", "--log-level", "debug")
            running[part] = Running(secured.folder / part, *words, name=part, env=secured.env(part))
            stack.enter_context(running[part])
        gateway, web = running["gateway"].ready(), running["web"].ready()
        began = time.time_ns() // 1_000_000 // 60_000 * 60_000 - 600_000
        batch = [
            {"series": "loop-1/traffic.flow", "time": _time(began + k * 20_000), "value": 100 + k} for k in range(24)
        ]
        assert accept(gateway, batch)["accepted"] == 24
        path = f"/v1/series/loop-1/traffic.flow/aggregates?window=60&start={_time(began)}"
        rows = until(lambda: _rows_when_counted(web, path, 24), "every reading is counted")
        assert [row["count"] for row in rows] == [3] * 8
        assert [row["mean"] for row in rows] == pytest.approx([101.0 + 3 * k for k in range(8)])

        producer = Producer(secured.client("worker"))  # a finding as a worker publishes it
        producer.produce("findings", FINDING, b"f00d", partition_of("ring-north"))
        assert producer.flush(30) == 0
        until(lambda: call(f"{web}/v1/alerts/f00d").status == 200, "the desk has raised the alert")
        action = json.dumps({"action": "acknowledge", "reason": "seen"}).encode()
        answer = call(f"{web}/v1/alerts/f00d/actions", action, {"Content-Type": "application/json"})
        assert answer.status == 200, answer.body
        assert get(f"{web}/v1/alerts/f00d")["data"]["state"] == "acknowledged"

        shown = "".join(part.out() + part.err() for part in running.values())
        shown += "".join(call(base + "/metrics").body.decode() for base in (gateway, web))
        for part in running.values():
            assert part.interrupt() in (0, 130), part.err()
    assert [secret for secret in secured.secrets() if secret in shown] == []


def test_verify_replay_signs_in_and_finds_what_no_replay_tells(secured: Secured, here: "Here") -> None:
    code, out, err = here(secured.env(), "verify-replay", "--json")
    assert code == 1, err
    told = json.loads(out)["data"]
    assert told["counts"]["aggregates"] >= 8
    assert len(set(told["hashes"]["aggregates"].values())) == 1
    assert "f00d" in told["difference"]  # put there by hand


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rows_when_counted(web: str, path: str, count: int) -> list[dict[str, Any]]:
    if quietly(web + path) != 200:
        return []
    rows = all_pages(web, path)
    return rows if sum(row["count"] for row in rows) >= count else []


# --- who may do what: tried on the broker, not looked up


@pytest.mark.parametrize("part", PARTS)
def test_a_part_writes_only_what_the_table_says(part: str, secured: Secured) -> None:
    told: dict[str, KafkaError | None] = {}
    producer = Producer(secured.client(part) | {"message.timeout.ms": 30_000})
    for topic in TOPICS:
        producer.produce(topic, b"{}", b"k", 0, on_delivery=lambda error, m: told.update({m.topic(): error}))
    assert producer.flush(60) == 0
    assert {topic for topic, error in told.items() if error is None} == set(PARTS[part].writes)
    for topic in set(TOPICS) - set(PARTS[part].writes):
        assert _refused(told[topic]), (topic, told[topic])


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_reads_only_what_the_table_says(part: str, secured: Secured) -> None:
    producer = Producer(secured.client(ADMIN))
    for topic in TOPICS:
        producer.produce(topic, b"{}", b"k", 1)
    assert producer.flush(30) == 0
    security = secured.security(part)
    with admin_client(secured.kafka.address, security, 30) as admin:
        visible = set(admin.list_topics())  # READ and WRITE each bring this: what is not seen can be neither
    assert visible == set(PARTS[part].topics())
    assert {topic for topic in visible if await _reads(secured.kafka.address, security, topic)} == set(
        PARTS[part].reads
    )


async def _reads(address: str, security: KafkaSecurity, topic: str) -> bool:
    consumer = AIOKafkaConsumer(bootstrap_servers=address, enable_auto_commit=False, **security.options())
    try:
        await consumer.start()
        place = TopicPartition(topic, 1)
        consumer.assign([place])
        consumer.seek(place, 0)
        return bool(await consumer.getmany(place, timeout_ms=30_000))
    except TopicAuthorizationFailedError:
        return False
    finally:
        await consumer.stop()


@pytest.mark.parametrize("part", PARTS)
def test_a_part_joins_only_its_own_group(part: str, secured: Secured) -> None:
    with admin_client(secured.kafka.address, secured.security(part), 30) as admin:
        joined = {group for group in GROUPS if _may_join(admin, group)}
    assert joined == ({PARTS[part].group} if PARTS[part].group else set())


def _may_join(admin: Any, group: str) -> bool:
    try:
        admin.list_group_offsets(group)
    except GroupAuthorizationFailedError:
        return False
    return True


def _refused(error: KafkaError | None) -> bool:
    return error is not None and error.code() in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    )  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_no_part_changes_topics_users_or_rights(part: str, secured: Secured, here: "Here") -> None:
    poor = secured.env(part, PRINCIPALS=str(secured.principals), STORE="embedded", STORE_CA_FILE="")
    code, _, err = here(poor, "provision")
    assert code == 2, err
    assert "does not make topic" in err
    own = secured.security(part)
    with pytest.raises(Misconfigured, match="does not let"):
        apply(secured.kafka.address, own, rules())
    with pytest.raises(Misconfigured, match="does not make user"):
        set_passwords(secured.kafka.address, own, {ADMIN: "mine"})


def test_the_history_is_written_by_one_and_read_by_another(secured: Secured) -> None:
    line = b"probe x=1 1772431200000"
    question = b'from(bucket:"borough/autogen") |> range(start: 2026-03-01T00:00:00Z) |> limit(n: 1)'
    allowed = {
        (part, what)
        for part in ("store", "web")
        for what, path, body, kind in (
            ("WRITE", "/api/v2/write?bucket=borough/autogen&precision=ms", line, "text/plain"),
            ("READ", "/api/v2/query", question, "application/vnd.flux"),
            ("ADMIN", "/query?q=DROP+DATABASE+borough", b"", "text/plain"),
        )
        if _asked(secured, (secured.principals / part / "store_token").read_text().strip(), path, body, kind)
    }
    assert allowed == {("store", "WRITE"), ("store", "READ"), ("web", "READ")}
    assert not _asked(secured, "", "/api/v2/query", question, "application/vnd.flux")


def _asked(secured: Secured, token: str, path: str, body: bytes, kind: str) -> bool:
    headers = {"Content-Type": kind} | ({"Authorization": f"Token {token}"} if token else {})
    answer = call(secured.influx.url + path, body, headers, context=secured.authority.context())
    return answer.status < 300 and b'"error"' not in answer.body


def test_rules_and_users_beyond_the_table_are_found_and_taken_away(secured: Secured) -> None:
    admin = KafkaSecurity(True, secured.authority.ca, "SCRAM-SHA-256", ADMIN, secured.kafka.password)
    apply(secured.kafka.address, admin, [*rules()[1:], Rule("borough-gateway", "TOPIC", "alerts", "READ")])
    ran = borough("doctor", "--accept-unknown", "--data-dir", secured.folder / "doctor", env=secured.env())
    assert ran.returncode == 1
    assert "borough-gateway may not WRITE topic readings.traffic" in ran.stdout
    assert "borough-gateway allowed READ topic alerts, which is not in the table" in ran.stdout
    poor = secured.env("gateway", WAIT_S="0.1")  # it says what it lacks, instead of trying for ever
    ran = borough("gateway", "--data-dir", secured.folder / "poor", env=poor)
    assert ran.returncode == 2
    assert "topic readings.traffic is missing, or borough-gateway may not use it" in ran.stderr
    assert apply(secured.kafka.address, admin, rules()) == (1, 1)


# --- what is wrong is said in one line that names the setting


WRONG = {
    "password": ({"BROKER_PASSWORD": "wr0ng-one"}, "BOROUGH_BROKER_PASSWORD"),
    "mechanism": ({"BROKER_MECHANISM": "plain"}, "BOROUGH_BROKER_MECHANISM"),
    "no password": ({"BROKER_PASSWORD": ""}, "BOROUGH_BROKER_PASSWORD"),
    "no user": ({"BROKER_USER": ""}, "BOROUGH_BROKER_USER"),
    "another authority": ({"BROKER_CA_FILE": "{other}"}, "BOROUGH_BROKER_CA_FILE"),
    "no authority": ({"BROKER_CA_FILE": "/nowhere/ca.pem"}, "BOROUGH_BROKER_CA_FILE"),
    "no password file": ({"BROKER_PASSWORD": "", "BROKER_PASSWORD_FILE": "/nowhere/p"}, "BOROUGH_BROKER_PASSWORD_FILE"),
    "another host": ({"BROKER": "kafkas://{elsewhere}"}, "BOROUGH_BROKER"),
    "expired": ({"BROKER": "kafkas://{expired}"}, "certificate has expired"),
    "without TLS": ({"BROKER": "kafka://{kafka}", "BROKER_CA_FILE": ""}, "kafkas://"),
    "a plain server": ({"BROKER": "kafkas://{plain}"}, "BOROUGH_BROKER"),
    "wrong token": ({"STORE_TOKEN": "admin:wr0ng-one"}, "BOROUGH_STORE_TOKEN"),
    "another authority of the store": ({"STORE_CA_FILE": "{other}"}, "BOROUGH_STORE_CA_FILE"),
    "no authority of the store": ({"STORE_CA_FILE": "/nowhere/ca.pem"}, "BOROUGH_STORE_CA_FILE"),
    "an expired store": ({"STORE": "influxs://{expired}/b?org=o"}, "certificate has expired"),
    "a store elsewhere": ({"STORE": "influxs://{elsewhere}/b?org=o"}, "BOROUGH_STORE"),
    "a store without TLS": ({"STORE": "influx://{influx}/b?org=o", "STORE_CA_FILE": ""}, "influxs://"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(case: str, secured: Secured, servers: dict[str, str], here: "Here") -> None:
    changed, named = WRONG[case]
    told = {name: re.sub(r"\{(\w+)\}", lambda found: servers[found[1]], text) for name, text in changed.items()}
    if any(name.startswith("STORE") for name in told):
        env = secured.env(BROKER="embedded", BROKER_CA_FILE="", BROKER_USER="", BROKER_PASSWORD="", **told)
        code, out, err = here(env, "provision")
    else:
        code, out, err = here(secured.env(**told), "provision", "--dry-run")
    assert code == (1 if case == "without TLS" else 2), err  # a broker may also just have gone
    (line,) = err.splitlines()
    assert named in line
    assert "wr0ng-one" not in line
    assert not any(secret in out + err for secret in secured.secrets())


Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """A command in this process, with this environment: its exit code, stdout and stderr."""

    def run(env: dict[str, str], *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["borough", *words])
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture(scope="module")
def servers(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    other = Authority(tmp_path_factory.mktemp("other"))
    authority = secured.authority
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with (
        _speaking_tls(authority.authority.issue_cert("127.0.0.1", not_after=yesterday)) as expired,
        _speaking_tls(authority.authority.issue_cert("db.example.org")) as elsewhere,
        _speaking_nothing() as plain,
    ):
        yield {
            "other": str(other.ca), "expired": expired, "elsewhere": elsewhere, "plain": plain,
            "kafka": secured.kafka.address, "influx": secured.influx.url.removeprefix("https://"),
        }  # fmt: skip


@contextmanager
def _speaking_tls(certificate: trustme.LeafCert) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with _listening(lambda sock: context.wrap_socket(sock, server_side=True)) as address:
        yield address


@contextmanager
def _speaking_nothing() -> Iterator[str]:
    with _listening(lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")) as address:
        yield address


@contextmanager
def _listening(greet: Any) -> Iterator[str]:
    """Every connection is greeted and closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                with sock:
                    try:
                        sock.recv(1, socket.MSG_PEEK)
                        greet(sock)
                    except OSError:  # the other side has hung up: that is what is tried
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)
