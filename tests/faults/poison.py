"""Messages that nobody should send, each from its seed: bytes, broken JSON, wrong schemas, impossible numbers."""

import json
import random
from collections.abc import Callable

SERIES = "s0/air.no2"
T0 = 1_772_409_600_000


def frame(rng: random.Random, **changes: object) -> bytes:
    """A good frame of a gateway of its own, with other fields; ``...`` leaves a field out."""
    body: dict[str, object] = {
        "v": 1, "gateway": f"poison-{rng.randrange(1 << 30)}", "seq": 1, "area": "a2", "series": [SERIES],
        "i": [0], "t": [T0 + rng.randrange(1_000)], "x": [round(rng.uniform(1, 50), 3)],
    }  # fmt: skip
    body.update(changes)
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


def _bytes(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randint(0, 3_000))


def _cut(rng: random.Random) -> bytes:
    raw = frame(rng)
    return raw[: rng.randrange(1, len(raw))]


def _flipped(rng: random.Random) -> bytes:
    """A byte of the structure, so that no good frame remains."""
    raw = bytearray(frame(rng))
    at = rng.choice([k for k, byte in enumerate(raw) if byte in b'{}[]:,"'])
    raw[at] = rng.choice(b"\x00\xff\x80#~")
    return bytes(raw)


def _utf8(rng: random.Random) -> bytes:
    bad = rng.choice([b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
    return frame(rng).replace(b"s0/air", b"s0" + bad + b"/air")


def _deep(rng: random.Random) -> bytes:
    depth = rng.choice([50, 1_000, 100_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return opening * depth + b"1" + closing * (depth if rng.random() < 0.5 else 0)


def _large(rng: random.Random) -> bytes:
    size = 10 << 20
    kind = rng.randrange(4)
    if kind == 0:
        return b'{"v":1,"gateway":"' + b"g" * size
    if kind == 1:
        return b"[" + b"0," * (size // 2) + b"0]"
    if kind == 2:
        return json.dumps({"time": "2026-03-02T00:00:00Z", "series": "s" * size, "value": 1}).encode()
    return b"\x00" * size


def _schema(rng: random.Random) -> bytes:
    wrong: list[dict[str, object]] = [
        {"v": 2}, {"v": "1"}, {"gateway": 7}, {"seq": -1}, {"seq": "x"}, {"seq": 1 << 70}, {"area": None},
        {"series": "s0/air.no2"}, {"series": [7]}, {"i": [1]}, {"i": [-1]}, {"i": [0, 0]}, {"i": ["0"]}, {"i": [0.5]},
        {"t": [1.5]}, {"t": ["now"]}, {"t": []}, {"t": [1 << 80]}, {"x": ["1"]}, {"x": [[1]]}, {"x": {}}, {"x": [True]},
        {"i": ...}, {"t": ...}, {"x": ...}, {"series": ...}, {"gateway": ...}, {"seq": ...},
    ]  # fmt: skip
    return frame(rng, **rng.choice(wrong))


def _numbers(rng: random.Random) -> bytes:
    raw = frame(rng, x=[12345.678])
    return raw.replace(
        b"12345.678", rng.choice([b"NaN", b"Infinity", b"-Infinity", b"1e309", b"1e308", b"-1e308", b"0x10"])
    )


def _times(rng: random.Random) -> bytes:
    return frame(rng, t=[rng.choice([(1 << 62), -(1 << 62), (1 << 53), T0 * 1_000, T0 + 400 * 86_400_000])])


def _names(rng: random.Random) -> bytes:
    names = [
        "",
        "/",
        "s0",
        "s0/",
        "/air.no2",
        "s0/air.nothing",
        "nobody/air.no2",
        "s0/air.no2/x",
        "s" * 5_000,
        "s\u0000/air.no2",
    ]
    return frame(rng, series=[rng.choice(names)])


def _loose(rng: random.Random) -> bytes:
    entry: dict[str, object] = {"time": "2026-03-02T00:00:00Z", "series": SERIES, "value": 1.0}
    entry |= rng.choice(
        [{"value": "1"}, {"value": 1e308}, {"time": "yesterday"}, {"time": 5}, {"series": 5},
         {"series": "nobody/air.no2"}, {"time": "9999-99-99T00:00:00Z"}, {"value": [1]}]
    )  # fmt: skip
    return json.dumps(entry if rng.random() < 0.5 else [entry]).encode()


def _other(rng: random.Random) -> bytes:
    return rng.choice(
        [b"null", b"true", b"7", b'""', b"{}", b"[[]]", b"[null]", b'{"v":1}', b"", b" ", b"\xef\xbb\xbf{}"]
    )


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "bytes": _bytes, "cut short": _cut, "flipped": _flipped, "bad UTF-8": _utf8, "deep": _deep, "schema": _schema,
    "numbers": _numbers, "times": _times, "names": _names, "loose": _loose, "other JSON": _other,
}  # fmt: skip
_LARGE_SHARE = 0.02


def poison(seed: int) -> tuple[str, bytes]:
    """Kind and message."""
    rng = random.Random(f"poison-{seed}")
    if rng.random() < _LARGE_SHARE:
        return "10 MB", _large(rng)
    kind = rng.choice(list(KINDS))
    return kind, KINDS[kind](rng)
