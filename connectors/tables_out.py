"""Tidy tables that people take: every out table of the design, as CSV and, where wanted, Parquet."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from connectors import table_columns
from connectors.column_text import comma_separated, number_column, quality_texts, time_texts
from connectors.table_parquet import keep_last_judgement, keep_newest_revision, to_parquet
from domain.errors import Misconfigured
from domain.messages import Alert, Anticipated, Forecast, Health
from domain.scores import Judged, Scores
from domain.times import DAY_MS, format_time
from domain.windows import Aggregates

FORMATS = ("csv", "parquet")


class TableWriter:
    """Writes the out tables into a folder; each file is there, with its header, from the start.

    Rows go to disk as they come. Of an alert only its newest revision is kept until the end; of an asset the last row
    of each day; of a window its newest revision. Call ``close``, or use it as a context manager.

    Args:
        folder: made when it is not there; tables of an earlier run in it are replaced.
        formats: of ``csv``, ``parquet``; Parquet files are made at the end.

    Raises:
        Misconfigured: an unknown format, or the folder cannot be written.
    """

    def __init__(self, folder: Path, formats: Sequence[str] = ("csv",)) -> None:
        if unknown := sorted(set(formats) - set(FORMATS)):
            raise Misconfigured(f"unknown table format {unknown[0]}; known are {', '.join(FORMATS)}")
        self._folder, self._formats = Path(folder), tuple(formats)
        self._files: dict[str, IO[str]] = {}
        self._alerts: dict[str, Alert] = {}
        self._health: dict[str, Health] = {}
        self._revised = False
        self._judged_anew = False
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name, columns in table_columns.OUT.items():
                self._files[name] = self.path(name).open("w", encoding="utf-8", newline="")
                self._files[name].write(",".join(columns) + "\n")
        except OSError as error:
            for file in self._files.values():
                file.close()
            raise Misconfigured(f"{self._folder} cannot be written: {error.strerror or error}") from None

    def path(self, table: str, ending: str = "csv") -> Path:
        """Where a table is, or will be."""
        return self._folder / f"{table}.{ending}"

    def aggregates(self, batch: Aggregates) -> None:
        """Rows of ``aggregates.csv``; a later revision of a window replaces the earlier one at the end."""
        if len(batch) == 0:
            return
        self._revised |= bool((batch.revision > 1).any())
        heads = [f"{batch.window_s},{name}" for name in _cells(batch.series)]
        self._files["aggregates"].write(
            comma_separated(
                len(batch),
                time_texts(batch.start),
                [heads[k] for k in batch.i.tolist()],
                *(number_column(getattr(batch, name)) for name in table_columns.AGGREGATES[3:]),
            )
        )

    def scores(self, names: Sequence[str], judged: Judged, scores: Scores) -> None:
        """Rows of ``scores.csv``; ``names[row]`` is the series of a row of ``judged``."""
        series = _cells(names)
        self._files["scores"].write(
            comma_separated(
                len(judged),
                time_texts(judged.t),
                [series[k] for k in judged.row.tolist()],
                number_column(judged.x),
                *(number_column(getattr(scores, name)) for name in ("score", "expected", "lower", "upper")),
                number_column(judged.flag),
            )
        )

    def quality(self, names: Sequence[str], judged: Judged) -> None:
        """Rows of ``quality.csv``; ``tests`` are the names of the failed tests, joined by +."""
        series = _cells(names)
        self._files["quality"].write(
            comma_separated(
                len(judged),
                time_texts(judged.t),
                [series[k] for k in judged.row.tolist()],
                number_column(judged.flag),
                quality_texts(judged.tests),
            )
        )

    def quality_anew(self, names: Sequence[str], judged: Judged) -> None:
        """Rows of ``quality.csv`` that replace earlier ones of the same readings at the end."""
        self._judged_anew |= len(judged) > 0
        self.quality(names, judged)

    def verdicts(self, health: Iterable[Health]) -> None:
        """Rows of ``verdicts.csv``: one per sensor and day that has one."""
        for message in health:
            day = format_time(message.time)[:10]
            self._lines(
                "verdicts",
                [(day, v.sensor, v.verdict, v.cause, _number(v.share), _number(v.impact)) for v in message.verdicts],
            )

    def alerts(self, alerts: Iterable[Alert]) -> None:
        """One final row per alert id, written at the end by onset; several series are joined by ``;``."""
        for alert in alerts:
            kept = self._alerts.get(alert.id)
            if kept is None or alert.revision >= kept.revision:
                self._alerts[alert.id] = alert

    def forecasts(self, forecasts: Iterable[Forecast]) -> None:
        """One row per target time."""
        for forecast in forecasts:
            n, head = len(forecast.target), _cells([forecast.series])[0]
            self._files["forecasts"].write(
                comma_separated(
                    n,
                    format_time(forecast.issued),
                    time_texts(np.array(forecast.target, dtype=np.int64)),
                    head,
                    *(number_column(np.array(getattr(forecast, name))) for name in ("value", "lower", "upper")),
                )
            )

    def maintenance(self, health: Iterable[Health]) -> None:
        """One row per asset and day: the last of the day."""
        for message in health:
            kept = self._health.get(message.asset)
            if kept is not None and kept.time // DAY_MS < message.time // DAY_MS:
                self._write_health(kept)
            if kept is None or kept.time <= message.time:
                self._health[message.asset] = message

    def anticipated(self, anticipated: Iterable[Anticipated]) -> None:
        """One row each."""
        self._lines(
            "anticipated",
            [(format_time(a.issued), a.series, a.kind, a.within_s, _number(a.probability)) for a in anticipated],
        )

    def close(self) -> None:
        """Finish the tables; calling it again does nothing."""
        if not self._files:
            return
        by_onset = sorted(self._alerts.values(), key=lambda alert: (alert.onset, alert.id))
        self._lines("alerts", [_alert_row(alert) for alert in by_onset])
        for message in sorted(self._health.values(), key=lambda message: (message.time, message.asset)):
            self._write_health(message)
        files, self._files = self._files, {}
        for file in files.values():
            file.close()
        if self._revised:
            keep_newest_revision(self.path("aggregates"))
        if self._judged_anew:
            keep_last_judgement(self.path("quality"))
        for table in files:
            if "parquet" in self._formats:
                to_parquet(table, self.path(table), self.path(table, "parquet"))
            if "csv" not in self._formats:
                self.path(table).unlink()

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_health(self, message: Health) -> None:
        numbers = (message.remaining_life, message.lower, message.upper, message.p_failure)
        self._lines("maintenance", [(format_time(message.time), message.asset, *map(_number, numbers))])

    def _lines(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        csv.writer(self._files[table], lineterminator="\n").writerows(rows)


def _alert_row(alert: Alert) -> tuple[Any, ...]:
    return (
        alert.id,
        ";".join(alert.series),
        alert.area,
        alert.kind,
        alert.severity,
        format_time(alert.onset),
        format_time(alert.raised),
        "" if alert.cleared is None else format_time(alert.cleared),
        _number(alert.score),
        alert.why.sentence,
    )


def _number(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else repr(float(value))


def _cells(names: Sequence[str]) -> list[str]:
    """Names as CSV cells; they hardly ever need quotes."""
    out = list(names)
    for k, name in enumerate(out):
        if any(mark in name for mark in ',"\r\n'):
            buffer = io.StringIO()
            csv.writer(buffer, lineterminator="").writerow([name])
            out[k] = buffer.getvalue()
    return out
