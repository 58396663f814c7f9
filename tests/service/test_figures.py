from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from connectors.checkpoints_file import FileCheckpoints
from service.figures import Figures


async def test_damage_that_is_found_is_counted(tmp_path: Path) -> None:
    for state in (b"good", b"newer"):
        await FileCheckpoints(tmp_path).save({"readings.air-1": state})
    newest = max(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes()[:-3])
    checkpoints, registry = FileCheckpoints(tmp_path), CollectorRegistry()
    Figures(registry).of_damage("checkpoints", checkpoints.damaged)
    assert b"borough_checkpoints_damage_total 0.0" in generate_latest(registry)
    assert await checkpoints.load("readings.air-1") == b"good"
    assert b"borough_checkpoints_damage_total 1.0" in generate_latest(registry)
