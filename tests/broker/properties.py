"""What a test broker is told, in Kafka's own names; shared by the container and the JVM so that both behave alike.

One node cannot replicate, so the internal topics must not ask for it: without that, transactions hang. Three nodes replicate
everything three times and want two in sync, as production does. The short delays let a test see compaction within seconds.
"""

import socket
from collections.abc import Mapping
from typing import NamedTuple

CLUSTER = "funnelstream-test-node"
"""22 characters of base64, which is what Kafka takes for a cluster's id."""

_ANY_NODE = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    "log.initial.task.delay.ms": "500",
    "log.cleaner.backoff.ms": "500",
}


class Node(NamedTuple):
    """One node of a cluster: its number from 1, and where clients and its peers reach it, as `host:port`.

    Attributes:
        number: Its id.
        listeners: For clients, by name; PLAINTEXT lets in everybody.
        controller: For its peers.
    """

    number: int
    listeners: Mapping[str, str]
    controller: str


def properties_of(node: Node, nodes: list[Node]) -> dict[str, str]:
    """What this one of these nodes is told, but for what it listens on."""
    copies, in_sync = (3, 2) if len(nodes) > 1 else (1, 1)
    internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    return _ANY_NODE | {
        "node.id": str(node.number),
        "controller.quorum.voters": ",".join(f"{each.number}@{each.controller}" for each in nodes),
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(in_sync),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        **{f"{topic}.replication.factor": str(copies) for topic in internal},
    }


def listening(
    bound: Mapping[str, str], advertised: Mapping[str, str], protocols: Mapping[str, str], among: str = "PLAINTEXT"
) -> dict[str, str]:
    """Where a broker listens, what it tells clients of it, and how they talk there.

    Args:
        bound: `host:port` by the name of a listener, the controller's included.
        advertised: The same as clients reach it, without the controller's.
        protocols: Security protocol by the name of a listener; PLAINTEXT where none is named.
        among: The listener of brokers among themselves.
    """
    return {
        "listeners": ",".join(f"{name}://{address}" for name, address in bound.items()),
        "advertised.listeners": ",".join(f"{name}://{address}" for name, address in advertised.items()),
        "listener.security.protocol.map": ",".join(f"{name}:{protocols.get(name, 'PLAINTEXT')}" for name in bound),
        "inter.broker.listener.name": among,
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
