"""docker-compose.yml is valid, and says nothing that Borough does not understand."""

import json
import os
import subprocess
import uuid
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from service.cli import app
from service.settings import NOT_SETTINGS, ROWS

ROOT = Path(__file__).resolve().parents[2]
BUILT = "borough:local"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("BOROUGH_", "COMPOSE_"))}


@pytest.fixture(scope="module")
def model(compose_validator: Path) -> dict[str, Any]:
    """The file as the Compose Specification understands it, all profiles."""
    done = subprocess.run(
        [compose_validator, "-format", "json", "docker-compose.yml"],
        cwd=ROOT, env=CLEAN | {"COMPOSE_PROFILES": "demo"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_validator_refuses_what_is_wrong(compose_validator: Path, tmp_path: Path) -> None:
    bad = tmp_path / "docker-compose.yml"
    bad.write_text("services:\n  kafka:\n    imag: apache/kafka\n")
    done = subprocess.run([compose_validator, bad], capture_output=True, timeout=60, check=False)
    assert done.returncode != 0


def test_every_part_is_there(model: dict[str, Any]) -> None:
    parts = {"provision", "gateway", "worker", "alerts", "store", "web", "simulator"}
    assert set(model["services"]) == parts | {"kafka", "influxdb"}
    assert {name for name, service in model["services"].items() if service.get("image") == BUILT} == parts
    assert model["services"]["simulator"]["profiles"] == ["demo"]


def test_commands_and_settings_exist(model: dict[str, Any]) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    known = {row.environment for row in ROWS.values()}
    for name, service in _ours(model).items():
        assert service["command"][0] in commands, name
        options = {flag for parameter in commands[service["command"][0]].params for flag in parameter.opts}
        assert {word for word in service["command"][1:] if word.startswith("--")} <= options, name
        given = {variable for variable in service["environment"] if variable.startswith("BOROUGH_")}
        given = {variable for variable in given if not variable.startswith(NOT_SETTINGS)}
        assert given - known == set(), name


def test_our_containers_can_do_little(model: dict[str, Any]) -> None:
    for name, service in _ours(model).items():
        assert service["read_only"] is True, name
        assert service["user"].split(":")[0] not in ("0", "root"), name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_only_this_machine_reaches_what_is_published(model: dict[str, Any]) -> None:
    published = {
        name: [port["host_ip"] for port in service["ports"]]
        for name, service in model["services"].items()
        if service.get("ports")
    }
    assert published == {"gateway": ["127.0.0.1"], "web": ["127.0.0.1"]}


def test_images_are_pinned_and_servers_have_health_checks(model: dict[str, Any]) -> None:
    for name, service in model["services"].items():
        image, _, tag = service["image"].rpartition(":")
        assert image, name
        assert tag == "local" or "." in tag, f"{name}: {service['image']} is not pinned to a minor version"
    for name in ("kafka", "influxdb", "gateway", "web"):
        assert model["services"][name]["healthcheck"]["test"], name


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


def _ours(model: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in model["services"].items() if service["image"] == BUILT}
