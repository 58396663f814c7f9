"""History in an InfluxDB (1.8 or 2), for distributed runs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from connectors import influx_setup
from connectors.influx_answers import Row, aggregates_of, parsed, times_of
from connectors.influx_http import InfluxAddress, InfluxHttp, Refused, parse_address
from connectors.influx_lines import aggregates_lines, message_line, tag, untag
from connectors.influx_revisions import Revisions
from domain.codec import decode_as
from domain.errors import Rejected, Rejection
from domain.messages import Finding, Forecast, Health, Quarantined
from domain.ports import Result, SeriesInfo
from domain.times import format_time
from domain.windows import Aggregates

__all__ = ["InfluxStore", "aggregates_lines"]

M = TypeVar("M", bound=msgspec.Struct)

_LINES_MAX = 5_000
# What the database can name: int64 nanoseconds.
_TIME_MIN = int(datetime(1677, 9, 22, tzinfo=UTC).timestamp()) * 1_000
_TIME_MAX = int(datetime(2262, 4, 11, tzinfo=UTC).timestamp()) * 1_000
_LATEST_WINDOW_S = 60

_End = tuple[int, float, str]  # window start, its last value, area


class InfluxStore:
    """``domain.ports.Store`` on one bucket. Any thread may call.

    Every result has one point that its key decides, so writing it again changes nothing. The database cannot compare
    revisions, so that is done here (see ``influx_revisions``): an older one never replaces a newer one.
    """

    def __init__(
        self,
        address: str,
        bucket: str,
        org: str = "",
        token: str = "",
        timeout_s: float = 7.0,
        ca_file: Path | None = None,
    ) -> None:
        self._http = InfluxHttp(InfluxAddress(address, bucket, org, token), timeout_s, ca_file)
        self._bucket = _quoted(bucket)
        self._revisions = Revisions(self._revisions_stored)

    @classmethod
    def from_url(
        cls, url: str, token: str | None = None, timeout_s: float = 7.0, ca_file: Path | None = None
    ) -> "InfluxStore":
        """From ``influx://host:port/bucket?org=…&token=…``; ``token`` wins. Raises: Misconfigured."""
        address = parse_address(url, token)
        return cls(address.url, address.bucket, address.org, address.token, timeout_s, ca_file)

    # --- writing

    def write(self, results: Iterable[Result]) -> list[Rejection]:
        """Stored on return, in requests of at most 5,000 lines; some of them may be when it raises.

        Returns the results of which the database refused a line for good (the other lines of that result are stored).
        Raises: Unavailable: write all of it again; Misconfigured: token or bucket.
        """
        self._http.keep_waiting()
        results = list(results)
        batches: dict[str, list[tuple[int, str]]] = {"ms": [], "ns": []}
        refused: dict[int, Rejected] = {}
        wanted = self._revisions.wanted(result for result in results if isinstance(result, Aggregates))
        newest = iter(wanted)
        for position, result in enumerate(results):
            try:
                if isinstance(result, Aggregates):
                    text = aggregates_lines(next(newest))
                    text.encode()
                    batches["ms"] += [(position, line) for line in text.split("\n") if line]
                else:
                    line = message_line(result)
                    line.encode()
                    batches["ns"].append((position, line))
            except UnicodeEncodeError as error:
                refused[position] = Rejected("text", repr(error.object), "not text that can be written as UTF-8")
        for precision, lines in batches.items():
            for at in range(0, len(lines), _LINES_MAX):
                self._write_lines(lines[at : at + _LINES_MAX], precision, refused)
        self._revisions.written(wanted)
        return [Rejection.of(position, refused[position]) for position in sorted(refused)]

    def _write_lines(self, lines: Sequence[tuple[int, str]], precision: str, refused: dict[int, Rejected]) -> None:
        """Write; when the database refuses some, take them apart until each bad line stands alone."""
        if not lines:
            return
        try:
            self._http.write("\n".join(line for _, line in lines), precision)
        except Refused as error:
            if len(lines) == 1:
                position, line = lines[0]
                refused.setdefault(position, Rejected("line", line, f"InfluxDB refused it: {error.reason[:300]}"))
                return
            # It quotes the lines it could not read (some versions only the first few): those go alone at once.
            named = [(position, line) for position, line in lines if f"'{line}'" in error.reason]
            if named and len(named) < len(lines):
                rest = [entry for entry in lines if entry not in named]
                self._write_lines(rest, precision, refused)
                for entry in named:
                    self._write_lines([entry], precision, refused)
                return
            middle = len(lines) // 2
            self._write_lines(lines[:middle], precision, refused)
            self._write_lines(lines[middle:], precision, refused)

    def _revisions_stored(
        self, names: list[str], window_s: int, first: int, last: int
    ) -> Iterator[tuple[str, int, int]]:
        """(series, start, revision) of what is stored of these series."""
        which = f'r._measurement == "aggregates" and r._field == "revision" and r.window_s == "{int(window_s)}"'
        which += f" and ({' or '.join(f'r.series == {_tag(name)}' for name in names)})"
        rows = list(self._rows(first, last + 1, which, "", 1))
        for row, start in zip(rows, times_of(rows).tolist(), strict=True):
            yield untag(row["series"]), start, int(row["_value"])

    # --- reading

    def aggregates(self, series: str, window_s: int, start: int, end: int, limit: int) -> Aggregates:
        """Of one series with ``start <= window start < end`` (epoch ms), oldest first, at most ``limit``."""
        which = f'r._measurement == "aggregates" and r.series == {_tag(series)} and r.window_s == "{int(window_s)}"'
        # Limited before and after the pivot: a field that is missing here and there shifts the count of its table.
        rows = self._rows(
            start,
            end,
            which,
            f'|> limit(n: {int(limit)}) |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
            f' |> group() |> sort(columns: ["_time"]) |> limit(n: {int(limit)})',
            limit,
        )
        return aggregates_of(series, window_s, list(rows))

    def series(self) -> list[SeriesInfo]:
        """By name; ``first`` and ``last`` are starts of its 60 s windows, or of the shortest it has."""
        # The newest ends first: what is written in between has a beginning by the time the beginnings are asked for.
        last, first = self._ends("last", max), self._ends("first", min)
        chosen: dict[str, int] = {}
        for name, window_s in sorted(last, key=lambda key: (key[1] != _LATEST_WINDOW_S, key[1])):
            chosen.setdefault(name, window_s)
        out = []
        for name, window_s in sorted(chosen.items()):
            time, latest, area = last[name, window_s]
            out.append(SeriesInfo(name, area, first[name, window_s][0], time, latest))
        return out

    def _ends(self, function: str, better: Callable[[_End, _End], _End]) -> dict[tuple[str, int], _End]:
        """The first or last aggregate by series and window length."""
        found: dict[tuple[str, int], _End] = {}
        which = 'r._measurement == "aggregates" and r._field == "last"'
        rows = list(self._rows(_TIME_MIN, _TIME_MAX, which, f"|> {function}()", 1))
        for row, time in zip(rows, times_of(rows).tolist(), strict=True):
            key = (untag(row["series"]), int(row["window_s"]))
            end = (time, float(row["_value"]), untag(row.get("area", "")))
            found[key] = better(found.get(key, end), end)
        return found

    def quarantined(self, start: int, end: int, limit: int) -> list[Quarantined]:
        """Newest first, ``start <= time < end``; met again later, the newest of an id."""
        found = self._messages(Quarantined, "quarantine", start, end, "", limit)
        return list({message.id: message for message in reversed(found)}.values())[::-1]

    def quarantine_counts(self) -> dict[str, int]:
        """How many ids by reason, most first."""
        rows = self._rows(
            _TIME_MIN,
            _TIME_MAX,
            'r._measurement == "quarantine" and (r._field == "id" or r._field == "reason")',
            '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") |> group()'
            ' |> unique(column: "id") |> group(columns: ["reason"]) |> count(column: "id")',
            1,
        )
        counts = {row["reason"]: int(row["id"]) for row in rows}
        return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))

    def health(self, asset: str | None, limit: int) -> list[Health]:
        """Newest first, of one asset or of all."""
        which = "" if asset is None else f" and r.asset == {_tag(asset)}"
        return self._messages(Health, "health", _TIME_MIN, _TIME_MAX, which, limit)

    def forecasts(self, series: str, limit: int) -> list[Forecast]:
        """Of one series, newest first."""
        return self._messages(Forecast, "forecasts", _TIME_MIN, _TIME_MAX, f" and r.series == {_tag(series)}", limit)

    def findings(self, start: int, end: int, limit: int) -> list[Finding]:
        """Newest first, ``start <= time < end``."""
        return self._messages(Finding, "findings", start, end, "", limit)

    def _messages(self, kind: type[M], measurement: str, start: int, end: int, which: str, limit: int) -> list[M]:
        rows = self._rows(
            start,
            end,
            f'r._measurement == "{measurement}" and r._field == "body"{which}',
            f'|> group() |> sort(columns: ["_time"], desc: true) |> limit(n: {int(limit)})',
            limit,
        )
        return [decode_as(kind, row["_value"].encode()) for row in rows]

    def _rows(self, start: int, end: int, which: str, then: str, limit: int) -> Iterator[Row]:
        start, end = max(start, _TIME_MIN), min(end, _TIME_MAX)
        if start >= end or limit <= 0:
            return iter(())
        # InfluxDB 1.8 takes the end in, 2 leaves it out: no point of ours stands on the nanosecond before it.
        before_end = f"{format_time(end - 1)[:19]}.{(end - 1) % 1_000:03d}999999Z"
        span = f"range(start: {format_time(start)}, stop: {before_end})"
        return parsed(self._http.query(f"from(bucket: {self._bucket}) |> {span} |> filter(fn: (r) => {which}) {then}"))

    # --- set-up

    def check(self) -> str:
        """One sentence when the bucket can be read with this token. Raises: Unavailable, Misconfigured."""
        list(self._rows(0, 1, 'r._measurement == "aggregates"', "|> limit(n: 1)", 1))
        address = self._http.address
        return f"InfluxDB at {address.url} answers, bucket {address.bucket} can be read"

    def check_writing(self) -> str:
        """As :meth:`check`, for a token that may only write. Raises: Unavailable, Misconfigured."""
        self._http.write("# nothing, but the token must be good for it", "ms")
        address = self._http.address
        return f"InfluxDB at {address.url} answers, bucket {address.bucket} can be written"

    def provision(self) -> str:
        """Make the bucket (InfluxDB 2) or the database (1.8) if it is not there. Raises: Unavailable, Misconfigured."""
        return influx_setup.provision(self._http)

    def grant(self, user: str, access: influx_setup.Access, token: str | None, password: str) -> str:
        """Give a user exactly this; its token. Raises: as ``influx_setup.grant``."""
        return influx_setup.grant(self._http, user, access, token, password)

    def close(self) -> None:
        """Let go of the sockets."""
        self._http.close()


def _tag(text: str) -> str:
    """A tag value as a Flux string literal, as the database holds it."""
    return _quoted(tag(text).replace("\\", ""))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'
