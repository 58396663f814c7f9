"""Rules of the house that no linter knows: sizes, names, who imports which client, and what locks may hold."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("domain", "models", "streams", "connectors", "simulator", "web", "service")
LINES_MAX = 300
FUNCTION_LINES_MAX = 60
NAMELESS = re.compile(r"(?:^|_)(utils?|common|helpers?|misc|base2)(?:_|$)")
#: Library → the files that may import it (anywhere else it is hidden behind a port).
CLIENTS = {
    "confluent_kafka": ["connectors/embedded_broker.py"],
    "aiokafka": ["connectors/kafka_*.py", "connectors/checkpoints_kafka.py"],
    "kafka": ["connectors/kafka_admin.py", "connectors/kafka_rights.py"],
    "duckdb": ["connectors/duckdb_*.py", "connectors/tables_*.py", "connectors/*_table.py"],
    "influxdb_client": ["connectors/influx_*.py"],
    "sqlite3": ["connectors/*.py"],
    "river": ["models/*.py"],
    "faust": ["streams/agents.py", "service/*.py"],
    "pyarrow": [],
    "pickle": [],
}


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


ALL = [shown(path) for path in sources(*FOLDERS)]


@pytest.mark.parametrize("name", ALL)
def test_a_file_fits_in_a_head(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_MAX, "split it by what its parts do"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} in line {node.lineno} has {lines} lines"


@pytest.mark.parametrize("name", ALL)
def test_a_file_says_what_it_is_and_is_named_after_it(name: str) -> None:
    assert ast.get_docstring(ast.parse((ROOT / name).read_text(encoding="utf-8"))), "the first line says what it is"
    assert not NAMELESS.search(Path(name).stem), "name it after what it does"


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("name", ALL)
def test_clients_are_imported_where_they_belong(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    strangers = {
        library
        for library in (module.partition(".")[0] for module in imports(tree))
        if library in CLIENTS and not any(fnmatch(name, pattern) for pattern in CLIENTS[library])
    }
    assert strangers == set()


def test_tests_are_no_package() -> None:
    assert [shown(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_the_page_loads_nothing_from_elsewhere() -> None:
    pages = [*(ROOT / "web" / "templates").rglob("*.html")]
    assert pages
    for page in pages:
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page.read_text(encoding="utf-8")), shown(page)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_pin_everything_and_hold_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?:|--(?:extra-)?index|--find-links|\bfile:| @ ", text)
    blocks = [block for block in re.split(r"\n(?=\S)", text.strip()) if not block.startswith("#")]
    assert len(blocks) > 50
    for block in blocks:
        assert re.match(r"[\w.\-]+==[\w.]+", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]


def test_the_locks_agree_and_cover_what_is_asked_for() -> None:
    run, dev = (pinned(name) for name in ("requirements.lock", "requirements-dev.lock"))
    assert run.items() <= dev.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    assert {re.split(r"[=<>!~\[ ]", line)[0].lower() for line in asked} - set(dev) == set()


def pinned(name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.\-]+)==([\w.]+)", (ROOT / name).read_text(), re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


def test_no_file_names_a_registry_or_a_secret_place() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    address = re.compile(r"pypi\.|registry\.npmjs|files\.pythonhosted|proxy\.golang|repo\.maven")
    for name in filter(None, listed):
        path = ROOT / name
        if path.suffix in (".png", ".svg", ".gz", ".parquet", ".woff2") or path == Path(__file__) or not path.is_file():
            continue
        assert not address.search(path.read_text(encoding="utf-8", errors="replace")), name
