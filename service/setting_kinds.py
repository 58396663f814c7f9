"""The kinds of values a setting can have: how each is read from text or TOML, and what is said when it cannot be."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from domain.errors import Misconfigured, shorten


@dataclass(frozen=True, slots=True)
class Kind:
    """``read`` raises ValueError for what it cannot use; ``says`` completes "'abc' is not …"."""

    read: Callable[[Any], Any]
    says: str
    metavar: str


def checked(kind: Kind, value: Any, called: str, words: str, shown: Any = None) -> Any:
    """The value as its kind reads it; ``shown`` stands for a secret.

    Raises: Misconfigured, in one line that names the setting and its source.
    """
    try:
        return kind.read(value)
    except (ValueError, TypeError, OverflowError):
        raise Misconfigured(
            f"{called}: '{shorten(str(value if shown is None else shown))}' is not {kind.says} ({words})"
        ) from None


def _as_text(value: Any) -> str:
    if not isinstance(value, str) or "\n" in value:
        raise ValueError
    return value.strip()


def _as_path(value: Any) -> Path | None:
    if isinstance(value, Path):
        return value
    text = _as_text(value)
    return Path(text).expanduser() if text else None


def _as_folder(value: Any) -> Path:
    path = _as_path(value)
    if path is None:
        raise ValueError
    return path


def _as_yes_no(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return words[_as_text(value).lower()]
    except KeyError:
        raise ValueError from None


def whole(lowest: int, highest: int) -> Kind:
    def read(value: Any) -> int:
        if isinstance(value, bool | float):
            raise ValueError
        number = int(value)
        if not lowest <= number <= highest:
            raise ValueError
        return number

    return Kind(read, f"a whole number between {lowest} and {highest}", "NUMBER")


def number(lowest: float, highest: float) -> Kind:
    def read(value: Any) -> float:
        if isinstance(value, bool):
            raise ValueError
        result = float(value)
        if not isfinite(result) or not lowest <= result <= highest:
            raise ValueError
        return result

    return Kind(read, f"a number between {lowest:g} and {highest:g}", "NUMBER")


_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def size(lowest: int, highest: int) -> Kind:
    def read(value: Any) -> int:
        found = _SIZE.fullmatch(str(value).strip())
        if isinstance(value, bool) or found is None or found[2].lower() not in _SIZES:
            raise ValueError
        result = int(float(found[1]) * _SIZES[found[2].lower()])
        if not lowest <= result <= highest:
            raise ValueError
        return result

    return Kind(read, f"a size such as 500 MB or 1 GiB, between {lowest} and {highest} bytes", "SIZE")


def choice(*names: str) -> Kind:
    def read(value: Any) -> str:
        text = _as_text(value).lower()
        if text not in names:
            raise ValueError
        return text

    return Kind(read, "one of " + ", ".join(names), "|".join(names))


def names(known: Sequence[str], read_names: Callable[[str], tuple[str, ...]]) -> Kind:
    """Some of these names, or none of them; ``read_names`` raises ValueError for others."""

    def read(value: Any) -> str:
        return ",".join(read_names(_as_text(value))) or "none"

    return Kind(read, f"'none' or names, with commas, of {', '.join(known)}", "NAMES")


def _as_name(value: Any) -> str:
    text = _as_text(value)
    if text and not re.fullmatch(r"[\w.:@+\-]{1,128}", text):
        raise ValueError
    return text


def _as_url(value: Any) -> str:
    text = _as_text(value)
    if text and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname):
        raise ValueError
    return text.rstrip("/")


def _as_broker(value: Any) -> str:
    text = _as_text(value)
    if text == "embedded":
        return text
    scheme, mark, hosts = text.partition("://")
    if scheme not in ("kafka", "kafkas") or not mark:
        raise ValueError
    for host in hosts.rstrip("/").split(","):
        _check_host(host)
    return text.rstrip("/")


def _as_store(value: Any) -> str:
    text = _as_text(value)
    if text == "embedded":
        return text
    parts = urlsplit(text)
    if parts.scheme not in ("influx", "influxs") or len(parts.path) < 2:
        raise ValueError
    _check_host(parts.netloc)
    return text


def _check_host(host: str) -> None:
    parts = urlsplit(f"//{host}")
    if not parts.hostname or parts.port is None:
        raise ValueError


def without_token(address: str, mask: str) -> str:
    """An address as it may be printed: ``token=…`` and ``user:password@`` masked."""
    masked = re.sub(r"((?:^|[?&])token=)[^&]+", rf"\g<1>{mask}", address)
    return re.sub(r"(://)[^/@\s]+@", rf"\g<1>{mask}@", masked)


text = Kind(_as_text, "text on one line", "TEXT")
path = Kind(_as_path, "a path", "FILE")
folder = Kind(_as_folder, "the path of a folder", "FOLDER")
yes_no = Kind(_as_yes_no, "yes or no (true, false, 1, 0, on, off)", "YES|NO")
name = Kind(_as_name, "a name of up to 128 letters, digits or . : @ + - _", "NAME")
url = Kind(_as_url, "an address such as http://127.0.0.1:8480", "URL")
broker = Kind(_as_broker, "'embedded' or kafka://host:port (kafkas:// for TLS)", "ADDRESS")
store = Kind(_as_store, "'embedded' or influx://host:port/bucket?org=…", "ADDRESS")
