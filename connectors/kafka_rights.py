"""Names, passwords and rules at a broker: ``borough provision`` makes them as ``domain.rights`` says. Blocking."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.errors import ClusterAuthorizationFailedError, SecurityDisabledError

from connectors.kafka_admin import admin_client
from connectors.kafka_security import KafkaSecurity
from domain.errors import Misconfigured
from domain.rights import PREFIX, Rule

_ANYWHERE = "*"


def differences(
    address: str, security: KafkaSecurity, wanted: Sequence[Rule], timeout_s: float = 10.0
) -> tuple[list[Rule], list[str]]:
    """What is missing, and what our users may do beyond it, in words.

    Raises:
        Misconfigured: the broker checks no rights, or this name may not see them.
        Unavailable: the broker cannot be reached.
    """
    with admin_client(address, security, timeout_s) as admin:
        found = _found(admin, security)
        plain = {_acl(rule) for rule in wanted}
        return [rule for rule in wanted if _acl(rule) not in found], [_said(acl) for acl in found if acl not in plain]


def apply(address: str, security: KafkaSecurity, wanted: Sequence[Rule], timeout_s: float = 10.0) -> tuple[int, int]:
    """Make our users' rules exactly these; how many were added and how many taken away. Raises: as ``differences``."""
    with admin_client(address, security, timeout_s) as admin:
        found, goal = _found(admin, security), {_acl(rule): rule for rule in wanted}
        missing = [acl for acl in goal if acl not in found]
        if missing and (failed := admin.create_acls(missing)["failed"]):
            raise Misconfigured(f"Kafka at {address} does not add rules: {failed[0].__name__}")
        surplus = [acl for acl in found if acl not in goal]
        if surplus:
            admin.delete_acls([_only(acl) for acl in surplus])
        return len(missing), len(surplus)


def set_passwords(address: str, security: KafkaSecurity, passwords: Mapping[str, str], timeout_s: float = 10.0) -> None:
    """Let every user in with this password, by the mechanism that this program itself uses. Raises: Misconfigured."""
    if not security.mechanism.startswith("SCRAM-"):
        raise Misconfigured("broker_mechanism (BOROUGH_BROKER_MECHANISM): users are made for SCRAM only")
    alterations = [
        UserScramCredentialUpsertion(user, security.mechanism, password) for user, password in passwords.items()
    ]
    with admin_client(address, security, timeout_s) as admin:
        answers = admin.alter_user_scram_credentials(alterations)
    for user, error in answers.items():
        if error is not None:
            raise Misconfigured(f"Kafka at {address} does not make user {user}: {error}")


def _found(admin: Any, security: KafkaSecurity) -> list[ACL]:
    """Every rule that speaks of one of our users."""
    anything = ACLFilter(
        principal=None,
        host=None,
        operation=ACLOperation.ANY,
        permission_type=ACLPermissionType.ANY,
        resource_pattern=ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
    )
    try:
        acls, _ = admin.describe_acls(anything)
    except SecurityDisabledError:
        raise Misconfigured(
            "the broker has no authorizer, so it cannot hold rights: set authorizer.class.name there, "
            "or leave principals (BOROUGH_PRINCIPALS) away"
        ) from None
    except ClusterAuthorizationFailedError:
        raise Misconfigured(
            f"the broker does not let {security.username or 'somebody without a name'!r} see or change rights: "
            "give an administrator as broker_user (BOROUGH_BROKER_USER)"
        ) from None
    return [acl for acl in acls if acl.principal.startswith(f"User:{PREFIX}")]


def _acl(rule: Rule) -> ACL:
    return ACL(
        principal=f"User:{rule.principal}",
        host=_ANYWHERE,
        operation=ACLOperation[rule.operation],
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(ResourceType[rule.resource], rule.name),
    )


def _only(acl: ACL) -> ACLFilter:
    pattern = acl.resource_pattern
    return ACLFilter(
        principal=acl.principal,
        host=acl.host,
        operation=acl.operation,
        permission_type=acl.permission_type,
        resource_pattern=ResourcePatternFilter(pattern.resource_type, pattern.resource_name, pattern.pattern_type),
    )


def _said(acl: ACL) -> str:
    pattern = acl.resource_pattern
    words: Iterable[str] = (
        acl.principal.removeprefix("User:"),
        acl.permission_type.name.lower() + "ed",
        acl.operation.name,
        f"{pattern.resource_type.name.lower()} {pattern.resource_name}",
    )
    return " ".join(words)
