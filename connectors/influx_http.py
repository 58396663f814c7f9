"""The one client of an InfluxDB: its address, its errors told apart, its set-up."""

import gzip
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from influxdb_client import Dialect, InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3.exceptions import HTTPError

from domain.errors import BoroughError, Misconfigured, Unavailable

_LIMITS = ("max-series-per-database", "max-values-per-tag")
_CSV = Dialect(header=True, delimiter=",", annotations=[])


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """Where an InfluxDB is and what in it is ours. ``url`` is ``http://host:port``, ``bucket`` may hold a slash."""

    url: str
    bucket: str
    org: str = ""
    token: str = field(default="", repr=False)


def parse_address(text: str, token: str | None = None) -> InfluxAddress:
    """``influx://host:port/bucket?org=…&token=…`` (``influxs://`` for TLS); ``token`` wins over the one in the text.

    Raises:
        Misconfigured: not such an address; the message never shows the token.
    """
    example = "influx://127.0.0.1:8086/borough?org=borough"
    shown = text.split("?", 1)[0]
    try:
        parts = urlsplit(text)
        port = parts.port or 8086
    except ValueError as error:
        raise Misconfigured(f"store address {shown}: {error}; write it as in {example}") from None
    if parts.scheme not in ("influx", "influxs") or not parts.hostname:
        raise Misconfigured(f"store address {shown}: write it as in {example}")
    if parts.username or parts.password:
        raise Misconfigured("store address: give user:password as token, not before the host")
    bucket = unquote(parts.path).strip("/")
    if not bucket:
        raise Misconfigured(f"store address {shown}: the bucket is missing; write it as in {example}")
    options = parse_qs(parts.query, keep_blank_values=True)
    if unknown := sorted(set(options) - {"org", "token"}):
        raise Misconfigured(f"store address {shown}: unknown option {unknown[0]}; known are org and token")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"{'https' if parts.scheme == 'influxs' else 'http'}://{host}:{port}"
    given = options.get("token", [""])[-1]
    return InfluxAddress(url, bucket, options.get("org", [""])[-1], token or given)


