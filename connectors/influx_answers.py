"""What an InfluxDB answers to Flux: rows of CSV, and columns made of them."""

import csv
import io
from collections.abc import Iterator, Sequence

import numpy as np

from connectors.influx_lines import untag
from domain.errors import Unavailable
from domain.readings import Ints
from domain.windows import Aggregates

Row = dict[str, str]


def parsed(text: str) -> Iterator[Row]:
    """Rows of a Flux CSV answer: tables follow each other, each schema with its header after an empty line."""
    header: list[str] | None = None
    for cells in csv.reader(io.StringIO(text)):
        if not cells:
            header = None
        elif header is None:
            header = cells
        elif "error" in header and "result" not in header:  # it failed after it had begun to answer
            raise Unavailable(f"InfluxDB broke off its answer: {' '.join(cells)[:300]}")
        elif cells[1:3] != header[1:3]:  # the header is repeated where only the schema changes
            yield dict(zip(header, cells, strict=False))


def times_of(rows: Sequence[Row]) -> Ints:
    """``int64[n]``: epoch ms of each row."""
    texts = [row["_time"].rstrip("Z") for row in rows]
    return np.array(texts, dtype="datetime64[ns]").astype("datetime64[ms]").astype(np.int64)


def _is_whole(row: Row) -> bool:
    """InfluxDB shows the fields of a point that is just being written one by one: without these it is not there yet."""
    return all(row.get(name) for name in ("count", "flag", "revision"))


def aggregates_of(series: str, window_s: int, rows: list[Row]) -> Aggregates:
    """Rows in the order of time to columns; where a series has moved to another area, the newest revision holds."""
    rows = [row for row in rows if _is_whole(row)]
    start = times_of(rows)
    revision = np.array([int(row["revision"]) for row in rows], dtype=np.int64)
    order = np.lexsort((revision, start))
    kept = order[np.append(start[order][1:] != start[order][:-1], True)] if len(rows) else order
    rows = [rows[k] for k in kept]

    def whole(name: str) -> Ints:
        return np.array([int(row[name]) for row in rows], dtype=np.int64)

    def numbers(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([float(row.get(name) or "nan") for row in rows], dtype=np.float64)

    return Aggregates(
        untag(rows[-1].get("area", "")) if rows else "",
        window_s,
        [series],
        np.zeros(len(rows), dtype=np.int32),
        start[kept],
        whole("count"),
        numbers("mean"),
        numbers("min"),
        numbers("max"),
        numbers("last"),
        numbers("coverage"),
        whole("flag").astype(np.uint8),
        revision[kept],
    )
