"""A real InfluxDB 1.8: v2 write API and Flux queries. By hand: ``python tests/native/influx.py`` and Ctrl-C."""

import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.native import tools
from tests.native.service import NativeService, free_port

DATABASE = "borough"
BUCKET = f"{DATABASE}/autogen"
TOKEN = "borough:borough"  # user:password; nobody checks it
ORG = "borough"

_CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
  logging-enabled = false
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
  index-version = "tsi1"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  flux-enabled = true
  auth-enabled = false
  log-enabled = false
  unix-socket-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
"""


class NativeInflux(NativeService):
    """``url`` is ``http://127.0.0.1:port``; the database ``borough`` is there. Raises: tools.Missing, when made."""

    name = "influx"

    def __init__(self) -> None:
        self._program = tools.influxd()
        super().__init__()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = self.folder / "influxdb.conf"
        self._config.write_text(_CONFIG.format(folder=self.folder, port=self.port, rpc=free_port()))

    def command(self) -> list[str]:
        return [str(self._program), "run", "-config", str(self._config)]

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=2):
                pass
        except (urllib.error.URLError, OSError):
            return False
        create_database(self.url, DATABASE)
        return True


def create_database(url: str, name: str) -> None:
    """``CREATE DATABASE``: nothing happens when it exists."""
    query = urllib.parse.urlencode({"q": f'CREATE DATABASE "{name}"'}).encode()
    with urllib.request.urlopen(f"{url}/query", data=query, timeout=10):
        pass


if __name__ == "__main__":
    with NativeInflux() as influx:
        print(f"BOROUGH_TEST_INFLUX={influx.url}", flush=True)
        while True:
            time.sleep(60)
