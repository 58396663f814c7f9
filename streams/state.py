"""State as bytes: ``(kind, version, payload)`` in MessagePack, numpy arrays as an extension type; never a pickle."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from domain.errors import Rejected
from models.contract import Stateful

_ARRAY = 1


def pack(value: object) -> bytes:
    """Plain values, dicts, lists, bytes and numpy arrays of numbers to bytes."""
    return _encoder.encode(value)


def unpack(raw: bytes) -> Any:
    """Inverse of :func:`pack`; arrays come back writable.

    Raises:
        Rejected: not something that ``pack`` has written.
    """
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise Rejected("state", raw[:40], f"not a state: {error}") from None


def snapshot(part: Stateful) -> dict[str, Any]:
    return {"kind": part.kind, "version": part.version, "payload": part.snapshot()}


def restore(part: Stateful, kept: Mapping[str, Any]) -> None:
    """Raises: Rejected: the state is of another kind or version, or not of its shape; ``part`` may be half filled."""
    why = refusal(part, kept)
    if why:
        raise Rejected("state", f"{kept.get('kind')} {kept.get('version')}", why)
    try:
        part.restore(kept["payload"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"{part.kind} version {part.version}"
        raise Rejected("state", what, f"not of the shape of that version: {error!r}") from error


def restore_learned(part: Stateful, kept: Mapping[str, Any], begins_anew: list[str]) -> None:
    """As :func:`restore`, for what is learned from readings and is learned again: of another version, it stays as
    empty as it is, and ``begins_anew`` is told."""
    why = refusal(part, kept)
    if why:
        begins_anew.append(f"{part.kind}: {why}")
    else:
        restore(part, kept)


def refusal(part: Stateful, kept: Mapping[str, Any]) -> str:
    """Why a state is not for ``part``, in words; empty when it is."""
    kind, version = kept.get("kind"), kept.get("version")
    if (kind, version) == (part.kind, part.version):
        return ""
    return f"the state is {kind} version {version}, this program keeps {part.kind} version {part.version}"


def _to_extension(value: object) -> object:
    if isinstance(value, np.ndarray):
        head = msgspec.msgpack.encode((value.dtype.str, value.shape))
        return msgspec.msgpack.Ext(
            _ARRAY, len(head).to_bytes(2, "little") + head + np.ascontiguousarray(value).tobytes()
        )
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be kept as state")


def _from_extension(code: int, data: memoryview) -> object:
    if code != _ARRAY:
        raise ValueError(f"unknown extension {code}")
    size = int.from_bytes(data[:2], "little")
    dtype, shape = msgspec.msgpack.decode(data[2 : 2 + size])
    return np.frombuffer(data[2 + size :], dtype=np.dtype(dtype)).reshape(shape).copy()


_encoder = msgspec.msgpack.Encoder(enc_hook=_to_extension)
_decoder = msgspec.msgpack.Decoder(ext_hook=_from_extension)