class InfluxHttp:
    """Writes lines and asks Flux of one bucket. Any thread may call. Errors are ours, except :class:`Refused`."""

    def __init__(self, address: InfluxAddress, timeout_s: float = 7.0) -> None:
        self.address = address
        self._client = InfluxDBClient(
            url=address.url,
            token=address.token or "-",
            org=address.org or "-",
            timeout=int(timeout_s * 1000),
        )
        # What write_api(SYNCHRONOUS) calls; its own compression (level 9) costs ten times the rest of a write.
        self._write = WriteService(self._client.api_client)
        self._query = self._client.query_api()
        self._not_before = 0.0

    def write(self, lines: str, precision: str) -> None:
        """Stored on return. Raises: Refused: some lines were not taken; Unavailable; Misconfigured."""
        self.keep_waiting()
        try:
            self._write.post_write(
                org=self.address.org or "-",
                bucket=self.address.bucket,
                body=gzip.compress(lines.encode(), compresslevel=1),
                precision=precision,
                content_encoding="gzip",
                content_type="text/plain; charset=utf-8",
            )
        except ApiException as error:
            raise self._told_apart(error) from None
        except (HTTPError, OSError) as error:
            raise self._away(error) from None

    def keep_waiting(self) -> None:
        """Raises: Unavailable: it answered a write with Retry-After, and that time is not over."""
        left_s = self._not_before - time.monotonic()
        if left_s > 0:
            raise Unavailable(f"InfluxDB at {self.address.url} asked to wait {left_s:.0f} s more")

    def query(self, flux: str) -> str:
        """The answer as CSV with a header line before each table. Raises: Unavailable, Misconfigured."""
        try:
            answer = self._query.query_raw(flux, org=self.address.org or "-", dialect=_CSV)
            return bytes(answer.data).decode()
        except ApiException as error:
            told = self._told_apart(error)
            if isinstance(told, Refused):
                raise RuntimeError(f"InfluxDB does not understand our query: {told.reason}") from None
            raise told from None
        except (HTTPError, OSError) as error:
            raise self._away(error) from None

    def provision(self) -> str:
        """Make the bucket if it is not there; one sentence on what was done. Raises: Unavailable, Misconfigured."""
        database, _, policy = self.address.bucket.partition("/")
        found = self._call("GET", "/api/v2/buckets", {"name": self.address.bucket}, absent_is_none=True)
        if found is None:  # version 1 has no buckets API: databases and retention policies are made in InfluxQL
            self._call("POST", "/query", {"q": f"CREATE DATABASE {_name(database)}"})
            if policy not in ("", "autogen"):
                made = f"CREATE RETENTION POLICY {_name(policy)} ON {_name(database)} DURATION INF REPLICATION 1"
                self._call("POST", "/query", {"q": made})
            return f"database {database} is there (InfluxDB 1)"
        if found.get("buckets"):
            return f"bucket {self.address.bucket} is there"
        organisations = self._call("GET", "/api/v2/orgs", {"org": self.address.org}) or {}
        if not organisations.get("orgs"):
            raise Misconfigured(f"InfluxDB at {self.address.url} has no organisation {self.address.org!r}")
        body = {"orgID": organisations["orgs"][0]["id"], "name": self.address.bucket, "retentionRules": []}
        self._call("POST", "/api/v2/buckets", {}, body)
        return f"bucket {self.address.bucket} made"

    def close(self) -> None:
        self._client.close()

    def _call(
        self, method: str, path: str, query: dict[str, str], body: Any = None, *, absent_is_none: bool = False
    ) -> dict[str, Any] | None:
        api = self._client.api_client
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        headers["Authorization"] = f"Token {self.address.token or '-'}"
        try:
            answer = api.request(
                method,
                self.address.url + path,
                query_params=list(query.items()),
                headers=headers,
                body=body,
                _preload_content=False,
            )
            return dict(json.loads(answer.data or b"{}"))
        except ApiException as error:
            if absent_is_none and error.status == 404 and "buckets" not in _reason(error):
                return None
            told = self._told_apart(error)
            raise Misconfigured(f"InfluxDB: {told.reason}") if isinstance(told, Refused) else told from None
        except (HTTPError, OSError) as error:
            raise self._away(error) from None

    def _told_apart(self, error: ApiException) -> "BoroughError | Refused":
        where, reason = f"InfluxDB at {self.address.url}", _reason(error)
        if error.status in (401, 403):
            return Misconfigured(f"{where} does not accept the token for bucket {self.address.bucket}: {reason}")
        if error.status == 404 or "no database" in reason or "could not find bucket" in reason:
            return Misconfigured(f"{where} has no bucket {self.address.bucket}: run provision ({reason})")
        if any(limit in reason for limit in _LIMITS):
            return Misconfigured(f"{where} has reached a limit of its configuration: {reason}")
        if error.status in (400, 413, 422):
            return Refused(reason)
        wait_s = _wait_s(error)
        if wait_s:
            self._not_before = time.monotonic() + wait_s
        return Unavailable(f"{where} answers {error.status}: {reason}")

    def _away(self, error: Exception) -> Unavailable:
        return Unavailable(f"InfluxDB at {self.address.url} cannot be reached: {type(error).__name__}: {error}")


class Refused(Exception):
    """The database did not take some of the lines; others of the same request may be stored."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _reason(error: ApiException) -> str:
    """The database's own words, out of its JSON answer."""
    body = error.body or b""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    try:
        answer = json.loads(text)
        return str(answer.get("message") or answer.get("error") or text)
    except (ValueError, AttributeError):
        return text.strip() or str(error.reason)


def _wait_s(error: ApiException) -> float:
    headers = {str(name).lower(): value for name, value in dict(error.headers or {}).items()}
    try:
        return min(300.0, max(0.0, float(headers.get("retry-after", 0))))
    except ValueError:
        return 0.0


def _name(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
