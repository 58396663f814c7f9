"""The wheel, built and tried with the sources away."""

import json
import os
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("domain", "models", "streams", "connectors", "simulator", "web", "service")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that has the wheel, and from this one only what others have written."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    (packages,) = folder.glob("lib/python*/site-packages")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
            "--target",
            str(packages),
            str(wheel),
        ],
        check=True,
        timeout=120,
    )
    # A path file, not PYTHONPATH: the .pth of the editable install in that folder is then not read.
    (packages / "others.pth").write_text(site.getsitepackages()[0] + "\n")
    return folder


def borough(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BOROUGH_", "PYTHON"))}
    command = [str(installed / "bin" / "python"), "-m", "service", *words]
    return subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, timeout=120)


def test_it_holds_the_seven_folders_the_page_and_the_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(FOLDERS)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    files = [path for path in (ROOT / "web").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    missing = {path.relative_to(ROOT).as_posix() for path in files} - set(names)
    assert missing == set()
    assert any(name.startswith("web/static/") and name.endswith(".js") for name in names)


def test_it_runs_without_the_sources(installed: Path) -> None:
    where = subprocess.run(
        [str(installed / "bin" / "python"), "-c", "import service, web; print(service.__file__, web.__file__)"],
        cwd=installed, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(place.startswith(str(installed)) for place in where.stdout.split())
    ran = borough(installed, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Usage:" in ran.stdout
    ran = borough(installed, "settings", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["data"]["port"] == {"value": 8480, "source": "default"}


def test_every_module_of_it_can_be_imported(installed: Path) -> None:
    (packages,) = installed.glob("lib/python*/site-packages")
    modules = sorted(
        path.relative_to(packages).with_suffix("").as_posix().replace("/", ".")
        for folder in FOLDERS
        for path in (packages / folder).rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    )
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    ran = subprocess.run(
        [str(installed / "bin" / "python"), "-c", code, *modules],
        cwd=installed,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_its_command_is_named_borough(installed: Path) -> None:
    (entry,) = installed.glob("lib/python*/site-packages/borough-*.dist-info/entry_points.txt")
    assert "borough = service.cli:main" in entry.read_text()
