"""Static files under an address that holds the hash of them all, so that browsers may keep them for ever.

ES modules import each other by relative addresses; a hash in the folder rather than in each name keeps those right.
"""

import hashlib
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC_DIR = Path(__file__).parent / "static"
TEMPLATE_DIR = Path(__file__).parent / "templates"
_FOR_EVER = "public, max-age=31536000, immutable"


def static_version(folder: Path = STATIC_DIR) -> str:
    """12 hex digits that change with any name or byte in the folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


class VersionedFiles(StaticFiles):
    """``/static/<version>/<file>``: kept for ever under the version of now, asked for afresh under any other."""

    def __init__(self, version: str, folder: Path = STATIC_DIR) -> None:
        super().__init__(directory=folder)
        self._version = version

    async def get_response(self, path: str, scope: Scope) -> Response:
        version, _, rest = path.replace("\\", "/").partition("/")
        response = await super().get_response(rest, scope)
        response.headers["Cache-Control"] = _FOR_EVER if version == self._version else "no-cache"
        return response
