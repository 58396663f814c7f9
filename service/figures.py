"""Figures of the running parts for ``/metrics``: counted by the parts themselves, read when somebody asks."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from connectors.gateway import Gateway
from streams.takers import DeskTaker, StoreTaker
from streams.worker import Worker

Read = Callable[[], float]


class Figures:
    """A collector: each row is a name, what it means, and how to read it; names that end in _total only rise."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rows: list[tuple[str, str, Read]] = []
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        for name, meaning, read in self._rows:
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(name.removesuffix("_total"), meaning, value=read())

    def of_worker(self, worker: Worker) -> None:
        counts = worker.counts
        self._rows += [
            ("borough_worker_messages_total", "Messages of the readings topics applied.", lambda: counts.messages),
            ("borough_worker_readings_total", "Readings that count.", lambda: counts.readings),
            ("borough_worker_findings_total", "Findings told, all phases.", lambda: counts.findings),
            ("borough_worker_quarantined_total", "Readings and messages put aside.", lambda: counts.quarantined),
            ("borough_worker_checkpoints_total", "Checkpoints kept.", lambda: counts.checkpoints),
            ("borough_worker_checkpoint_bytes", "Size of the last checkpoint.", lambda: counts.checkpoint_bytes),
            ("borough_worker_watermark_seconds", "Latest watermark, Unix time.", lambda: worker.now / 1_000),
        ]

    def of_gateway(self, gateway: Gateway) -> None:
        self._rows += [
            ("borough_gateway_accepted_total", "Readings accepted.", lambda: gateway.accepted_total),
            ("borough_gateway_rejected_total", "Readings rejected at the door.", lambda: gateway.rejected_total),
            ("borough_gateway_outbox_entries", "Frames and ticks not yet safe downstream.", gateway.outbox.depth),
            ("borough_gateway_held_readings", "Readings of unknown sensors held back.", gateway.held.total),
        ]

    def of_store(self, taker: StoreTaker) -> None:
        self._rows += [
            ("borough_store_written_total", "Results stored.", lambda: taker.written),
            ("borough_store_refused_total", "Results that the store refused for good.", lambda: taker.refused),
        ]

    def of_damage(self, what: str, damaged: Sequence[str]) -> None:
        """``damaged`` grows with each damage that ``what`` has found in what it keeps."""
        self._rows.append((f"borough_{what}_damage_total", "Damage found in what is kept, and told in the log.",
                           lambda: len(damaged)))  # fmt: skip

    def of_desk(self, desk: DeskTaker) -> None:
        self._rows.append(("borough_desk_refused_total", "Messages the desk could not use.", lambda: desk.refused))
