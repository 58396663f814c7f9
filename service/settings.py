"""Every setting, once: the fields of :class:`Settings` are the table from which flags, environment names, the TOML
file, ``borough settings``, ``--help`` and the reference page are made. Adding a setting is one row here.

Order: flag > environment ``BOROUGH_<NAME>`` > TOML file > default. The source of each value is kept.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from domain.errors import Misconfigured
from models import road_names
from service import setting_kinds as kinds
from service.setting_kinds import Kind

PREFIX = "BOROUGH_"
FILE = "borough.toml"
MASK = "********"
#: Environment names that start like settings and are read elsewhere (the file itself, the test suite).
NOT_SETTINGS = (
    "BOROUGH_CONFIG",
    "BOROUGH_REQUIRE",
    "BOROUGH_DATA_SETS",
    "BOROUGH_TOOLS",
    "BOROUGH_TEST_",
    "BOROUGH_FAULTS",
    "BOROUGH_INFLUXD",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. ``part`` groups settings by what they are about; commands take whole parts."""

    name: str
    kind: Kind
    default: Any
    help: str
    part: str
    secret: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def environment(self) -> str:
        return PREFIX + self.name.upper()


def _row(part: str, kind: Kind, default: Any, help: str, secret: bool = False) -> Any:
    return field(default=default, metadata={"kind": kind, "part": part, "help": help, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """The values in force. Make one with :func:`load`; in tests, ``Settings(port=0, …)`` is fine too."""

    # fmt: off
    data_dir: Path = _row("place", kinds.folder, Path("var/borough"), "Folder for everything Borough keeps on this machine: outbox, history, alerts, checkpoints.")
    broker: str = _row("broker", kinds.broker, "embedded", "Message broker: 'embedded', or kafka://host:port[,host:port…]; kafkas:// for TLS.")
    broker_ca_file: Path | None = _row("broker", kinds.path, None, "Authority (PEM) that has signed the broker's certificate; default: those of this system.")
    broker_user: str = _row("broker", kinds.name, "", "Name to sign in at the broker with; empty: without one.")
    broker_password: str = _row("broker", kinds.text, "", "Password of that name; better given in a file or in the environment than as a flag.", secret=True)
    broker_password_file: Path | None = _row("broker", kinds.path, None, "File that holds the broker's password, as with Docker secrets.")
    broker_mechanism: str = _row("broker", kinds.choice("scram-sha-512", "scram-sha-256", "plain"), "scram-sha-512", "How the broker is shown the password.")
    wait_s: float = _row("broker", kinds.number(0, 86_400), 20.0, "How long to wait at the start for a broker or store that does not answer, seconds.")
    store: str = _row("store", kinds.store, "embedded", "History: 'embedded', or influx://host:port/bucket?org=… (an InfluxDB); influxs:// for TLS.")
    store_ca_file: Path | None = _row("store", kinds.path, None, "Authority (PEM) that has signed the store's certificate; default: those of this system.")
    store_token: str = _row("store", kinds.text, "", "Token of the InfluxDB; better given in the environment or in a file than as a flag.", secret=True)
    store_token_file: Path | None = _row("store", kinds.path, None, "File that holds the store's token, as with Docker secrets.")
    principals: Path | None = _row("rights", kinds.path, None, "Folder of users for 'provision': every part gets a name, a password or token kept there as PART/broker_password and PART/store_token, and the rights it needs. Without it, nobody is given rights.")
    host: str = _row("web", kinds.text, "127.0.0.1", "Address to listen on; 127.0.0.1 is reached from this machine only.")
    port: int = _row("web", kinds.whole(0, 65_535), 8480, "Port to listen on; 0 takes a free one.")
    sensors: Path | None = _row("sensors", kinds.path, None, "The sensors table (CSV or Parquet): sensor,area,lat,lon,interval_s and more.")
    links: Path | None = _row("sensors", kinds.path, None, "The road graph (CSV or Parquet): from,to,metres.")
    accept_unknown: bool = _row("sensors", kinds.yes_no, False, "Register sensors that are not in the sensors table instead of putting their readings in quarantine.")
    gateway_name: str = _row("gateway", kinds.name, "", "Name of this gateway in every frame; default: a name made once and kept in the data folder.")
    outbox_bytes_max: int = _row("gateway", kinds.size(1 << 20, 1 << 50), 1 << 30, "Disk the outbox may take before readings are refused with 503.")
    past_days: float = _row("gateway", kinds.number(0, 100_000), 3_650.0, "Readings older than this are rejected, days.")
    future_s: float = _row("gateway", kinds.number(0, 86_400), 300.0, "Readings further ahead of the clock than this are rejected, seconds.")
    tick_s: float = _row("gateway", kinds.number(0.05, 60), 1.0, "How often the gateway writes the passing of time into the log, seconds.")
    lateness_s: float = _row("analysis", kinds.number(0, 86_400), 10.0, "How long a window waits for late readings before it is published, seconds.")
    horizon_s: float = _row("analysis", kinds.number(0, 2_592_000), 7_200.0, "How late a reading may come and still revise its window, seconds; later ones go to quarantine.")
    detector: str = _row("analysis", kinds.text, "novelty", "Which detector scores the readings.")
    road_detectors: str = _row("analysis", kinds.names(road_names.NAMES, road_names.parse_names), ",".join(road_names.DEFAULT), "Which of the classics of traffic incident detection raise findings on roads: california7, california8, snd, bottleneck, with commas; or none.")
    checkpoint_s: float = _row("analysis", kinds.number(0.1, 600), 5.0, "How often state and offsets are written down, seconds.")
    evidence_bytes_max: int = _row("analysis", kinds.size(0, 1 << 50), 1 << 28, "Disk for what findings were made of, so that 'explain' can make them again; 0 keeps none.")
    api_url: str = _row("client", kinds.url, "", "Address of the running system; default: the one recorded in the data folder, else http://host:port.")
    log_level: str = _row("logs", kinds.choice("debug", "info", "warning", "error"), "warning", "How much is logged to stderr.")
    log_format: str = _row("logs", kinds.choice("text", "json"), "text", "Log lines for people or for machines.")
    # fmt: on
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def api(self) -> str:
        """``api_url``, or the address that ``host`` and ``port`` make; without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.api_url or f"http://{host}:{self.port}").rstrip("/")

    def source(self, name: str) -> str:
        """Where a value comes from: ``flag``, ``environment``, the path of a file, or ``default``."""
        return self.sources.get(name, "default")

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={self.shown(name)!r}' for name in ROWS)})"

    def shown(self, name: str) -> Any:
        """The value as it may be printed: plain for JSON, secrets masked."""
        value = getattr(self, name)
        if ROWS[name].secret:
            return MASK if value else ""
        return kinds.without_token(str(value), MASK) if isinstance(value, str | Path) else value


def _rows() -> dict[str, Row]:
    table = (f for f in fields(Settings) if "kind" in f.metadata)
    return {f.name: Row(name=f.name, default=f.default, **f.metadata) for f in table}


ROWS: dict[str, Row] = _rows()
#: Secrets that a file named in another setting may hold.
_IN_FILES = ("broker_password", "store_token")


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Settings:
    """Merge the sources.

    Args:
        flags: settings given on the command line; None stands for "not given".
        config: the TOML file; else ``BOROUGH_CONFIG``, else ``borough.toml`` where the program was started.
        environment: for tests; else the process's own.
        defaults: other defaults than the table's, as the demo has for its data folder.

    Raises:
        Misconfigured: a value of the wrong type or range, an unknown key, an unreadable file; one line.
    """
    env = os.environ if environment is None else environment
    values: dict[str, Any] = {
        name: kinds.checked(ROWS[name].kind, value, name, "default") for name, value in (defaults or {}).items()
    }
    sources: dict[str, str] = {}

    def take(name: str, value: Any, called: str, source: str, words: str) -> None:
        shown = MASK if ROWS[name].secret else value
        values[name] = kinds.checked(ROWS[name].kind, value, called, words, shown)
        sources[name] = source

    path = _config_path(config, env)
    if path is not None:
        for name, value in _read_file(path).items():
            take(name, value, name, str(path), f"from {path}")
    for row in ROWS.values():
        if env.get(row.environment):
            take(row.name, env[row.environment], row.environment, "environment", "from environment")
    for name, value in (flags or {}).items():
        if value is not None:
            take(name, value, ROWS[name].flag, "flag", "from the command line")
    for name in _IN_FILES:
        path = values.get(f"{name}_file")
        if path and not values.get(name):
            values[name] = _read_secret(path, f"{name}_file")
            sources[name] = str(path)
    return Settings(**values, sources=sources, warnings=tuple(_unknown_names(env)))


def _config_path(config: Path | None, env: Mapping[str, str]) -> Path | None:
    if config is not None:
        return config
    if env.get("BOROUGH_CONFIG"):
        return Path(env["BOROUGH_CONFIG"])
    return Path(FILE) if Path(FILE).is_file() else None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise Misconfigured(f"{path}: the settings file cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: not a TOML file: {error}") from None
    for name in table:
        if name not in ROWS:
            raise Misconfigured(f"{path}: there is no setting '{name}'{_nearest(name)}")
    return table


def _read_secret(path: Path, name: str) -> str:
    """The file's one line; what is wrong with it is said without its content."""
    called = f"{name} ({ROWS[name].environment})"
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Misconfigured(f"{called}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{called}: {path} is not text") from None
    if not text or "\n" in text:
        raise Misconfigured(f"{called}: {path} does not hold one line of text")
    return text


def _nearest(name: str) -> str:
    near = get_close_matches(name.lower(), ROWS, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(ROWS)}"


def _unknown_names(env: Mapping[str, str]) -> list[str]:
    known = {row.environment for row in ROWS.values()}
    strange = sorted(n for n in env if n.startswith(PREFIX) and n not in known and not n.startswith(NOT_SETTINGS))
    return [f"{name} is set, but there is no such setting" + _hint(name) for name in strange]


def _hint(name: str) -> str:
    near = get_close_matches(name.removeprefix(PREFIX).lower(), ROWS, n=1)
    return f"; did you mean {ROWS[near[0]].environment}?" if near else ""
