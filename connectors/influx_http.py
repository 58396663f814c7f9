"""The one client of an InfluxDB: its address, its errors told apart, its set-up."""

import gzip
import json
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
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

    def __init__(self, address: InfluxAddress, timeout_s: float = 7.0, ca_file: Path | None = None) -> None:
        """Raises: Misconfigured: the file with the authority cannot be used."""
        self.address = address
        if ca_file is not None:
            _check_authority(ca_file, address.url)
        self._client = InfluxDBClient(
            url=address.url,
            token=address.token or "-",
            org=address.org or "-",
            timeout=int(timeout_s * 1000),
            ssl_ca_cert=None if ca_file is None else str(ca_file),
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

    def close(self) -> None:
        self._client.close()

    def call(
        self, method: str, path: str, query: dict[str, str], body: Any = None, *, absent_is_none: bool = False
    ) -> dict[str, Any] | None:
        """One request for setting up; None where it is not known. Raises: Unavailable, Misconfigured."""
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
        if not error.status:  # there was no answer, only a handshake that failed
            return self._away(error)
        if error.status in (401, 403):
            return Misconfigured(
                f"{where} does not accept the token (BOROUGH_STORE_TOKEN, BOROUGH_STORE_TOKEN_FILE) "
                f"for bucket {self.address.bucket}: {reason}"
            )
        if "HTTP request to an HTTPS server" in reason:
            return Misconfigured(f"{where} asks for TLS: write its address (BOROUGH_STORE) as influxs://…")
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

    def _away(self, error: Exception) -> Unavailable | Misconfigured:
        cause = _tls_error(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Misconfigured(
                f"InfluxDB at {self.address.url}: its certificate is not accepted: {cause.verify_message}; give its "
                "authority as store_ca_file (BOROUGH_STORE_CA_FILE) and write its address (BOROUGH_STORE) as the "
                "certificate does"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return Misconfigured(f"InfluxDB at {self.address.url} does not speak TLS: write influx://… (BOROUGH_STORE)")
        return Unavailable(f"InfluxDB at {self.address.url} cannot be reached: {type(error).__name__}: {error}")


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """What Python itself said of a handshake, out of the libraries' wrapping."""
    for _ in range(10):
        if error is None or isinstance(error, ssl.SSLError):
            return error
        inner = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((each for each in inner if isinstance(each, BaseException)), None)
    return None


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


def _check_authority(ca_file: Path, url: str) -> None:
    called = "store_ca_file (BOROUGH_STORE_CA_FILE)"
    if not url.startswith("https"):
        raise Misconfigured(
            f"{called}: of no use without TLS: write the store's address (BOROUGH_STORE) as influxs://…"
        )
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise Misconfigured(f"{called}: {ca_file} cannot be used: {error.strerror or error}") from None
