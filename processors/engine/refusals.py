"""Settings that would break exactness or contradict each other, as sentences that say what to write instead.

The configuration file is checked with line and column before a worker is made; this is the last line of defence, at the place
where a wrong value would corrupt silently, for whoever builds a worker in another way.
"""

import re
from collections.abc import Iterable, Mapping

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}")

_FIXED = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "allow.auto.create.topics": "false",
    "partitioner": "murmur2_random",
    "enable.idempotence": "true",
    "metadata.recovery.strategy": "none",
    "partition.assignment.strategy": "range",
    "group.remote.assignor": "range",
}
"""Settings that may be written, but only with this value (ER-3, ER-5, ER-15)."""

_DERIVED = ("group.id", "group.instance.id", "transactional.id", "enable.partition.eof")
"""Settings that are made from application and instance, or belong to one of several consumers."""

_CLASSIC_ONLY = ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy")
"""librdkafka refuses them with group.protocol=consumer (ER-2): the broker decides there."""

_SESSION_AT_LEAST = 30_000
"""Milliseconds. With 6 s a broker outage of 12 s killed a static consumer (ER-1)."""


def faults_of_names(**names: str) -> Iterable[str]:
    """Names that brokers do not take for groups and members; they also name folders."""
    for what, name in names.items():
        if not _NAME.fullmatch(name):
            yield f"{what} {name!r}: must be 1 to 200 of A-Z a-z 0-9 . _ -, as brokers want it of groups and members"


def faults_of_kafka(given: Mapping[str, str]) -> Iterable[str]:
    """Single settings that are not up to the user."""
    if "bootstrap.servers" not in given and "metadata.broker.list" not in given:
        yield "bootstrap.servers is missing: name at least one broker, host:port"
    protocol = given.get("group.protocol", "classic")
    if protocol not in ("classic", "consumer"):
        yield f"group.protocol: {protocol!r} is unknown: write classic or consumer"
    for name, value in given.items():
        if name in _DERIVED:
            yield f"{name} is made from application and instance: leave it out"
        elif name in _FIXED and value.lower() != _FIXED[name]:
            yield f"{name}: {value!r} would break exactness: leave it out, or write {_FIXED[name]}"
        elif name in ("acks", "request.required.acks") and value not in ("all", "-1"):
            yield f"{name}: {value!r} is too little for transactions: leave it out, or write all"
        elif name in _CLASSIC_ONLY and protocol == "consumer":
            yield f"{name} cannot be set with group.protocol=consumer, where the broker decides it: leave it out"


def faults_of_times(given: Mapping[str, str], batch_time: float) -> Iterable[str]:
    """ER-1 and ER-17: commit interval < transaction timeout <= session timeout <= poll interval.

    Args:
        given: The settings.
        batch_time: Seconds that a transaction may take records in.
    """
    try:
        session = milliseconds(given, "session.timeout.ms", 45_000)
        poll = milliseconds(given, "max.poll.interval.ms", 300_000)
        transaction = milliseconds(given, "transaction.timeout.ms", 30_000)
    except ValueError as why:
        yield str(why)
        return
    if session < _SESSION_AT_LEAST:
        yield f"session.timeout.ms: {session} lets a broker outage fence this worker: write {_SESSION_AT_LEAST} or more"
    if poll < session:
        yield f"max.poll.interval.ms: {poll} is below session.timeout.ms: write {session} or more"
    if transaction > session:
        yield f"transaction.timeout.ms: {transaction} is above session.timeout.ms: write {session} or less"
    if batch_time * 1000 >= transaction:
        yield f"limits.batch_time: {batch_time * 1000:.0f} ms must be below transaction.timeout.ms, {transaction}"


def milliseconds(given: Mapping[str, str], name: str, default: int) -> int:
    """A setting as a number of milliseconds.

    Raises:
        ValueError: It is no number; the sentence says what to write.
    """
    text = given.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise ValueError(f"{name}: {text!r} is no number: write milliseconds, for example {default}")
    return int(text)
