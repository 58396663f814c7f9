"""Sets up an InfluxDB for ``borough provision``: the bucket and its users, in version 1.8 or 2. Blocking.

Version 1 has databases, users and grants, all made in InfluxQL; a token is ``user:password``. Version 2 has buckets and
authorizations, and makes the tokens itself.
"""

from typing import Any, Literal

from connectors.influx_http import InfluxHttp
from domain.errors import Misconfigured

Access = Literal["READ", "WRITE", "ALL"]  # all: read and write, as InfluxQL calls it


def provision(http: InfluxHttp) -> str:
    """Make the bucket if it is not there; one sentence on what was done. Raises: Unavailable, Misconfigured."""
    found = _buckets(http)
    bucket = http.address.bucket
    if found is None:
        database, _, policy = bucket.partition("/")
        _ask(http, f"CREATE DATABASE {_name(database)}")
        if policy not in ("", "autogen"):
            _ask(http, f"CREATE RETENTION POLICY {_name(policy)} ON {_name(database)} DURATION INF REPLICATION 1")
        return f"database {database} is there (InfluxDB 1)"
    if found:
        return f"bucket {bucket} is there"
    http.call("POST", "/api/v2/buckets", {}, {"orgID": _organisation(http), "name": bucket, "retentionRules": []})
    return f"bucket {bucket} made"


def grant(http: InfluxHttp, user: str, access: Access, token: str | None, password: str) -> str:
    """Give ``user`` exactly this access to the bucket, which is there; the token it is to use.

    Args:
        token: the one it has, None when it has none yet; it is kept when it still holds.
        password: for version 1, where the token is made of it.

    Raises:
        Unavailable, Misconfigured.
    """
    buckets = _buckets(http)
    if buckets is None:
        return _grant_in_influxql(http, user, access, token or f"{user}:{password}")
    if not buckets:
        raise Misconfigured(f"InfluxDB at {http.address.url} has no bucket {http.address.bucket}: run provision")
    organisation = _organisation(http)
    ours = [
        found
        for found in (http.call("GET", "/api/v2/authorizations", {"orgID": organisation}) or {})["authorizations"]
        if found.get("description") == user
    ]
    resource = {"type": "buckets", "id": buckets[0]["id"], "orgID": organisation}
    actions = ("read", "write") if access == "ALL" else (access.lower(),)
    permissions = [{"action": action, "resource": resource} for action in actions]
    kept = None
    for found in ours:  # version 2.8 and later no longer show the token; then the one that was kept is told by use
        if kept is None and token and found.get("token", token) == token and _same(found["permissions"], permissions):
            kept = token
        else:
            http.call("DELETE", f"/api/v2/authorizations/{found['id']}", {})
    if kept is not None:
        return kept
    body = {"orgID": organisation, "description": user, "permissions": permissions}
    return str((http.call("POST", "/api/v2/authorizations", {}, body) or {})["token"])


def _grant_in_influxql(http: InfluxHttp, user: str, access: Access, token: str) -> str:
    database = _name(http.address.bucket.partition("/")[0])
    password = _text(token.partition(":")[2])
    users = [row[0] for row in _rows(_ask(http, "SHOW USERS"))]
    if user in users:
        _ask(http, f"SET PASSWORD FOR {_name(user)} = {password}")
        _ask(http, f"REVOKE ALL PRIVILEGES FROM {_name(user)}")  # those of an administrator
    else:
        _ask(http, f"CREATE USER {_name(user)} WITH PASSWORD {password}")
    for other, _ in _rows(_ask(http, f"SHOW GRANTS FOR {_name(user)}")):
        if _name(other) != database:
            _ask(http, f"REVOKE ALL PRIVILEGES ON {_name(other)} FROM {_name(user)}")
    _ask(http, f"GRANT {access} ON {database} TO {_name(user)}")
    return token


def _buckets(http: InfluxHttp) -> list[dict[str, Any]] | None:
    """Of our bucket's name; None in version 1, which has no such call."""
    answer = http.call("GET", "/api/v2/buckets", {"name": http.address.bucket}, absent_is_none=True)
    return None if answer is None else list(answer.get("buckets") or ())


def _organisation(http: InfluxHttp) -> str:
    answer = http.call("GET", "/api/v2/orgs", {"org": http.address.org}) or {}
    if not answer.get("orgs"):
        raise Misconfigured(f"InfluxDB at {http.address.url} has no organisation {http.address.org!r}")
    return str(answer["orgs"][0]["id"])


def _ask(http: InfluxHttp, query: str) -> dict[str, Any]:
    answer = http.call("POST", "/query", {"q": query}) or {}
    for result in answer.get("results", ()):
        if "error" in result:
            raise Misconfigured(f"InfluxDB at {http.address.url}: {result['error']}")
    return answer


def _rows(answer: dict[str, Any]) -> list[list[Any]]:
    return [
        row for result in answer["results"] for series in result.get("series", ()) for row in series.get("values", ())
    ]


def _same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> bool:
    def plain(permissions: list[dict[str, Any]]) -> list[tuple[str, ...]]:
        return sorted((p["action"], p["resource"]["type"], p["resource"].get("id", "")) for p in permissions)

    return plain(found) == plain(wanted)


def _name(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
