"""Settings: every row from every source, which source wins, and what is said of values that cannot be used."""

from pathlib import Path

import pytest

from domain.errors import Misconfigured
from service.settings import MASK, ROWS, Settings, load

GOOD = {
    "data_dir": "var/x", "broker": "kafka://k1:9092,k2:9092", "store": "influx://localhost:8086/borough/autogen?org=town",
    "store_token": "secret", "store_token_file": None, "host": "::1", "port": "0", "sensors": "sensors.csv",
    "links": "links.csv", "accept_unknown": "yes", "gateway_name": "gw-1", "outbox_bytes_max": "2 GiB",
    "past_days": "30", "future_s": "60", "tick_s": "0.5",
    "lateness_s": "0", "horizon_s": "3600", "detector": "null", "road_detectors": "bottleneck, snd",
    "evidence_bytes_max": "64 MiB", "checkpoint_s": "3",
    "broker_ca_file": "ca.pem", "broker_user": "borough-web", "broker_password": "secret", "broker_password_file": None,
    "broker_mechanism": "SCRAM-SHA-256", "store_ca_file": "ca.pem", "principals": "var/principals",
    "api_url": "http://127.0.0.1:9/", "log_level": "DEBUG", "log_format": "json", "wait_s": "5",
}  # fmt: skip
BAD = {
    "data_dir": [" "], "broker": ["kafka://", "kafka://host", "amqp://host:1", "kafka://a:1,b"],
    "broker_user": ["a b"], "broker_password": ["a\nb"], "broker_mechanism": ["gssapi"],
    "store": ["influx://host/bucket", "influx://host:8086", "sqlite://x"], "store_token": ["a\nb"], "host": ["a\nb"],
    "port": ["abc", "-1", "65536", "1.5", ""], "accept_unknown": ["maybe"], "gateway_name": ["a/b", "x" * 129],
    "outbox_bytes_max": ["10", "1 parsec", "-1 GiB"], "past_days": ["nan", "-1"], "future_s": ["inf"],
    "tick_s": ["0"], "lateness_s": ["x"], "horizon_s": ["1e12"], "checkpoint_s": ["0"], "detector": ["a\nb"],
    "road_detectors": ["snd,radar", "", "none,snd", "california7,,snd"],
    "api_url": ["localhost:8480"], "wait_s": ["-1"], "log_level": ["loud"], "log_format": ["xml"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No borough.toml of the checkout may take part."""
    monkeypatch.chdir(tmp_path)


def test_every_row_has_its_default_and_says_so() -> None:
    settings = load(environment={})
    for row in ROWS.values():
        assert getattr(settings, row.name) == row.default, row.name
        assert settings.source(row.name) == "default"
        assert row.help.endswith("."), row.name


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"store_token_file", "broker_password_file"}))
def test_environment_file_and_flag_read_alike(name: str, tmp_path: Path) -> None:
    row, text = ROWS[name], GOOD[name]
    path = tmp_path / "town.toml"
    path.write_text(f'{name} = "{text}"\n')
    by_environment = load(environment={row.environment: text})
    by_file = load(config=path, environment={})
    by_flag = load({name: text}, environment={})
    assert getattr(by_environment, name) == getattr(by_file, name) == getattr(by_flag, name)
    assert getattr(by_flag, name) != row.default
    sources = [each.source(name) for each in (by_environment, by_file, by_flag)]
    assert sources == ["environment", str(path), "flag"]


def test_the_table_of_examples_names_every_setting() -> None:
    assert set(GOOD) == set(ROWS)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BAD.items() for text in texts])
def test_a_bad_value_gets_one_line_that_names_it(name: str, text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load({name: text}, environment={})
    said = str(caught.value)
    assert said.startswith(ROWS[name].flag + ": ")
    assert said.endswith("(from the command line)")


def test_the_words_for_a_bad_port() -> None:
    with pytest.raises(Misconfigured) as caught:
        load(environment={"BOROUGH_PORT": "abc"})
    assert str(caught.value) == "BOROUGH_PORT: 'abc' is not a whole number between 0 and 65535 (from environment)"


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / "borough.toml").write_text("port = 1\nlateness_s = 1\ntick_s = 1.5\n")
    environment = {"BOROUGH_PORT": "2", "BOROUGH_LATENESS_S": "2"}
    settings = load({"port": "3", "lateness_s": None}, environment=environment, defaults={"data_dir": "var/demo"})
    assert (settings.port, settings.lateness_s, settings.tick_s) == (3, 2.0, 1.5)
    assert (settings.horizon_s, settings.data_dir) == (7200.0, Path("var/demo"))
    assert [settings.source(name) for name in ("port", "lateness_s", "tick_s", "data_dir")] == [
        "flag", "environment", "borough.toml", "default",
    ]  # fmt: skip


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("port = 7\n")
    assert load(environment={"BOROUGH_CONFIG": "a.toml"}).port == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1\n", "there is no setting 'prot'; did you mean 'port'?"),
        ("zzz = 1\n", "there is no setting 'zzz'; known are data_dir"),
        ("port = ", "not a TOML file"),
        ("port = true\n", "port: 'True' is not a whole number"),
        ("accept_unknown = 3\n", "accept_unknown: '3' is not yes or no"),
        ("[port]\nx = 1\n", "port: '{'x': 1}' is not a whole number"),
    ],
)
def test_a_bad_file(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "borough.toml").write_text(text)
    with pytest.raises(Misconfigured) as caught:
        load(environment={})
    assert words in str(caught.value)
    assert "borough.toml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        load(config=tmp_path / "none.toml", environment={})


def test_an_unknown_environment_name_is_a_warning() -> None:
    settings = load(environment={"BOROUGH_PROT": "1", "BOROUGH_REQUIRE": "all", "PATH": "/"})
    assert settings.warnings == ("BOROUGH_PROT is set, but there is no such setting; did you mean BOROUGH_PORT?",)


def test_the_token_from_a_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    settings = load(environment={"BOROUGH_STORE_TOKEN_FILE": "token"})
    assert (settings.store_token, settings.source("store_token")) == ("s3cret", "token")
    assert settings.shown("store_token") == MASK
    given = load(environment={"BOROUGH_STORE_TOKEN_FILE": "token", "BOROUGH_STORE_TOKEN": "other"})
    assert given.store_token == "other"
    with pytest.raises(Misconfigured, match=r"store_token_file \(BOROUGH_STORE_TOKEN_FILE\): nowhere cannot be read"):
        load(environment={"BOROUGH_STORE_TOKEN_FILE": "nowhere"})


@pytest.mark.parametrize("address", ["influx://h:1/b?org=o&token=s3cret", "influx://u:s3cret@h:1/b?token=s3cret&org=o"])
def test_secrets_inside_an_address_are_masked(address: str) -> None:
    shown = Settings(store=address).shown("store")
    assert "s3cret" not in shown
    assert MASK in shown
    assert "org=o" in shown


def test_the_address_of_the_api() -> None:
    assert Settings(port=9).api == "http://127.0.0.1:9"
    assert Settings(host="::1", port=9).api == "http://[::1]:9"
    assert load({"api_url": "https://town.example/"}, environment={}).api == "https://town.example"


def test_sizes() -> None:
    assert load({"outbox_bytes_max": "1.5GiB"}, environment={}).outbox_bytes_max == 3 << 29
    assert load({"outbox_bytes_max": "500 MB"}, environment={}).outbox_bytes_max == 500_000_000


SECRETS = [("broker_password", "broker_password_file"), ("store_token", "store_token_file")]


@pytest.mark.parametrize(("secret", "file"), SECRETS)
def test_a_secret_from_a_file_is_shown_nowhere(secret: str, file: str, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("s3cret\n")
    settings = load({file: str(tmp_path / "kept")}, environment={})
    assert getattr(settings, secret) == "s3cret"
    assert settings.source(secret) == str(tmp_path / "kept")
    assert "s3cret" not in repr(settings) + str(settings.shown(secret))
    by_address = load({"store": "influx://h:1/b?token=s3cret"}, environment={})
    assert "s3cret" not in repr(by_address)
    with pytest.raises(Misconfigured) as caught:
        load(environment={ROWS[secret].environment: "s3cret\nmore"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("secret", "file"), SECRETS)
@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"s3cret\nmore\n"])
def test_a_secret_file_that_cannot_be_used(secret: str, file: str, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured) as caught:
        load({file: str(path)}, environment={})
    assert str(path) in str(caught.value)
    assert ROWS[file].environment in str(caught.value)
    assert "s3cret" not in str(caught.value)
