"""Where the tools of the native tests are: real Kafka, real InfluxDB, a Compose validator; no containers."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

KAFKA_VERSION = "4.3.1"
INFLUXD_VERSION = "v1.8.10"
COMPOSE_VERSION = "v2.16.2"

_INSTALL_S = 600


class Missing(Exception):
    """A tool is not there and cannot be fetched; one line that says which."""


def folder() -> Path:
    """Where tools are kept: ``BOROUGH_TOOLS``, else ``.tools`` in the checkout."""
    return Path(os.environ.get("BOROUGH_TOOLS", ROOT / ".tools"))


def kafka_jars() -> Path:
    """The folder with the broker's jars, fetched with Maven when they are not there. Raises: Missing."""
    _program("java")
    jars = folder() / f"kafka-{KAFKA_VERSION}" / "lib"
    if not (jars / f"kafka_2.13-{KAFKA_VERSION}.jar").exists():
        _program("mvn")
        fresh = jars.with_name("lib.new")
        shutil.rmtree(fresh, ignore_errors=True)
        pom = HERE / "pom.xml"
        _run(["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={fresh}"])
        shutil.rmtree(jars, ignore_errors=True)
        fresh.rename(jars)
    return jars


def influxd() -> Path:
    """The InfluxDB server: ``BOROUGH_INFLUXD``, else built with Go when it is not there. Raises: Missing."""
    given = os.environ.get("BOROUGH_INFLUXD")
    if given:
        if not Path(given).exists():
            raise Missing(f"BOROUGH_INFLUXD={given} does not exist")
        return Path(given)
    return _go_install("influxd", f"github.com/influxdata/influxdb/cmd/influxd@{INFLUXD_VERSION}", "influxd")


def compose_validator() -> Path:
    """The validator of the Compose Specification, built with Go when it is not there. Raises: Missing."""
    package = f"github.com/compose-spec/compose-go/v2/cmd@{COMPOSE_VERSION}"
    return _go_install("cmd", package, f"compose-spec-{COMPOSE_VERSION}")


def browser() -> Path:
    """A Chromium that can be driven. Raises: Missing."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise Missing("no chromium on this machine")


def _go_install(built: str, package: str, name: str) -> Path:
    program = folder() / "bin" / name
    if not program.exists():
        go = _program("go")
        build = folder() / "go-build"
        build.mkdir(parents=True, exist_ok=True)
        _run([go, "install", package], GOBIN=str(build))
        program.parent.mkdir(parents=True, exist_ok=True)
        (build / built).rename(program)
    return program


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None and name == "go" and Path("/usr/local/go/bin/go").exists():
        found = "/usr/local/go/bin/go"
    if found is None:
        raise Missing(f"no {name} on this machine")
    return found


def _run(command: list[str], **environment: str) -> None:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            cwd=HERE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{command[0]} did not finish within {_INSTALL_S} s") from None
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise Missing(f"{' '.join(command[:3])} failed: {last[0]}")
