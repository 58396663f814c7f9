"""Damage on the disk is noticed, said, and survived."""

import errno
import os
from pathlib import Path

import pytest

from connectors.checkpoints_file import FileCheckpoints
from domain.errors import Full, Misconfigured, Unavailable


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A folder with two saves of keys a and b."""
    keeper = FileCheckpoints(tmp_path)
    for n in (1, 2, 3):
        await keeper.save({"a": b"a%d" % n * 100, "b": b"b%d" % n * 100})
    return tmp_path


async def test_two_saves_are_kept(folder: Path) -> None:
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("at", range(0, 455, 14))
async def test_a_flipped_byte_anywhere_costs_at_most_one_save(folder: Path, at: int) -> None:
    newest = sorted(folder.iterdir())[-1]
    raw = bytearray(newest.read_bytes())
    assert len(raw) == 455
    raw[at] ^= 0x10
    newest.write_bytes(raw)
    keeper = FileCheckpoints(folder)
    assert await keeper.load("a") in (b"a2" * 100, b"a3" * 100)
    assert await keeper.load("b") in (b"b2" * 100, b"b3" * 100)
    assert len(keeper.damaged) == 1
    assert newest.name in keeper.damaged[0]


@pytest.mark.parametrize("size", [0, 5, 24, 100, 300, -1])
async def test_a_truncated_file_falls_back(folder: Path, size: int) -> None:
    newest = sorted(folder.iterdir())[-1]
    raw = newest.read_bytes()
    newest.write_bytes(raw[:size])
    keeper = FileCheckpoints(folder)
    assert await keeper.load("b") == b"b2" * 100
    assert len(keeper.damaged) == 1


async def test_what_is_saved_after_damage_is_found_again_and_the_last_good_one_stays(folder: Path) -> None:
    newest = sorted(folder.iterdir())[-1]
    newest.write_bytes(b"")
    keeper = FileCheckpoints(folder)
    await keeper.save({"a": b"4"})
    other = FileCheckpoints(folder)
    assert await other.load("a") == b"4"
    assert await other.load("b") == b"b2" * 100
    assert other.damaged == []
    sorted(folder.iterdir())[-1].write_bytes(b"")
    assert await FileCheckpoints(folder).load("a") == b"a2" * 100


async def test_all_files_damaged_is_nothing_not_an_error(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(os.urandom(200))
    keeper = FileCheckpoints(folder)
    assert await keeper.load("a") is None
    assert len(keeper.damaged) == 2


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, Full), (errno.EIO, Unavailable)])
async def test_a_disk_that_fails_leaves_the_old_states(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    keeper = FileCheckpoints(folder)

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(kind, match=os.strerror(number)) as caught:
            await keeper.save({"a": b"4", "b": b"4"})
    assert type(caught.value) is kind
    assert list(folder.glob("*.tmp")) == []
    for reader in (keeper, FileCheckpoints(folder)):
        assert await reader.load("a") == b"a3" * 100
    await keeper.save({"a": b"5"})
    assert await FileCheckpoints(folder).load("a") == b"5"


async def test_a_left_over_of_a_crash_is_cleared_away(folder: Path) -> None:
    (folder / "000000000009.tmp").write_bytes(b"half")
    assert await FileCheckpoints(folder).load("a") == b"a3" * 100
    assert list(folder.glob("*.tmp")) == []


def test_a_folder_that_is_a_file_is_misconfigured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="file"):
        FileCheckpoints(tmp_path / "file")
