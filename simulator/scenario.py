"""Scenarios: what is to happen in a town of a seed, read from YAML. Shipped ones lie in ``simulator/scenarios``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from domain.errors import Misconfigured
from domain.times import DAY_MS, format_time
from simulator import scenario_nodes as nodes
from simulator.kinds import KINDS, Item
from simulator.mix import draw
from simulator.plan import Town
from simulator.scenario_checks import check_places, check_together
from simulator.scenario_fields import FAULT_KINDS, FAULT_LISTS, FAULTS, SCENARIO, MixPart, Step
from simulator.scenario_nodes import Problems, nearest
from simulator.script import FixedScript, fixed

FOLDER = Path(__file__).parent / "scenarios"
START_MS = 1_772_409_600_000  # Monday 2 March 2026, 00:00 UTC
SIZE = 120
SEED = 7
DRAWN_MAX = 20_000  # by a mix
_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Scenario:
    """``days`` includes the quiet days at the beginning, in which a detector learns; ``file`` as given."""

    name: str
    file: str
    title: str
    teaches: str
    days: float
    start_ms: int = START_MS
    size: int = SIZE
    seed: int = SEED
    steps: tuple[Step, ...] = ()
    mix: MixPart | None = None
    expect: Mapping[str, float] = field(default_factory=dict)

    @property
    def end_ms(self) -> int:
        return self.start_ms + int(self.days * DAY_MS)

    def script(self, town: Town, seed: int) -> FixedScript:
        """What happens in this town under this seed.

        Raises:
            BadFile: a step names a place that the town does not have, or steps cannot be at once; every one is told.
        """
        problems = Problems(self.file)
        items = [(step, made(step, self.start_ms)) for step in self.steps]
        check_places(problems, town, items, (self.start_ms, self.end_ms))
        problems.check()
        check_together(problems, town, items)
        problems.check()
        written = [item for _, item in items]
        drawn = self._drawn(problems, town, seed, written) if self.mix else []
        return fixed([*written, *drawn])

    def _drawn(self, problems: Problems, town: Town, seed: int, written: Sequence[Item]) -> list[Item]:
        """What the mix adds. Raises: BadFile."""
        assert self.mix is not None
        since = self.mix.since.on(self.start_ms)
        if not self.start_ms <= since < self.end_ms:
            reason = f"is not within the scenario, which goes from {format_time(self.start_ms)} to "
            problems.add(self.mix.line, "mix.from", format_time(since), reason + format_time(self.end_ms))
        elif (count := sum(self.mix.rates.values()) * (self.end_ms - since) / DAY_MS) > DRAWN_MAX:
            problems.add(self.mix.line, "mix.per_day", "", f"would draw {count:.0f} things: at most {DRAWN_MAX}")
        problems.check()
        return draw(self.mix.rates, town, seed, since, self.end_ms, written)


def made(step: Step, origin: int) -> Item:
    """The thing itself; day 1 begins at ``origin``, epoch ms."""
    start = step.at.on(origin)
    return KINDS[step.kind].make(step.target, start, start + step.lasts, step.strength)


def names() -> list[str]:
    """The shipped scenarios, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name_or_file: str) -> Scenario:
    """A shipped scenario by its name, or one of your own by its file.

    Raises:
        Misconfigured: there is neither; BadFile: something in the file is wrong, every line of it is told.
    """
    shipped = FOLDER / f"{name_or_file}.yaml"
    if name_or_file in names():
        return read(shipped, shipped.name)
    path = Path(name_or_file)
    if path.suffix not in (".yaml", ".yml") and not path.exists():
        raise Misconfigured(f"no scenario {name_or_file}{nearest(name_or_file, names())}")
    return read(path, name_or_file)


def shipped() -> list[Scenario]:
    """All that 'simulate list' names."""
    return [load(name) for name in names()]


def read(path: Path, called: str) -> Scenario:
    """Raises: as :func:`load`."""
    problems = Problems(called)
    node = nodes.root(read_text(path, called), problems)
    found = (nodes.mapping(problems, "scenario", node, SCENARIO) if node is not None else None) or {}
    start = found.get("start")
    if start is not None and start.ms % DAY_MS:
        problems.add(1, "start", format_time(start.ms), "must be midnight UTC")
    problems.check()
    given = {name: found[name] for name in ("size", "seed", "mix", "expect") if name in found}
    return Scenario(
        path.stem,
        called,
        found["title"],
        found["teaches"],
        found["days"],
        START_MS if start is None else start.ms,
        steps=tuple(found.get("events", ())),
        **given,
    )


def read_faults(path: Path) -> tuple[Step, ...]:
    """The faults that are to be put onto a recording. Raises: as :func:`load`; an event of the town is told too."""
    problems = Problems(str(path))
    node = nodes.root(read_text(path, str(path)), problems)
    found = (nodes.mapping(problems, "faults", node, FAULTS) if node is not None else None) or {}
    given = [name for name in FAULT_LISTS if name in found]
    if len(given) != 1 and not problems.found:
        problems.add(1, "faults", "", "is missing" if not given else "give either faults or events: they mean the same")
    steps = [step for name in given for step in found[name] or ()]
    for step in steps:
        if step.kind not in FAULT_KINDS:
            reason = "happens in the town: only faults of sensors and of transport can be put onto a recording"
            problems.add(step.line, "kind", step.kind, f"{reason}: {', '.join(FAULT_KINDS)}")
    problems.check()
    return tuple(steps)


def read_text(path: Path, called: str) -> str:
    """Raises: Misconfigured: it cannot be read or is too long; BadFile: it is no UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(_BYTES_MAX + 1)
    except OSError as error:
        raise Misconfigured(f"{called} cannot be read: {error.strerror}") from None
    if len(raw) > _BYTES_MAX:
        raise Misconfigured(f"{called} is longer than {_BYTES_MAX >> 20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems = Problems(called)
        problems.add(raw.count(b"\n", 0, error.start) + 1, "file", "", f"is not UTF-8: byte {error.start}")
        problems.check()
        raise
