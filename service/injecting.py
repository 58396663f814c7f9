"""Faults onto a recording: files to an injector, and what it did to a table of labels."""

from pathlib import Path

from connectors.tables_in import read_readings, read_sensors
from domain.errors import Misconfigured
from simulator.inject import Injector, Recorded, Recording
from simulator.scenario import read_faults
from simulator.scenario_run import HEADER, Digest
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


def inject_files(readings: Path, faults: Path, sensors: Path | None, out: Path) -> tuple[int, int]:
    """A recording with faults as ``readings.csv`` beside its ``truth.csv``; how many labels, and how many readings.

    Rows stand in order of arrival; what the recording has that is no reading is left out. Raises: as injector_for.
    """
    injector = injector_for(readings, faults, sensors)
    write_label_tables(injector, out)
    digest = Digest()
    try:
        with (out / "readings.csv").open("wb") as file:
            file.write(HEADER.encode())
            for due in injector.played(read_readings(readings)):
                file.write(digest.take(due))
    except OSError as error:
        raise Misconfigured(f"--out: {out} cannot be written: {error.strerror}") from None
    return len(injector.truths), digest.readings
