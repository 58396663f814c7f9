"""Topics: made by ``borough provision``, checked by ``doctor`` and at start-up. Blocking; use it from a thread."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    NotCoordinatorError,
    TopicAlreadyExistsError,
    for_code,
)

from connectors.kafka_publisher import MESSAGE_BYTES_MAX
from connectors.kafka_security import PLAIN, KafkaSecurity
from domain.errors import Misconfigured, Unavailable
from domain.rights import Rights
from domain.topics import ALERTS, CHECKPOINTS, COMPACTED, PARTITIONS, READINGS, TOPICS

EMBEDDED_API = (2, 0)
READINGS_DAYS = 7
CHECKPOINT_BYTES_MAX = 64 << 20
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000


def topic_configs(topic: str) -> dict[str, str]:
    """The broker-side settings of a topic, as Kafka names them."""
    configs = {"max.message.bytes": str(MESSAGE_BYTES_MAX)}
    if topic in READINGS:
        configs["retention.ms"] = str(READINGS_DAYS * _DAY_MS)
    if topic in COMPACTED:
        configs["cleanup.policy"] = "compact"
    if topic == CHECKPOINTS:
        configs |= {
            "max.message.bytes": str(CHECKPOINT_BYTES_MAX),
            "segment.bytes": str(2 * CHECKPOINT_BYTES_MAX),  # compaction starts behind the open segment: roll often
            "segment.ms": str(10 * _MINUTE_MS),
            "min.cleanable.dirty.ratio": "0.1",
            "min.compaction.lag.ms": str(5 * _MINUTE_MS),  # a state overtaken by a zombie is still there to be chosen
        }
    if topic == ALERTS:
        configs["delete.retention.ms"] = str(READINGS_DAYS * _DAY_MS)
    return configs


def provision(
    address: str, security: KafkaSecurity = PLAIN, *, replication_factor: int = 1, timeout_s: float = 10.0
) -> list[str]:
    """Make the topics that are missing; return their names. Done twice, it changes nothing.

    Raises:
        Unavailable: the broker cannot be reached, or cannot make a topic just now.
        Misconfigured: a topic exists with another number of partitions, or the broker refuses one as it is asked for.
    """
    with admin_client(address, security, timeout_s) as admin:
        found = {topic: count for topic, (count, _) in _found(admin, TOPICS).items()}
        wrong = [line for line in _problems(found) if not line.endswith(_MISSING)]
        if wrong:
            raise Misconfigured("; ".join(wrong))
        missing = [topic for topic in TOPICS if topic not in found]
        if not missing:
            return []
        answer = admin.create_topics(
            {
                topic: {
                    "num_partitions": PARTITIONS,
                    "replication_factor": replication_factor,
                    "configs": topic_configs(topic),
                }
                for topic in missing
            },
            raise_errors=False,
        )
        made = []
        for row in answer["topics"]:
            error = for_code(row["error_code"])
            if row["error_code"] == 0:
                made.append(row["name"])
            elif error is not TopicAlreadyExistsError:  # somebody else was quicker
                said = f"Kafka at {address} does not make topic {row['name']}: {row.get('error_message') or error}"
                raise Unavailable(said) if getattr(error, "retriable", False) else Misconfigured(said)
        return made


def check(
    address: str,
    security: KafkaSecurity = PLAIN,
    *,
    needs: Rights | None = None,
    timeout_s: float = 10.0,
    api_version: tuple[int, int] | None = None,
) -> list[str]:
    """What is wrong with the topics, one sentence each; empty when all is well.

    Args:
        needs: look only at its topics, and whether this user may do on them what it says; None: at all topics.
        api_version: asked of the broker when it is None; the embedded one answers only to ``EMBEDDED_API``.

    Raises:
        Unavailable: the broker cannot be reached.
    """
    wanted = dict.fromkeys(TOPICS, frozenset[str]()) if needs is None else needs.topics()
    with admin_client(address, security, timeout_s, api_version) as admin:
        found = _found(admin, tuple(wanted))
        barred = needs is not None and bool(needs.group) and _barred(admin, needs.group)
    problems = _problems({topic: count for topic, (count, _) in found.items()}, tuple(wanted))
    if needs is None or not security.username:
        return problems
    for topic, (_, allowed) in found.items():
        if lacking := sorted(wanted[topic] - allowed):
            problems.append(f"{security.username} may not {' or '.join(lacking)} topic {topic}{_RIGHTS}")
    if barred:
        problems.append(f"{security.username} may not READ group {needs.group}{_RIGHTS}")
    # What a user has no right on, it cannot see either.
    return [line.replace(_MISSING, f"is missing, or {security.username} may not use it{_RIGHTS}") for line in problems]


_RIGHTS = ": run `borough provision`"
_MISSING = f"is missing{_RIGHTS}"


def _barred(admin: Any, group: str) -> bool:
    try:
        admin.list_group_offsets(group)
    except GroupAuthorizationFailedError:
        return True
    except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
        return False  # the right was looked at first; the broker has just started, or nobody has used a group yet
    return False


def _problems(found: Mapping[str, int], wanted: tuple[str, ...] = TOPICS) -> list[str]:
    problems = []
    for topic in wanted:
        if topic not in found:
            problems.append(f"topic {topic} {_MISSING}")
        elif found[topic] != PARTITIONS:
            problems.append(
                f"topic {topic} has {found[topic]} partitions, not {PARTITIONS}: "
                f"delete it or make it anew with {PARTITIONS} partitions"
            )
    return problems


def _found(admin: Any, wanted: tuple[str, ...]) -> dict[str, tuple[int, frozenset[str]]]:
    """Topic → number of partitions and what this user may do there, of the topics that exist and that it may see."""
    names = set(admin.list_topics()).intersection(wanted)
    if not names:
        return {}
    # An old broker, like the embedded one, does not say what is allowed: then all is.
    return {
        row["name"]: (len(row["partitions"]), frozenset(row.get("authorized_operations") or ("READ", "WRITE")))
        for row in admin.describe_topics(sorted(names))
    }


@contextlib.contextmanager
def admin_client(
    address: str, security: KafkaSecurity, timeout_s: float, api_version: tuple[int, int] | None = None
) -> Iterator[Any]:
    """The library's client, for a while. Raises: Unavailable, also for what the library raises inside."""
    timeout_ms = int(timeout_s * 1_000)
    known = {} if api_version is None else {"api_version": api_version}
    with _silent_library():
        try:
            admin = KafkaAdminClient(
                bootstrap_servers=address,
                bootstrap_timeout_ms=timeout_ms,
                request_timeout_ms=timeout_ms,
                **known,
                **security.options(),
            )
            try:
                yield admin
            finally:
                admin.close()
        except (KafkaError, OSError) as error:
            raise Unavailable(f"Kafka at {address} cannot be reached: {error or type(error).__name__}") from None


@contextlib.contextmanager
def _silent_library() -> Iterator[None]:
    """The library logs every attempt as an error; what matters is in the exception, in one line."""
    logger = logging.getLogger("kafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
