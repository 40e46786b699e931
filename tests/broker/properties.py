"""What a single test broker is told, in Kafka's own names; shared by the container and the JVM so that both behave alike.

One node cannot replicate, so the internal topics must not ask for it: without that, transactions hang. The short
delays let a test see compaction within seconds.
"""

import socket
from collections.abc import Mapping

ONE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    "log.initial.task.delay.ms": "500",
    "log.cleaner.backoff.ms": "500",
}


def listening(bound: Mapping[str, str], advertised: Mapping[str, str], protocols: Mapping[str, str]) -> dict[str, str]:
    """Where a broker listens, what it tells clients of it, and how they talk there.

    Args:
        bound: `host:port` by the name of a listener, the controller's included.
        advertised: The same as clients reach it, without the controller's.
        protocols: Security protocol by the name of a listener; PLAINTEXT where none is named.
    """
    return {
        "listeners": ",".join(f"{name}://{address}" for name, address in bound.items()),
        "advertised.listeners": ",".join(f"{name}://{address}" for name, address in advertised.items()),
        "listener.security.protocol.map": ",".join(f"{name}:{protocols.get(name, 'PLAINTEXT')}" for name in bound),
        "inter.broker.listener.name": "PLAINTEXT",
    }


def escaped(value: str) -> str:
    """A value as it stands in a properties file, which takes certificates on one line."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
