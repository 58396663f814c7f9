"""Shipped front-end files: unchanged since they were fetched, listed, and served with a lasting address."""

import hashlib
import tomllib

import httpx

from web.assets import STATIC_DIR, static_version

VENDOR_DIR = STATIC_DIR / "vendor"


def test_vendored_files_are_the_published_ones_and_all_are_listed() -> None:
    table = tomllib.loads((VENDOR_DIR / "VENDORED.toml").read_text())
    listed = {name: digest for package in table["package"] for name, digest in package["sha256"].items()}
    for name, digest in listed.items():
        assert hashlib.sha256((VENDOR_DIR / name).read_bytes()).hexdigest() == digest, name
    there = {path.relative_to(VENDOR_DIR).as_posix() for path in VENDOR_DIR.rglob("*") if path.is_file()}
    assert there - {"VENDORED.toml"} == set(listed)
    assert all(package["licence"] and f"{package['name']}/LICENSE" in listed for package in table["package"])


async def test_static_files_may_be_kept_for_ever_under_their_hash_only(client: httpx.AsyncClient) -> None:
    now = await client.get(f"/static/{static_version()}/vendor/uplot/uPlot.esm.js")
    assert now.status_code == 200
    assert "immutable" in now.headers["cache-control"]
    old = await client.get("/static/000000000000/vendor/uplot/uPlot.esm.js")
    assert old.status_code == 200
    assert old.headers["cache-control"] == "no-cache"


async def test_nothing_above_the_static_folder_is_served(client: httpx.AsyncClient) -> None:
    for path in ("/static/x/../app.py", "/static/x/%2e%2e/app.py", "/static/..%2fapp.py"):
        assert (await client.get(path)).status_code == 404
