"""The `kafka:` map of the configuration, which speaks librdkafka's names, for a reader that is made of aiokafka.

It guards that insights reads with the same addresses, passwords and trust as the workers: what has an equal is translated, what
concerns writing, groups or statistics of a worker says nothing to a reader, and everything else is refused by its name, because
a setting that is passed over in silence may be the one that keeps a connection safe.
"""

import ssl
from collections.abc import Callable, Mapping
from typing import Any

from processors.engine.stop import INPUT, Stop
from processors.engine.tls import trusting_as, uses_tls

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def chosen(value: str) -> str:
        if value.upper() not in names:
            raise ValueError(f"insights can do {', '.join(names)}, not {value}")
        return value.upper()

    return chosen


_TRANSLATED: dict[str, tuple[str, Callable[[str], Any]]] = {
    "bootstrap.servers": ("bootstrap_servers", str),
    "metadata.broker.list": ("bootstrap_servers", str),
    "client.rack": ("client_rack", str),
    "check.crcs": ("check_crcs", lambda value: value == "true"),
    "connections.max.idle.ms": ("connections_max_idle_ms", int),
    "fetch.max.bytes": ("fetch_max_bytes", int),
    "fetch.min.bytes": ("fetch_min_bytes", int),
    "fetch.wait.max.ms": ("fetch_max_wait_ms", int),
    "fetch.message.max.bytes": ("max_partition_fetch_bytes", int),
    "max.partition.fetch.bytes": ("max_partition_fetch_bytes", int),
    "metadata.max.age.ms": ("metadata_max_age_ms", int),
    "retry.backoff.ms": ("retry_backoff_ms", int),
    "security.protocol": ("security_protocol", _one_of(_PROTOCOLS)),
    "sasl.mechanism": ("sasl_mechanism", _one_of(_MECHANISMS)),
    "sasl.mechanisms": ("sasl_mechanism", _one_of(_MECHANISMS)),
    "sasl.username": ("sasl_plain_username", str),
    "sasl.password": ("sasl_plain_password", str),
}
"""What aiokafka calls a setting, and how it takes its value."""

_IN_THE_CONTEXT = frozenset(
    {
        "enable.ssl.certificate.verification",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.certificate.pem",
        "ssl.endpoint.identification.algorithm",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.key.pem",
    }
)
"""What becomes the one TLS context (`engine.tls`)."""

_OF_A_WORKER = (
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "batch.",
    "client.id",
    "compression.",
    "debug",
    "delivery.timeout.ms",
    "enable.auto.",
    "enable.idempotence",
    "fetch.error.backoff.ms",
    "group.protocol",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "isolation.level",
    "linger.ms",
    "log",
    "max.poll.interval.ms",
    "message.",
    "metadata.recovery.strategy",
    "partition.assignment.strategy",
    "partitioner",
    "queue.buffering.",
    "queued.",
    "queuing.strategy",
    "request.required.acks",
    "request.timeout.ms",
    "retries",
    "retry.backoff.max.ms",
    "reconnect.backoff.",
    "session.timeout.ms",
    "socket.",
    "statistics.interval.ms",
    "sticky.partitioning.",
    "topic.metadata.",
    "transaction.timeout.ms",
)
"""Settings, or how their names begin, that say nothing to this reader: of writing, of the workers' group, of pace and logs."""


def reader_settings(kafka: Mapping[str, str]) -> dict[str, Any]:
    """What an `aiokafka.AIOKafkaConsumer` is made with.

    Args:
        kafka: librdkafka settings as the configuration has them.

    Returns:
        Its keyword arguments; addresses and who may connect, not what is read.

    Raises:
        Stop: A setting cannot be translated, or its value cannot; the sentence names every one. Or a certificate cannot be read.
    """
    settings: dict[str, Any] = {}
    refused = []
    for name, value in kafka.items():
        if name in _TRANSLATED:
            theirs, taken = _TRANSLATED[name]
            try:
                settings[theirs] = taken(value)
            except ValueError as why:
                refused.append(f"{name}: {why}")
        elif name not in _IN_THE_CONTEXT and not name.startswith(_OF_A_WORKER):
            refused.append(f"{name}: insights reads with another client than the workers, which has no such setting")
    if refused:
        mend = "Give insights a configuration of its own without them."
        raise Stop(INPUT, "\n  ".join(["kafka settings that insights cannot follow:", *refused, mend]))
    if uses_tls(kafka):
        settings["ssl_context"] = _context(kafka)
    return settings


def _context(kafka: Mapping[str, str]) -> ssl.SSLContext:
    try:
        return trusting_as(kafka)
    except (OSError, ValueError) as why:
        given = ", ".join(sorted(name for name in kafka if name.startswith(("ssl.ca.", "ssl.certificate.", "ssl.key."))))
        raise Stop(
            INPUT,
            f"kafka settings: a certificate or key of {given} cannot be read ({why}); name files that can be, and the key's own "
            "password",
        ) from why
