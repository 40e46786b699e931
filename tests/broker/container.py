"""A broker in a container of the apache/kafka image, through testcontainers.

A plain container, because testcontainers' Kafka class needs another vendor's start script. Setting any environment variable
replaces the image's whole default configuration, so all of it is given. Its port on the host is chosen before the start: the
broker must advertise it, and a restarted container must keep it. Nodes of a cluster reach each other over a network of their own.
"""

from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.network import Network

from tests.broker.properties import CLUSTER, Node, free_port, properties_of

IMAGE = "apache/kafka:4.3.1"
INSIDE = 9092
PEERS = 19092
CONTROLLER = 29093
_SHUTS_DOWN_WITHIN = 60
"""Seconds of an orderly stop: it hands its partitions to its peers, if it has any."""


class NoDocker(Exception):
    """There is no Docker daemon to ask."""


class ContainerBroker:
    """One KRaft node in a container; removed with all data by `stop`, and by testcontainers when this process dies."""

    def __init__(self, properties: dict[str, str], node: Node | None = None, peers: list[Node] | None = None) -> None:
        """A node that is not started; without `node` the only one of its cluster."""
        host = _docker().host()
        node = node or _node(host, 1, "localhost")
        self.bootstrap = node.clients
        self.origin = f"Docker, {IMAGE}"
        self.pid = None  # a process of the daemon's machine, which need not be this one
        settings = properties_of(node, peers or [node]) | {
            "listeners": f"PLAINTEXT://:{INSIDE},CONTROLLER://:{CONTROLLER}",
            "advertised.listeners": f"PLAINTEXT://{node.clients}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }
        if peers is not None:
            name = node.controller.partition(":")[0]
            settings |= {
                "listeners": f"PLAINTEXT://:{INSIDE},PEERS://:{PEERS},CONTROLLER://:{CONTROLLER}",
                "advertised.listeners": f"PLAINTEXT://{node.clients},PEERS://{name}:{PEERS}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PEERS:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "inter.broker.listener.name": "PEERS",
            }
        self._container = _kafka(settings | properties, int(node.clients.rpartition(":")[2]))
        self._created = False

    def join(self, network: Network, name: str) -> None:
        """Be reached by the peers under this name."""
        self._container.with_network(network).with_network_aliases(name)

    def start(self) -> None:
        """Create the container, or start the killed one again."""
        if self._created:
            self._container.get_wrapped_container().start()
            return
        self._container.start()
        self._created = True

    def kill(self) -> None:
        """SIGKILL; the container and its data stay."""
        self._container.get_wrapped_container().kill()

    def shut_down(self) -> None:
        """SIGTERM, and wait; the container and its data stay."""
        self._container.get_wrapped_container().stop(timeout=_SHUTS_DOWN_WITHIN)

    def pause(self) -> None:
        """Freeze the container, with its sockets open: a broker that hangs."""
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        """Let a frozen container run again."""
        self._container.get_wrapped_container().unpause()

    def stop(self) -> None:
        """Remove the container."""
        if self._created:
            self._created = False
            self._container.stop()


def container_cluster(properties: dict[str, str], count: int) -> list[ContainerBroker]:
    """So many nodes of one cluster, not started, on a network that testcontainers removes with this process."""
    host = _docker().host()
    network = Network().create()
    nodes = [_node(host, number, f"node-{number}") for number in range(1, count + 1)]
    brokers = [ContainerBroker(properties, node, nodes) for node in nodes]
    for broker, node in zip(brokers, nodes, strict=True):
        broker.join(network, node.controller.partition(":")[0])
    return brokers


def _node(host: str, number: int, name: str) -> Node:
    """A node that clients reach at a free port of the host, and its peers by its name."""
    return Node(number, f"{host}:{free_port()}", f"{name}:{CONTROLLER}")


def _docker() -> Any:
    """testcontainers' client of a daemon that answers."""
    try:
        client = DockerClient()
        client.client.ping()
    except Exception as why:  # whatever the library raises: this way is closed
        raise NoDocker(f"Docker does not answer ({type(why).__name__})") from why
    return client


def _kafka(settings: dict[str, str], port: int) -> Any:
    """The container, not started; `_`, `.` and `-` of a property are written as the image wants them."""
    kafka = DockerContainer(IMAGE).with_bind_ports(INSIDE, port).with_env("CLUSTER_ID", CLUSTER)
    for name, value in settings.items():
        variable = name.replace("_", "__").replace("-", "___").replace(".", "_").upper()
        kafka = kafka.with_env(f"KAFKA_{variable}", value)
    return kafka
