"""Progress of long work, on stderr: a live line for people, nothing at all when stderr is not a terminal."""

import sys
import time
from types import TracebackType


class Meter:
    """Counts things of one kind and shows how fast they go. A context manager."""

    def __init__(self, title: str, unit: str, total: int | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._unit = unit
        self._done = 0
        self._started = time.monotonic()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *([BarColumn()] if total else []),
            TextColumn("{task.fields[counted]}"),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._progress.add_task(title, total=total, counted="", words="")

    def __enter__(self) -> "Meter":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, count: int, words: str = "") -> None:
        """``count`` more are done; ``words`` say where the work is."""
        self._done += count
        rate = self._done / max(time.monotonic() - self._started, 1e-3)
        counted = f"{self._done:,} {self._unit} ({rate:,.0f}/s)"
        self._progress.update(self._task, completed=self._done, counted=counted, words=words)

    def note(self, words: str) -> None:
        """Something to know while it waits."""
        self._progress.update(self._task, words=words)
