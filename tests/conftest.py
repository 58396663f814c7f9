"""Services for tests: real ones, started once per run, or those given by address.

A test that needs what this machine does not have is skipped with one line; with ``BOROUGH_REQUIRE=all`` that is a
failure, so that a complete run is complete.
"""

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.native import tools
from tests.native.influx import DATABASE, NativeInflux, create_database
from tests.native.kafka import NativeKafka

_LIVE = ("tests/faults", "tests/system", "tests/browser")  # these wait for real programs most of the time


def pytest_configure() -> None:
    """What a script starts in the background ignores Ctrl-C, and so would all that is started and stopped here."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The live tests come first: they take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LIVE))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """``make test`` runs tests beside each other: the live ones of a folder one by one, the others by module."""
    from xdist.scheduler import LoadScopeScheduling

    class Beside(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((folder for folder in _LIVE if nodeid.startswith(folder)), nodeid.split("::")[0])

    return Beside(config, log)


@pytest.fixture(scope="session")
def kafka_address() -> Iterator[str]:
    """``host:port`` of a Kafka without topics; ``BOROUGH_TEST_KAFKA``, else started for this run."""
    given = os.environ.get("BOROUGH_TEST_KAFKA")
    if given:
        yield given
        return
    try:
        kafka = NativeKafka()
    except tools.Missing as error:
        pytest.skip(f"needs Kafka: {error}")
    with kafka:
        yield kafka.address


@pytest.fixture(scope="session")
def influx_url() -> Iterator[str]:
    """URL of an InfluxDB with database ``borough``; ``BOROUGH_TEST_INFLUX``, else started for this run."""
    given = os.environ.get("BOROUGH_TEST_INFLUX")
    if given:
        create_database(given, DATABASE)
        yield given
        return
    try:
        influx = NativeInflux()
    except tools.Missing as error:
        pytest.skip(f"needs InfluxDB: {error}")
    with influx:
        yield influx.url


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """The program of a Chromium, for Playwright's ``executable_path``."""
    try:
        return tools.browser()
    except tools.Missing as error:
        pytest.skip(f"needs a browser: {error}")


@pytest.fixture(scope="session")
def compose_validator() -> Path:
    """The validator of the Compose Specification."""
    try:
        return tools.compose_validator()
    except tools.Missing as error:
        pytest.skip(f"needs the Compose validator: {error}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """With ``BOROUGH_REQUIRE=all`` nothing may be skipped."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("BOROUGH_REQUIRE") == "all":
        report.outcome = "failed"
        report.longrepr = f"skipped, but BOROUGH_REQUIRE=all: {report.longrepr}"
    return report
