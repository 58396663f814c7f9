"""docker-compose.yml is valid, and says nothing that Borough does not understand."""

import json
import os
import re
import ssl
import stat
import subprocess
import tomllib
import uuid
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from domain.rights import PARTS, principal
from service.cli import app
from service.settings import NOT_SETTINGS, ROWS
from tests.native.influx import create_database
from tests.system.program import call

ROOT = Path(__file__).resolve().parents[2]
BUILT = "borough:local"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("BOROUGH_", "COMPOSE_"))}


@pytest.fixture(scope="module")
def model(compose_validator: Path) -> dict[str, Any]:
    """The file as the Compose Specification understands it, all profiles."""
    return _model(compose_validator, "docker-compose.yml")


def _model(validator: Path, *files: str) -> dict[str, Any]:
    done = subprocess.run(
        [validator, "-format", "json", *files],
        cwd=ROOT, env=CLEAN | {"COMPOSE_PROFILES": "demo,grafana"}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def secured(compose_validator: Path) -> dict[str, Any]:
    """The same with TLS and users: the second file laid over the first."""
    return _model(compose_validator, "docker-compose.yml", "deploy/secured/compose.yml")


def test_the_validator_refuses_what_is_wrong(compose_validator: Path, tmp_path: Path) -> None:
    bad = tmp_path / "docker-compose.yml"
    bad.write_text("services:\n  kafka:\n    imag: apache/kafka\n")
    done = subprocess.run([compose_validator, bad], capture_output=True, timeout=60, check=False)
    assert done.returncode != 0


def test_every_part_is_there(model: dict[str, Any]) -> None:
    parts = {"provision", "gateway", "worker", "alerts", "store", "web", "simulator"}
    assert set(model["services"]) == parts | {"kafka", "influxdb", "grafana"}
    assert {name for name, service in model["services"].items() if service.get("image") == BUILT} == parts
    assert model["services"]["simulator"]["profiles"] == ["demo"]
    assert model["services"]["grafana"]["profiles"] == ["grafana"]


@pytest.mark.parametrize("which", ["model", "secured"])
def test_commands_and_settings_exist(which: str, request: pytest.FixtureRequest) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    by_environment = {row.environment: row for row in ROWS.values()}
    for name, service in _ours(request.getfixturevalue(which)).items():
        command = commands[service["command"][0]]
        options = {flag for parameter in command.params for flag in parameter.opts}
        assert {word for word in service["command"][1:] if word.startswith("--")} <= options, name
        for variable, value in _environment(service).items():
            if variable.startswith("BOROUGH_") and not variable.startswith(NOT_SETTINGS):
                assert variable in by_environment, f"{name}: {variable} is no setting"
                by_environment[variable].kind.read(value)


@pytest.mark.parametrize("which", ["model", "secured"])
def test_containers_can_do_little(which: str, request: pytest.FixtureRequest) -> None:
    for name, service in request.getfixturevalue(which)["services"].items():
        assert service["read_only"] is True, name
        assert service["user"].split(":")[0] not in ("0", "root"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name


def test_only_this_machine_reaches_what_is_published(model: dict[str, Any]) -> None:
    published = {
        name: [port["host_ip"] for port in service["ports"]]
        for name, service in model["services"].items()
        if service.get("ports")
    }
    assert published == {name: ["127.0.0.1"] for name in ("gateway", "web", "grafana")}


def test_images_are_pinned_and_whoever_stays_has_a_health_check(model: dict[str, Any]) -> None:
    for name, service in model["services"].items():
        image, _, tag = service["image"].rpartition(":")
        assert image, name
        assert tag == "local" or re.fullmatch(r"\d+\.\d+\.\d+", tag), f"{name}: {service['image']} is not pinned"
    once = {"provision", "simulator"}
    assert {name for name, service in model["services"].items() if "healthcheck" not in service} == once
    assert all(re.search(r"FROM python:3\.\d+-slim-\w+", line) for line in _dockerfile("FROM"))


def test_there_can_be_many_workers(model: dict[str, Any]) -> None:
    worker = model["services"]["worker"]
    assert not {"container_name", "ports", "hostname"} & set(worker)
    assert not [volume for volume in worker["volumes"] if volume["type"] == "volume"]  # none that they would share
    assert any(mount.startswith("/var/lib/borough:") for mount in worker["tmpfs"])


def _dockerfile(word: str) -> list[str]:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(word + " ")]


def test_the_dockerfile_copies_what_exists_and_drops_root() -> None:
    copied = [word for line in _dockerfile("COPY") if "--from" not in line for word in line.split()[1:-1]]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in ignored, f".dockerignore keeps {name} from the build"
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(packages["packages"]) <= set(copied)
    assert _dockerfile("USER") == ["USER borough"]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.search(r"^hatchling==", lock, re.MULTILINE), "the image builds the wheel with what the lock has"


def test_every_part_of_the_secured_run_is_its_own_user(secured: dict[str, Any]) -> None:
    for part, rights in PARTS.items():
        service = secured["services"][part]
        given = _environment(service)
        assert given["BOROUGH_BROKER_USER"] == principal(part)
        assert given["BOROUGH_BROKER"].startswith("kafkas://")
        own = [volume["source"] for volume in service["volumes"] if volume["source"].startswith("principal-")]
        assert own == [f"principal-{part}"]
        assert {secret["source"] for secret in service.get("secrets", ())} == {"ca"}, part
        if rights.store:
            assert given["BOROUGH_STORE"].startswith("influxs://")
            assert given["BOROUGH_STORE_TOKEN_FILE"] == "/run/principal/store_token"
    made = {volume["target"] for volume in secured["services"]["provision"]["volumes"]}
    assert made == {f"/var/lib/principals/{part}" for part in PARTS}
    assert all(part in "".join(_run_lines()) for part in PARTS)


def _run_lines() -> list[str]:
    return [line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if "for part in" in line]


def test_secrets_are_made_for_everything_that_is_mounted(secured: dict[str, Any], tmp_path: Path) -> None:
    for _ in range(2):  # again changes nothing
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        subprocess.run([ROOT / "deploy/secured/make-secrets.sh", tmp_path], check=True, capture_output=True, timeout=60)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert before == made
    wanted = {Path(secret["file"]).name for secret in secured["secrets"].values()}
    assert wanted - set(made) == {"grafana_token"}  # InfluxDB itself makes that one
    for name in ("kafka", "influxdb"):
        assert made[f"{name}_pem"].startswith(b"-----BEGIN PRIVATE KEY-----")  # PKCS#8: Java reads no other
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(tmp_path / f"{name}_pem")
        _shake_hands(server, ssl.create_default_context(cafile=tmp_path / "ca"), name)
    assert stat.S_IMODE((tmp_path / "ca_key").stat().st_mode) == 0o600


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """In memory. Raises: ssl.SSLError: the client does not take the certificate for this name."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there, server_hostname=name), server.wrap_bio(there, back, server_side=True)]
    done = 0
    for _ in range(10):
        for end in list(ends):
            try:
                end.do_handshake()
                done += 1
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass
    assert done == 2


def test_the_dashboard_asks_what_the_store_understands(influx_url: str) -> None:
    """Every query, with Grafana's variables filled in, on a real InfluxDB with one point of each kind."""
    lines = (
        "aggregates,series=loop-1/traffic.flow,window_s=900 count=3i,flag=1i,mean=2.5,min=1,max=4,coverage=1 {t}\n"
        "aggregates,series=loop-1/traffic.flow,window_s=3600 count=3i,flag=1i,last=4 {t}\n"
        'findings,slot=1 body="x" {t}\nquarantine,slot=1 body="x",id="q",reason="r" {t}'
    ).replace("{t}", "1772431200000000000")
    bucket = f"b{uuid.uuid4().hex}"
    create_database(influx_url, bucket)
    asked = call(f"{influx_url}/api/v2/write?bucket={bucket}/autogen", lines.encode())
    assert asked.status == 204, asked.body
    board = json.loads((ROOT / "deploy/grafana/dashboards/borough.json").read_text(encoding="utf-8"))
    queries = [target["query"] for panel in board["panels"] for target in panel["targets"]]
    queries += [v["query"] for v in board["templating"]["list"] if v["type"] == "query"]
    assert len(queries) == 6
    for query in queries:
        for name, value in {
            '"borough"': f'"{bucket}/autogen"', "${series}": "loop-1/traffic.flow", "${window}": "900",
            "v.timeRangeStart": "2026-03-01T00:00:00Z", "v.timeRangeStop": "2026-03-03T00:00:00Z",
            "-30d": "2026-03-01T00:00:00Z",
        }.items():  # fmt: skip
            query = query.replace(name, value)
        asked = call(f"{influx_url}/api/v2/query", query.encode(), {"Content-Type": "application/vnd.flux"})
        assert asked.status == 200, (query, asked.body)
        assert b"error" not in asked.body, (query, asked.body)
        assert len(asked.body.strip().splitlines()) > 1, f"nothing found: {query}"


def test_the_mounted_volumes_are_declared_and_secrets_stay_out_of_the_environment(model: dict[str, Any]) -> None:
    mounted = {
        volume["source"]
        for service in model["services"].values()
        for volume in service.get("volumes", ())
        if volume["type"] == "volume"
    }
    assert mounted == set(model["volumes"])
    for service in model["services"].values():
        assert "BOROUGH_STORE_TOKEN" not in service.get("environment", {})
    assert model["secrets"]["store_token"]["file"] == str(ROOT / "deploy/secrets/store_token")


def test_the_cluster_id_is_one(model: dict[str, Any]) -> None:
    identity = model["services"]["kafka"]["environment"]["CLUSTER_ID"]
    assert uuid.UUID(bytes=urlsafe_b64decode(identity + "=="))


def _environment(service: dict[str, Any]) -> dict[str, str]:
    """A mapping; the validator gives a list where files were laid over each other."""
    given = service.get("environment", {})
    return dict(line.split("=", 1) for line in given) if isinstance(given, list) else given


def _ours(model: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in model["services"].items() if service["image"] == BUILT}
