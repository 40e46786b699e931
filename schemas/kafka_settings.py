"""Kafka settings that would break exactly-once or contradict each other are refused before anything starts (ER-1 to 5, ER-17)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.instants import MILLISECOND
from schemas.mistakes import Mistake, suggestion
from schemas.quantities import parse_duration

KAFKA_DEFAULTS = {
    "session.timeout.ms": "45000",
    "max.poll.interval.ms": "300000",
    "transaction.timeout.ms": "30000",
}
"""Where the configuration names no value (engine rules, ER-1 and ER-17)."""

SECRETS = frozenset(
    {
        "sasl.kerberos.kinit.cmd",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "ssl_key",
    }
)
"""The settings of librdkafka that hold a secret. Paths to secrets and certificates are none: an operator wants to see them."""
_SECRET_WORD = re.compile(r"pass|secret|token|jaas")
_PLACE_OF = ("file", "location", "url")
"""Last words of settings that say where something is."""

_ONLY = {
    "acks": ("all", "less is too little for transactions"),
    "enable.auto.offset.store": ("false", "offsets would be committed without what was made of the records"),
    "enable.auto.commit": ("false", "offsets are committed with what was made of the records, or records are lost"),
    "enable.idempotence": ("true", "a retry would write a record twice"),
    "isolation.level": ("read_committed", "records of aborted transactions would be counted"),
    "partitioner": ("murmur2_random", "a lead's records would land on another partition than Java clients put them"),  # ER-5
    "metadata.recovery.strategy": ("none", "with any other value the client hangs in broker outages"),  # ER-15
    "allow.auto.create.topics": ("false", "a misspelt topic would be created instead of reported"),  # ER-5
    "auto.offset.reset": ("earliest", "records that came before the first start would be skipped"),  # ER-5
}
_OURS = {
    "group.id": "it is the name of the application",
    "transactional.id": "it is made of application and --instance",
    "group.instance.id": "it is --instance",
    "enable.partition.eof": "it differs between the consumers of a worker",
}
_CLASSIC_ONLY = ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy", "group.protocol.type")
_SHORTEST_SESSION = 30_000
_SPLIT = "it splits topics that belong together over workers and corrupts their state without any error"  # ER-3


def is_secret(setting: str) -> bool:
    """Whether the value of a Kafka setting must never be shown (ER-32).

    A name that librdkafka does not know counts too when it sounds like one: what is misspelt is no less secret.
    """
    words = re.split(r"[._-]", setting.lower())
    return setting.lower() in SECRETS or (words[-1] not in _PLACE_OF and any(map(_SECRET_WORD.match, words)))


def check_kafka(kafka: Mapping[str, Any], batch_time: Any) -> Iterator[Mistake]:
    """What is wrong with the settings, with paths from the root of the configuration.

    Args:
        kafka: As written.
        batch_time: `limits.batch_time` as written.
    """
    settings = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in kafka.items()}
    if "bootstrap.servers" not in settings:
        close = [key for key in settings if suggestion(key, ["bootstrap.servers"])]
        path, hint = (
            (("kafka", close[0]), f"{close[0]} is something else") if close else (("kafka",), "there is no broker to ask")
        )
        yield Mistake(path, f"bootstrap.servers missing: {hint}; write bootstrap.servers: localhost:9092", of_key=bool(close))
    for key, value in settings.items():
        yield from _fixed(key, value)
    protocol = settings.get("group.protocol", "classic")
    if protocol == "consumer":
        yield from _broker_side_groups(settings)
    elif protocol == "classic":
        yield from _classic_groups(settings)
    else:
        yield Mistake(("kafka", "group.protocol"), f"unknown group protocol {protocol}: write classic or consumer")
    yield from _times(settings, protocol, batch_time)


def _fixed(key: str, value: str) -> Iterator[Mistake]:
    if key in _OURS:
        yield Mistake(("kafka", key), f"{key} is not configured, {_OURS[key]}: leave it out", of_key=True)
    elif key in _ONLY and value != _ONLY[key][0]:
        wanted, reason = _ONLY[key]
        yield Mistake(("kafka", key), f"{key} must be {wanted}: {reason}; leave it out")


def _broker_side_groups(settings: Mapping[str, str]) -> Iterator[Mistake]:
    for key in _CLASSIC_ONLY:
        if key in settings:
            instead = "write group.remote.assignor: range" if key == "partition.assignment.strategy" else "leave it out"
            sentence = f"with group.protocol: consumer the broker decides on {key}: {instead}"  # ER-2
            yield Mistake(("kafka", key), sentence, of_key=True)
    if settings.get("group.remote.assignor", "range") != "range":
        yield Mistake(("kafka", "group.remote.assignor"), f"the assignor must be range: {_SPLIT}; write range")


def _classic_groups(settings: Mapping[str, str]) -> Iterator[Mistake]:
    if settings.get("partition.assignment.strategy", "range") != "range":
        yield Mistake(("kafka", "partition.assignment.strategy"), f"the assignor must be range: {_SPLIT}; write range")
    if "group.remote.assignor" in settings:
        sentence = "group.remote.assignor needs group.protocol: consumer; leave it out"
        yield Mistake(("kafka", "group.remote.assignor"), sentence, of_key=True)


def _times(settings: Mapping[str, str], protocol: str, batch_time: Any) -> Iterator[Mistake]:
    """Times that contradict each other (ER-1, ER-17)."""
    times: dict[str, int] = {}
    for key, default in KAFKA_DEFAULTS.items():
        written = settings.get(key, default)
        if written.isascii() and written.isdigit() and len(written) <= len(str(1 << 31)):
            times[key] = int(written)
        else:
            yield Mistake(("kafka", key), f"{written!r} is no number of milliseconds: write for example {default}")
    session, poll, transaction = (times.get(key) for key in KAFKA_DEFAULTS)
    if protocol == "classic" and session is not None:
        yield from _session(session, poll, transaction, settings)
    batch = _milliseconds(batch_time)
    if transaction is not None and batch >= transaction:
        path = ("limits", "batch_time")
        yield Mistake(path, f"batch_time must be shorter than transaction.timeout.ms, {transaction} ms: write for example 100ms")


def _session(session: int, poll: int | None, transaction: int | None, settings: Mapping[str, str]) -> Iterator[Mistake]:
    if session < _SHORTEST_SESSION:
        sentence = f"session.timeout.ms must be at least {_SHORTEST_SESSION}: below it a broker outage fences healthy workers"
        yield Mistake(("kafka", "session.timeout.ms"), f"{sentence}; write 45000")
    if poll is not None and poll < session:
        mend = f"write at least {session}"
        key = "max.poll.interval.ms" if "max.poll.interval.ms" in settings else "session.timeout.ms"
        yield Mistake(
            ("kafka", key), f"max.poll.interval.ms ({poll}) is below session.timeout.ms ({session}): {mend} for the first"
        )
    if transaction is not None and transaction > session:
        key = "transaction.timeout.ms" if "transaction.timeout.ms" in settings else "session.timeout.ms"
        times = f"transaction.timeout.ms ({transaction}) is above session.timeout.ms ({session})"
        yield Mistake(("kafka", key), f"{times}: the next owner would wait for it; write at most {session} for the first")


def _milliseconds(batch_time: Any) -> int:
    try:
        return parse_duration(batch_time) // MILLISECOND
    except (TypeError, ValueError):
        return 0  # reported where the model refuses it
