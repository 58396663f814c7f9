"""Faults onto a recording: files to an injector, and what it did to a table of labels."""

from pathlib import Path

from connectors.tables_in import read_readings, read_sensors
from domain.errors import Misconfigured
from simulator.inject import Injector, Recorded, Recording
from simulator.scenario import read_faults
from simulator.truth import write_truth


def injector_for(readings: Path, faults: Path, sensors: Path | None) -> Injector:
    """Raises: Misconfigured: a file cannot be read; BadFile: a fault does not fit the recording."""
    steps = read_faults(faults)
    known = {sensor.sensor: sensor for sensor in read_sensors(sensors)} if sensors else {}
    recording = Recording.of(read_readings(readings))
    if not recording.series:
        raise Misconfigured(f"{readings} holds no reading")
    return Injector(Recorded(recording.series, known), steps, recording, str(faults))


def write_label_tables(injector: Injector, folder: Path) -> None:
    """``truth.csv`` of the faults. Raises: Misconfigured."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_truth(folder / "truth.csv", injector.truths)
    except OSError as error:
        raise Misconfigured(f"--truth: {folder} cannot be written: {error.strerror}") from None
